package org.lmdebugger.device.cpu;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.Tensor;

/** A matrix that a product reads or writes: a window on memory, set to one matrix after another. */
final class Operand {
    MemorySegment segment = MemorySegment.NULL;
    long start; // in bytes
    int rows;
    int columns;
    long stride; // in elements, from one row to the next

    void set(MemorySegment segment, long start, int rows, int columns, long stride) {
        this.segment = segment;
        this.start = start;
        this.rows = rows;
        this.columns = columns;
        this.stride = stride;
    }

    /** Sets this to some rows of a tensor. */
    void set(Tensor tensor, long firstRow, long rows) {
        set(tensor, firstRow, rows, 0, tensor.columns());
    }

    /** Sets this to some rows and columns of a tensor. */
    void set(Tensor tensor, long firstRow, long rows, long firstColumn, long columns) {
        set(CpuMemory.of(tensor), Layouts.row(tensor, firstRow) + 4 * firstColumn, (int) rows, (int) columns,
                tensor.stride());
    }

    /** Returns where an element lies, in bytes from the start of the segment. */
    long at(long row, long column) {
        return start + 4 * (row * stride + column);
    }
}
