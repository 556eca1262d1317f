package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.index;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;

/** Operations without arithmetic: moving rows, converting their types, and counting. */
final class Rows {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Rows() {
    }

    static void upload(Tensor to, MemorySegment from) {
        long bytes = to.columns() * to.type().bytes();
        for (long r = 0; r < to.rows(); r++) {
            MemorySegment.copy(from, r * bytes, CpuMemory.of(to), row(to, r), bytes);
        }
    }

    static void download(MemorySegment to, Tensor from) {
        long bytes = from.columns() * from.type().bytes();
        for (long r = 0; r < from.rows(); r++) {
            MemorySegment.copy(CpuMemory.of(from), row(from, r), to, r * bytes, bytes);
        }
    }

    static void copy(Tensor to, Tensor from) {
        for (long r = 0; r < to.rows(); r++) {
            copyRow(to, r, from, r);
        }
    }

    static void gather(Tensor to, Tensor from, Tensor rows) {
        for (long r = 0; r < to.rows(); r++) {
            copyRow(to, r, from, index(rows, r));
        }
    }

    static void scatter(Tensor to, Tensor from, Tensor rows) {
        for (long r = 0; r < from.rows(); r++) {
            copyRow(to, index(rows, r), from, r);
        }
    }

    private static void copyRow(Tensor to, long toRow, Tensor from, long fromRow) {
        MemorySegment.copy(CpuMemory.of(from), row(from, fromRow), CpuMemory.of(to), row(to, toRow),
                to.columns() * to.type().bytes());
    }

    static void transpose(Tensor to, Tensor from) {
        MemorySegment ts = CpuMemory.of(to), fs = CpuMemory.of(from);
        for (long r = 0; r < to.rows(); r++) {
            for (long i = 0; i < to.columns(); i++) {
                ts.set(F32, row(to, r) + 4 * i, fs.get(F32, row(from, i) + 4 * r));
            }
        }
    }

    /** Copies a file's elements as single precision; each value is exactly representable. */
    static void widen(MemorySegment to, ElementType type, MemorySegment from) {
        long count = from.byteSize() / type.bytes();
        switch (type) {
            case F32 -> MemorySegment.copy(from, 0, to, 0, from.byteSize());
            case F16 -> {
                for (long i = 0; i < count; i++) {
                    to.set(F32, 4 * i, Float.float16ToFloat(from.get(I16, 2 * i)));
                }
            }
            case BF16 -> {
                for (long i = 0; i < count; i++) {
                    to.set(I32, 4 * i, from.get(I16, 2 * i) << 16);
                }
            }
            case I32, F64 ->
                    throw new IllegalArgumentException("type: %s (expected: F32, F16 or BF16)".formatted(type));
        }
    }

    static void increment(Tensor counters) {
        var cs = CpuMemory.of(counters);
        for (long r = 0; r < counters.rows(); r++) {
            for (long i = 0; i < counters.columns(); i++) {
                long at = row(counters, r) + 4 * i;
                cs.set(I32, at, cs.get(I32, at) + 1);
            }
        }
    }
}
