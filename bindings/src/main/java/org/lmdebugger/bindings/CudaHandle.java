package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;

/** Something that CUDA made and must destroy: for one thread at a time. */
abstract sealed class CudaHandle implements AutoCloseable permits CudaStream, CudaEvent, CudaGraph, CublasHandle {
    private MemorySegment pointer;

    CudaHandle(MemorySegment pointer) {
        this.pointer = pointer;
    }

    /** @throws IllegalStateException if it is closed */
    final MemorySegment pointer() {
        if (pointer == null) {
            throw new IllegalStateException(getClass().getSimpleName() + ": closed (expected: open)");
        }
        return pointer;
    }

    /** Destroys it; once is enough, more do nothing. */
    @Override
    public final void close() {
        if (pointer != null) {
            var closing = pointer;
            pointer = null;
            destroy(closing);
        }
    }

    abstract void destroy(MemorySegment pointer);
}
