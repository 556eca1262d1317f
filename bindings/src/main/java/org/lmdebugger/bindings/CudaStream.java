package org.lmdebugger.bindings;

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
