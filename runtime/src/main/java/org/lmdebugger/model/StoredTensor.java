package org.lmdebugger.model;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.text.Shown;

/**
 * One tensor of a checkpoint.
 *
 * @param file  where it lies
 * @param name  as the file spells it
 * @param dtype its elements, as safetensors spells them
 * @param shape sizes, outermost first; none for a scalar
 * @param data  its elements, row after row, little-endian and read-only, at any alignment; alive until its
 *              {@link Weights} is closed
 */
public record StoredTensor(Path file, String name, String dtype, List<Long> shape, MemorySegment data) {

    /** What an element is. @throws InvalidModelException if no device loads it */
    public ElementType type() {
        return switch (dtype) {
            case "F32" -> ElementType.F32;
            case "F16" -> ElementType.F16;
            case "BF16" -> ElementType.BF16;
            default -> throw wrong("dtype", dtype, "F32, F16 or BF16");
        };
    }

    InvalidModelException wrong(String what, Object found, String expected) {
        return new InvalidModelException("%s: %s: %s: %s (expected: %s)".formatted(file, Shown.of(name), what, Shown.of(found), expected));
    }
}
