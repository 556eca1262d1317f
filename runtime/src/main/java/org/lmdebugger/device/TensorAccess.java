package org.lmdebugger.device;

import java.lang.foreign.MemorySegment;

/**
 * The memory of a tensor, for work of a program's own: {@link Operations#access} lends it. The tensor's elements are
 * {@code rows} rows of {@code columns} neighbours, little-endian, and {@code stride} elements lie from the start of one
 * row to that of the next. What lies between rows belongs to other windows.
 */
public sealed interface TensorAccess {
    /** Returns the distance between the starts of neighbouring rows, in elements. */
    long stride();

    /**
     * Memory of the CPU. All operations before have been done, and the next ones see what is written here.
     *
     * @param segment from the first element to the last; of the accessing thread alone, read-only if the tensor is, and
     *                unusable once the access has ended
     */
    record Host(MemorySegment segment, long stride) implements TensorAccess {
    }

    /**
     * Memory of a GPU, which is current for the accessing thread. What the program gives to {@code stream}, such as a
     * kernel or a call of cuBLAS, runs after the operations before and before those that follow; work in another stream
     * has to be ordered with it by events. A read-only tensor must not be written: nothing can check that here.
     *
     * @param address of the first element, in device memory
     * @param stream  the {@code cudaStream_t} of the session's queue
     */
    record Cuda(long address, long stride, long stream) implements TensorAccess {
    }
}
