package org.lmdebugger.device;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/**
 * A processor with the memory in which a model's tensors lie. All methods may be called from any thread.
 *
 * <p>Tensors are closed by their owners, and before their device.
 */
public interface Device extends AutoCloseable {
    /** Returns the short name as on a command line: {@code cpu}, {@code cuda:0}. */
    String name();

    /** Returns one line for people: the hardware, the libraries and their versions. */
    String description();

    /**
     * Returns one line that is equal for devices on which the same call gives the same bits in the same precision: the kind
     * of the device, the width of vectors and the libraries that multiply, but neither a number of threads nor which card of
     * a kind it is.
     */
    String arithmetic();

    /** Returns the arithmetic of GEMMs on this device; part of every result's description. */
    Precision precision();

    /** Returns the sizes of work that suit this device, and how it rounds. */
    DeviceTraits traits();

    /**
     * Allocates a matrix with undefined contents, which the caller closes.
     *
     * @throws OutOfDeviceMemoryException saying how much was asked for
     */
    Tensor allocate(ElementType type, long rows, long columns);

    /**
     * Weights from a file: {@code data} holds rows · columns elements of {@code type} (F32, F16 or BF16). A device may
     * use aligned F32 data in place, so {@code data} must stay as it is until the tensor is closed; a tensor in place
     * is read-only. Closing the tensor never frees {@code data}.
     */
    Tensor load(ElementType type, long rows, long columns, MemorySegment data);

    /**
     * Runs {@code work} with a session of its own, waits until the device has done what it asked for, and returns
     * its result. The session is not to be used after that, nor by another thread. Calls from several threads run
     * beside each other and do not affect each other's results. A tensor that another thread closes meanwhile keeps its
     * contents until the call has ended; beginning to use a closed one throws {@link IllegalStateException}.
     *
     * @throws OutOfDeviceMemoryException if the device has too little memory for the work
     */
    <T> T call(Function<Operations, T> work);

    /**
     * Waits until all calls that are in progress now have ended.
     *
     * @throws IllegalStateException within a call, which would wait for itself
     */
    void awaitCalls();

    /**
     * Refuses new calls, waits for those in progress, and frees everything. Tensors that nobody has closed are closed,
     * with a warning to the logger {@code org.lmdebugger.device} that counts them.
     *
     * @throws IllegalStateException within a call; nothing is closed then
     */
    @Override
    void close();
}
