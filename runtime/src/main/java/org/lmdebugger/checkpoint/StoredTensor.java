package org.lmdebugger.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.text.Shown;

/**
 * A tensor of a checkpoint.
 *
 * @param file  the file that holds it
 * @param name  its name in the file
 * @param dtype the type of its elements, as named in safetensors
 * @param shape sizes, outermost first; none for a scalar
 * @param data  its elements, row after row, little-endian and read-only, at any alignment; alive until its
 *              {@link Weights} is closed
 */
public record StoredTensor(Path file, String name, String dtype, List<Long> shape, MemorySegment data) {
    private static final long PART = 1 << 20; // bytes that a thread reads at once
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED
            .withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong BITS = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /**
     * Returns the type of the elements.
     *
     * @throws InvalidModelException if no device loads it
     */
    public ElementType type() {
        return switch (dtype) {
            case "F32" -> ElementType.F32;
            case "F16" -> ElementType.F16;
            case "BF16" -> ElementType.BF16;
            default -> throw wrong("dtype", dtype, "F32, F16, BF16 or F64");
        };
    }

    /** Returns an F64 tensor rounded to F32, in memory of {@code arena}; returns itself if it has another type. */
    StoredTensor rounded(Arena arena) {
        if (!dtype.equals("F64")) {
            return this;
        }
        var floats = arena.allocate(data.byteSize() / 2, 64);
        for (long at = 0; at < floats.byteSize(); at += 4) {
            floats.set(F32, at, (float) data.get(F64, 2 * at));
        }
        return new StoredTensor(file, name, "F32", shape, floats.asReadOnly());
    }

    /**
     * Reads all its numbers.
     *
     * @throws InvalidModelException if one is infinite or NaN
     */
    void requireFinite() {
        long ones = switch (type()) { // the lowest bit of the exponent of each number in 8 bytes
            case F32 -> 0x00800000_00800000L;
            case F16 -> 0x0400_0400_0400_0400L;
            default -> 0x0080_0080_0080_0080L;
        };
        long signs = type() == ElementType.F32 ? 0x80000000_80000000L : 0x8000_8000_8000_8000L;
        long parts = (data.byteSize() + PART - 1) / PART;
        if (LongStream.range(0, parts).parallel()
                .anyMatch(part -> data.byteSize() > 0 && !finite(part * PART, ones, signs))) {
            throw wrong("numbers", "NaN or infinite ones", "finite ones");
        }
    }

    /**
     * Returns whether a part is finite. Adding one carries into the sign only from an exponent of all ones (∞, NaN).
     */
    private boolean finite(long from, long ones, long signs) {
        long exponents = signs - ones;
        long carried = 0;
        long to = Math.min(data.byteSize(), from + PART);
        long whole = from + (to - from) / 8 * 8;
        for (long at = from; at < whole; at += 8) {
            carried |= (data.get(BITS, at) & exponents) + ones;
        }
        var rest = new long[1];
        MemorySegment.copy(data, whole, MemorySegment.ofArray(rest), 0, to - whole);
        carried |= (rest[0] & exponents) + ones;
        return (carried & signs) == 0;
    }

    InvalidModelException wrong(String what, Object found, String expected) {
        return new InvalidModelException(
                "%s: %s: %s: %s (expected: %s)".formatted(file, Shown.of(name), what, Shown.of(found), expected));
    }
}
