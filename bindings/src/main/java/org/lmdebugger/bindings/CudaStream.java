package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cudart.Cudart;

/**
 * A CUDA stream: a queue of work on one device. Work runs in the order in which it is queued, and calls return at once.
 * An error of queued work is reported by a later call.
 *
 * <p>Addresses of device memory are those of {@link CudaMemory}; that a range lies within its
 * block cannot be checked here. Segments of host memory are checked.
 */
public final class CudaStream extends CudaHandle {
    private CudaStream(MemorySegment pointer) {
        super(pointer);
    }

    /** Creates a stream of the current device that does not wait for the default stream. */
    public static CudaStream create() {
        return new CudaStream(CudaException.out("cudaStreamCreateWithFlags",
                stream -> Cudart.cudaStreamCreateWithFlags(stream, Cudart.cudaStreamNonBlocking())));
    }

    /** Returns the stream's address, as this project's kernels take it. */
    public long address() {
        return pointer().address();
    }

    /**
     * Waits until all queued work is done.
     *
     * @throws CudaException if some of it failed
     */
    public void synchronize() {
        CudaException.check("cudaStreamSynchronize", Cudart.cudaStreamSynchronize(pointer()));
    }

    /**
     * Returns whether all queued work is done.
     *
     * @throws CudaException if some of it failed
     */
    public boolean isIdle() {
        int status = Cudart.cudaStreamQuery(pointer());
        if (status == Cudart.cudaErrorNotReady()) {
            return false;
        }
        CudaException.check("cudaStreamQuery", status);
        return true;
    }

    /** Makes work queued from now on wait until the work before the event is done. */
    public void waitFor(CudaEvent event) {
        CudaException.check("cudaStreamWaitEvent", Cudart.cudaStreamWaitEvent(pointer(), event.pointer(), 0));
    }

    /**
     * Copies all of {@code from} to the device. From pinned memory ({@link CudaMemory#pinned}) the copy runs
     * asynchronously, and the segment must not change until it is done; from other memory the call returns when the
     * segment may be changed again.
     */
    public void copyToDevice(long to, MemorySegment from) {
        copy(CudaMemory.device("to", to), CudaMemory.host("from", from), from.byteSize(),
                Cudart.cudaMemcpyHostToDevice());
    }

    /** Fills all of {@code to} from the device; its content may be read after the next {@link #synchronize()}. */
    public void copyToHost(MemorySegment to, long from) {
        if (to.isReadOnly()) {
            throw new IllegalArgumentException("to: a read-only segment (expected: a writable one)");
        }
        copy(CudaMemory.host("to", to), CudaMemory.device("from", from), to.byteSize(),
                Cudart.cudaMemcpyDeviceToHost());
    }

    /** Copies within the device; the two ranges must not overlap. */
    public void copyOnDevice(long to, long from, long bytes) {
        copy(CudaMemory.device("to", to), CudaMemory.device("from", from), CudaMemory.size(bytes),
                Cudart.cudaMemcpyDeviceToDevice());
    }

    /** Sets each byte of a range to {@code value}. */
    public void fill(long to, byte value, long bytes) {
        int status = Cudart.cudaMemsetAsync(CudaMemory.device("to", to), Byte.toUnsignedInt(value),
                CudaMemory.size(bytes), pointer());
        if (status != Cudart.cudaSuccess()) {
            throw CudaException.ofRuntime("cudaMemsetAsync", status, bytes + " bytes");
        }
    }

    private void copy(MemorySegment to, MemorySegment from, long bytes, int direction) {
        int status = Cudart.cudaMemcpyAsync(to, from, bytes, direction, pointer());
        if (status != Cudart.cudaSuccess()) {
            throw CudaException.ofRuntime("cudaMemcpyAsync", status, bytes + " bytes");
        }
    }

    /**
     * Captures the work that {@code work} queues in this stream, from this thread, instead of running it. If {@code
     * work} throws, the capture ends too, and the stream can be used as before.
     */
    public CudaGraph capture(Runnable work) {
        CudaException.check("cudaStreamBeginCapture",
                Cudart.cudaStreamBeginCapture(pointer(), Cudart.cudaStreamCaptureModeThreadLocal()));
        try {
            work.run();
        } catch (RuntimeException | Error failure) {
            abandonCapture(failure);
            throw failure;
        }
        try (var recording = endCapture()) {
            return recording.instantiate();
        }
    }

    /** Returns whether this stream is captured: it records work instead of running it. */
    public boolean isCapturing() {
        try (var arena = Arena.ofConfined()) {
            var status = arena.allocate(JAVA_INT);
            CudaException.check("cudaStreamIsCapturing", Cudart.cudaStreamIsCapturing(pointer(), status));
            return status.get(JAVA_INT, 0) != Cudart.cudaStreamCaptureStatusNone();
        }
    }

    private CudaGraph.Recording endCapture() {
        return new CudaGraph.Recording(CudaException.out("cudaStreamEndCapture",
                graph -> Cudart.cudaStreamEndCapture(pointer(), graph)));
    }

    private void abandonCapture(Throwable failure) {
        try {
            endCapture().close();
        } catch (CudaException invalidated) {
            failure.addSuppressed(invalidated); // an illegal call has already ended the capture
        }
    }

    @Override
    void destroy(MemorySegment pointer) {
        CudaException.check("cudaStreamDestroy", Cudart.cudaStreamDestroy(pointer));
    }
}
