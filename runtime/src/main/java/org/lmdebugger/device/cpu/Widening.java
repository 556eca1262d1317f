package org.lmdebugger.device.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.lmdebugger.device.ElementType;

/** Copies of a file's elements as single precision; each value is exactly representable. */
final class Widening {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Widening() {
    }

    static void toF32(MemorySegment to, ElementType type, MemorySegment from) {
        long count = from.byteSize() / type.bytes();
        switch (type) {
            case F32 -> MemorySegment.copy(from, 0, to, 0, from.byteSize());
            case F16 -> {
                for (long i = 0; i < count; i++) {
                    to.set(Layouts.F32, 4 * i, Float.float16ToFloat(from.get(I16, 2 * i)));
                }
            }
            case BF16 -> {
                for (long i = 0; i < count; i++) {
                    to.set(Layouts.I32, 4 * i, from.get(I16, 2 * i) << 16);
                }
            }
            case I32 -> throw new IllegalArgumentException("type: I32 (expected: F32, F16 or BF16)");
        }
    }
}
