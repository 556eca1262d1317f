package org.lmdebugger.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.lmdebugger.text.Shown;

/**
 * An array of a file whose rows can be read one by one.
 *
 * @param name    its name for messages: the file and, if it is named, the tensor
 * @param dtype   the type of its elements, as named in safetensors
 * @param order   the order of an element's bytes
 * @param fortran whether the elements lie column after column, else row after row
 * @param shape   sizes, outermost first; none for a scalar
 * @param data    its elements, at any alignment
 */
record StoredArray(String name, String dtype, ByteOrder order, boolean fortran, List<Long> shape, MemorySegment data) {
    private static final long WIDEST = 1 << 24; // numbers: a row must fit in memory; vocabularies are smaller

    /**
     * Reads a row of a matrix, or row 0 of a vector.
     *
     * @return its numbers, rounded to single precision
     * @throws InvalidModelException if the array has other dimensions, elements of another type than F32, F16, BF16 and
     *     F64, or no such row, or if a number of the row is not finite
     */
    float[] row(int row) {
        if (shape.isEmpty() || shape.size() > 2) {
            throw wrong("shape", shape, "a matrix or a vector");
        }
        long rows = shape.size() == 2 ? shape.getFirst() : 1;
        long columns = shape.getLast();
        if (row < 0 || row >= rows) {
            throw wrong("row", row, "at least 0 and below %d, the number of rows".formatted(rows));
        }
        if (columns > WIDEST) {
            throw wrong("shape", shape, "rows of at most %d numbers".formatted(WIDEST));
        }
        var numbers = new float[(int) columns];
        for (int i = 0; i < numbers.length; i++) {
            double number = number(fortran ? i * rows + row : row * columns + i);
            numbers[i] = (float) number;
            if (!Float.isFinite(numbers[i])) {
                throw wrong("row %d: number %d".formatted(row, i), number, "a finite one in single precision");
            }
        }
        return numbers;
    }

    private double number(long index) {
        return switch (dtype) {
            case "F64" -> data.get(ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(order), 8 * index);
            case "F32" -> data.get(ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(order), 4 * index);
            case "F16" -> Float.float16ToFloat(half(index));
            case "BF16" -> Float.intBitsToFloat(half(index) << 16);
            default -> throw wrong("dtype", dtype, "F32, F16, BF16 or F64");
        };
    }

    private short half(long index) {
        return data.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), 2 * index);
    }

    private InvalidModelException wrong(String what, Object found, String expected) {
        return new InvalidModelException("%s: %s: %s (expected: %s)".formatted(name, what, Shown.of(found), expected));
    }
}
