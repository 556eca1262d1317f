package org.lmdebugger.checkpoint;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.lmdebugger.text.Shown;

/**
 * A file of vectors, which are the rows of a matrix: a NumPy {@code .npy} file, which holds one, or a safetensors file.
 * The first bytes tell which of both it is, not the name.
 */
public final class MatrixFile {
    private MatrixFile() {
    }

    /**
     * Reads one row of a matrix of shape [rows, columns], or a vector of shape [columns], whose only row is 0. The file
     * is mapped, so that other rows are not read; it must not be changed meanwhile, as for {@link Weights}.
     *
     * <p>A NumPy file has format version 1.0, 2.0 or 3.0 and elements f2, f4 or f8, little- or big-endian, in C or
     * Fortran order; a tensor of a safetensors file has elements F32, F16, BF16 or F64.
     *
     * @param tensor its name in a safetensors file; if empty, the file must have exactly one tensor that is a matrix or
     *               a vector
     * @param row    its number, from 0
     * @return the row's numbers [columns], rounded to single precision
     * @throws InvalidModelException if the file is missing, damaged or of another format, if there is no such tensor or
     *     row, if the tensor is neither a matrix nor a vector or its elements have another type, if it has more than
     *     2²⁴ columns, or if a number of the row is NaN, infinite or too large for single precision
     */
    public static float[] row(Path file, String tensor, int row) {
        if (Files.notExists(file)) {
            throw new InvalidModelException(file + ": missing (expected: a NumPy or safetensors file)");
        }
        try (var arena = Arena.ofConfined()) {
            return array(file, LoadedFile.map(file, arena).bytes(), tensor).row(row);
        }
    }

    private static StoredArray array(Path file, MemorySegment mapped, String tensor) {
        if (NpyHeader.begins(mapped)) {
            if (!tensor.isEmpty()) {
                throw new InvalidModelException("%s: tensor %s (expected: no name, as a NumPy file has one matrix)"
                        .formatted(file, Shown.of(tensor)));
            }
            return NpyHeader.array(file, mapped);
        }
        if (mapped.byteSize() > 8 && mapped.get(ValueLayout.JAVA_BYTE, 8) == '{') {
            var found = tensor(file, SafetensorsHeader.entries(file, mapped), tensor);
            return new StoredArray("%s: %s".formatted(file, Shown.of(found.name())), found.dtype(),
                    ByteOrder.LITTLE_ENDIAN, false, found.shape(), found.data());
        }
        throw new InvalidModelException(
                file + ": another format, or damaged (expected: a file of numpy.save or safetensors)");
    }

    private static StoredTensor tensor(Path file, List<StoredTensor> tensors, String name) {
        var matrices = tensors.stream().filter(tensor -> tensor.shape().size() == 1 || tensor.shape().size() == 2)
                .toList();
        var names = matrices.isEmpty() ? "none"
                : Shown.of(matrices.stream().map(StoredTensor::name).collect(Collectors.joining(", ")));
        if (!name.isEmpty()) {
            return tensors.stream().filter(tensor -> tensor.name().equals(name)).findFirst()
                    .orElseThrow(() -> new InvalidModelException("%s: %s: missing (expected: one of its matrices: %s)"
                            .formatted(file, Shown.of(name), names)));
        }
        if (matrices.size() != 1) {
            throw new InvalidModelException("%s: matrices: %s (expected: exactly one, or the name of one)"
                    .formatted(file, names));
        }
        return matrices.getFirst();
    }
}
