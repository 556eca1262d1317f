package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cudart.Cudart;

/** A CUDA graph: work captured once and launched as a whole, with the pointers and scalars of the capture. */
public final class CudaGraph extends CudaHandle {
    private CudaGraph(MemorySegment pointer) {
        super(pointer);
    }

    /** A finished capture, from which executable graphs are instantiated. */
    record Recording(MemorySegment pointer) implements AutoCloseable {
        CudaGraph instantiate() {
            return new CudaGraph(CudaException.out("cudaGraphInstantiate",
                    executable -> Cudart.cudaGraphInstantiate(executable, pointer, 0)));
        }

        @Override
        public void close() {
            CudaException.check("cudaGraphDestroy", Cudart.cudaGraphDestroy(pointer));
        }
    }

    /** Queues the captured work in {@code stream}. */
    public void launch(CudaStream stream) {
        CudaException.check("cudaGraphLaunch", Cudart.cudaGraphLaunch(pointer(), stream.pointer()));
    }

    @Override
    void destroy(MemorySegment pointer) {
        CudaException.check("cudaGraphExecDestroy", Cudart.cudaGraphExecDestroy(pointer));
    }
}
