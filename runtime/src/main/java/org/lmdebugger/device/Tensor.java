package org.lmdebugger.device;

import java.lang.foreign.MemorySegment;

/**
 * A row-major matrix in a device's memory, or a window on one. A vector is a matrix of one row.
 *
 * <p>A tensor that {@link Device#allocate} returned owns its memory and is closed by whoever asked for it. Windows
 * ({@link #rows(long, long)}, {@link #columns(long, long)}) share the memory: closing one does nothing, and they are
 * unusable once the owner is closed. A tensor is immutable, its contents are not: operations that write one tensor
 * from two threads must be ordered by the caller.
 */
public final class Tensor implements AutoCloseable {
    private final Memory memory;
    private final ElementType type;
    private final long offset; // in elements, from the start of the memory
    private final long rows;
    private final long columns;
    private final long stride; // in elements, from one row to the next
    private final boolean owner;
    private final boolean readOnly;

    private Tensor(Memory memory, ElementType type, long offset, long rows, long columns, long stride,
            boolean owner, boolean readOnly) {
        this.memory = memory;
        this.type = type;
        this.offset = offset;
        this.rows = rows;
        this.columns = columns;
        this.stride = stride;
        this.owner = owner;
        this.readOnly = readOnly;
    }

    /** The whole of {@code memory} as a dense matrix, which owns it from here on. For devices to call. */
    public static Tensor owning(Memory memory, ElementType type, long rows, long columns) {
        var bytes = Math.multiplyExact(Math.multiplyExact(rows, columns), type.bytes());
        if (rows < 0 || columns < 0 || bytes > memory.byteSize()) {
            throw new IllegalArgumentException("shape: [%d, %d] of %s (expected: at most %d bytes)"
                    .formatted(rows, columns, type, memory.byteSize()));
        }
        return new Tensor(memory, type, 0, rows, columns, columns, true, false);
    }

    /** A window on {@code count} rows from row {@code from} on. */
    public Tensor rows(long from, long count) {
        check("rows", from, count, rows);
        return new Tensor(memory, type, offset + from * stride, count, columns, stride, false, readOnly);
    }

    /** A window on row {@code row} alone. */
    public Tensor row(long row) {
        return rows(row, 1);
    }

    /** A window on {@code count} columns from column {@code from} on. */
    public Tensor columns(long from, long count) {
        check("columns", from, count, columns);
        return new Tensor(memory, type, offset + from, rows, count, stride, false, readOnly);
    }

    /**
     * The same elements, row after row, as a matrix of another shape.
     *
     * @throws IllegalArgumentException if that has another number of elements, or these are not dense in memory
     */
    public Tensor reshape(long newRows, long newColumns) {
        if (Math.multiplyExact(newRows, newColumns) != rows * columns || stride != columns && rows > 1) {
            throw new IllegalArgumentException(
                    "shape: [%d, %d], of rows %d elements apart, as [%d, %d] (expected: as many "
                            .formatted(rows, columns, stride, newRows, newColumns) + "elements, and no gaps)");
        }
        return new Tensor(memory, type, offset, newRows, newColumns, newColumns, false, readOnly);
    }

    /** A window on all of it that no operation writes to, nor do windows on that. */
    public Tensor asReadOnly() {
        return new Tensor(memory, type, offset, rows, columns, stride, false, true);
    }

    public boolean isReadOnly() {
        return readOnly;
    }

    private static void check(String what, long from, long count, long limit) {
        if (from < 0 || count < 0 || from > limit - count) {
            throw new IndexOutOfBoundsException(
                    "%s: %d from %d on (expected: within 0 to %d)".formatted(what, count, from, limit));
        }
    }

    public Device device() {
        return memory.device();
    }

    public Memory memory() {
        return memory;
    }

    public ElementType type() {
        return type;
    }

    public long rows() {
        return rows;
    }

    public long columns() {
        return columns;
    }

    /** Distance between the starts of neighbouring rows, in elements; at least {@link #columns()}. */
    public long stride() {
        return stride;
    }

    /** Where the first element lies, in bytes from the start of {@link #memory()}. */
    public long byteOffset() {
        return offset * type.bytes();
    }

    /** A copy of an F32 or BF16 tensor's elements on the heap, row after row. Waits for the device. */
    public float[] toFloats() {
        var to = new float[Math.toIntExact(rows * columns)];
        device().call(session -> {
            session.download(to, this);
            return null;
        });
        return to;
    }

    /** A copy of an I32 tensor's elements on the heap, row after row. Waits for the device. */
    public int[] toInts() {
        var to = new int[Math.toIntExact(rows * columns)];
        device().call(session -> {
            session.download(to, this);
            return null;
        });
        return to;
    }

    /** Copies the elements, row after row, into host memory of exactly their size. Waits for the device. */
    public void copyTo(MemorySegment to) {
        device().call(session -> {
            session.download(to, this);
            return null;
        });
    }

    /** Frees the memory if this tensor owns it; once is enough, more do nothing. */
    @Override
    public void close() {
        if (owner) {
            memory.close();
        }
    }

    @Override
    public String toString() {
        return "%s[%d, %d] on %s".formatted(type, rows, columns, device().name());
    }
}
