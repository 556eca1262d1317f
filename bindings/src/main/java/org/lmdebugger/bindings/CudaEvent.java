package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cudart.Cudart;

/** A CUDA event: a mark in a stream. Other streams and threads can wait until the work before it is done. */
public final class CudaEvent extends CudaHandle {
    private CudaEvent(MemorySegment pointer) {
        super(pointer);
    }

    /**
     * Creates an event of the current device.
     *
     * @param timed whether {@link #millisecondsSince} may be called; without timing, recording costs less
     */
    public static CudaEvent create(boolean timed) {
        int flags = timed ? Cudart.cudaEventDefault() : Cudart.cudaEventDisableTiming();
        return new CudaEvent(CudaException.out("cudaEventCreateWithFlags",
                event -> Cudart.cudaEventCreateWithFlags(event, flags)));
    }

    /** Marks the end of the work queued in {@code stream} so far. */
    public void record(CudaStream stream) {
        CudaException.check("cudaEventRecord", Cudart.cudaEventRecord(pointer(), stream.pointer()));
    }

    /**
     * Waits until the work before the mark is done.
     *
     * @throws CudaException if some of it failed
     */
    public void synchronize() {
        CudaException.check("cudaEventSynchronize", Cudart.cudaEventSynchronize(pointer()));
    }

    /** Returns the time between two recorded and completed events, to about half a microsecond. */
    public float millisecondsSince(CudaEvent start) {
        try (var arena = Arena.ofConfined()) {
            var milliseconds = arena.allocate(JAVA_FLOAT);
            CudaException.check("cudaEventElapsedTime",
                    Cudart.cudaEventElapsedTime(milliseconds, start.pointer(), pointer()));
            return milliseconds.get(JAVA_FLOAT, 0);
        }
    }

    @Override
    void destroy(MemorySegment pointer) {
        CudaException.check("cudaEventDestroy", Cudart.cudaEventDestroy(pointer));
    }
}
