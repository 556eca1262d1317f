package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cudart.Cudart;

/** A place in a stream's queue of work, for which a thread may wait while later work goes on. */
public final class CudaEvent extends CudaHandle {
    private CudaEvent(MemorySegment pointer) {
        super(pointer);
    }

    /** Creates an event of the current device; it has no place yet. */
    public static CudaEvent create() {
        return new CudaEvent(CudaException.out("cudaEventCreateWithFlags",
                event -> Cudart.cudaEventCreateWithFlags(event, Cudart.cudaEventDisableTiming())));
    }

    /** Takes its place after all work that is queued in {@code stream} so far, and gives up an earlier one. */
    public void record(CudaStream stream) {
        CudaException.check("cudaEventRecord", Cudart.cudaEventRecord(pointer(), stream.pointer()));
    }

    /**
     * Waits until all work before its place is done; without a place it does not wait.
     *
     * @throws CudaException if some of it failed
     */
    public void synchronize() {
        CudaException.check("cudaEventSynchronize", Cudart.cudaEventSynchronize(pointer()));
    }

    @Override
    void destroy(MemorySegment pointer) {
        CudaException.check("cudaEventDestroy", Cudart.cudaEventDestroy(pointer));
    }
}
