package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;

/** A handle of an object that CUDA created and that must be destroyed. For one thread at a time. */
abstract sealed class CudaHandle implements AutoCloseable
        permits CudaStream, CudaEvent, CudaGraph, CublasHandle, CublasLtHandle {
    private MemorySegment pointer;

    CudaHandle(MemorySegment pointer) {
        this.pointer = pointer;
    }

    /**
     * Returns the object's pointer.
     *
     * @throws IllegalStateException if the handle is closed
     */
    final MemorySegment pointer() {
        if (pointer == null) {
            throw new IllegalStateException(getClass().getSimpleName() + ": closed (expected: open)");
        }
        return pointer;
    }

    /** Destroys the object; further calls do nothing. */
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
