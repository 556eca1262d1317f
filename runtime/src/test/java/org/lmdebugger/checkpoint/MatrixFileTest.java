package org.lmdebugger.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows of NumPy's and safetensors files, which are written byte by byte. */
class MatrixFileTest {
    /** Exact in each type: a bfloat16 has 8 significant bits. */
    private static final double[] NUMBERS = {1, -2, 0.5, 3, 96, -0.15625};
    private static final String MATRIX = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

    @TempDir
    private Path folder;

    /** Returns a NumPy file, padded as NumPy does so that the data begin at a multiple of 64 bytes. */
    private static byte[] npy(int version, String header, byte[] data) {
        int start = version == 1 ? 10 : 12;
        var text = new StringBuilder(header);
        while ((start + text.length() + 1) % 64 != 0) {
            text.append(' ');
        }
        text.append('\n');
        var bytes = new ByteArrayOutputStream();
        bytes.writeBytes("\u0093NUMPY".getBytes(StandardCharsets.ISO_8859_1));
        bytes.write(version);
        bytes.write(0);
        var length = ByteBuffer.allocate(start - 8).order(ByteOrder.LITTLE_ENDIAN);
        bytes.writeBytes(
                (version == 1 ? length.putShort((short) text.length()) : length.putInt(text.length())).array());
        bytes.writeBytes(text.toString().getBytes(StandardCharsets.ISO_8859_1));
        bytes.writeBytes(data);
        return bytes.toByteArray();
    }

    /** Returns numbers as elements of a dtype, with a NumPy byte order. */
    private static byte[] elements(String dtype, char order, double... numbers) {
        var bytes = ByteBuffer.allocate(8 * numbers.length)
                .order(order == '<' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        for (double number : numbers) {
            switch (dtype) {
                case "F64" -> bytes.putDouble(number);
                case "F32" -> bytes.putFloat((float) number);
                case "F16" -> bytes.putShort(Float.floatToFloat16((float) number));
                case "BF16" -> bytes.putShort((short) (Float.floatToIntBits((float) number) >> 16));
                default -> throw new AssertionError(dtype);
            }
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    private Path write(String name, byte[] bytes) {
        return TestFiles.write(folder.resolve(name), bytes);
    }

    /** Writes a NumPy file of little-endian floats. */
    private Path floats(String header, double... numbers) {
        return write("m.npy", npy(1, header, elements("F32", '<', numbers)));
    }

    private static void assertRefused(Path file, String tensor, int row, String message) {
        assertThatThrownBy(() -> MatrixFile.row(file, tensor, row)).isInstanceOf(InvalidModelException.class)
                .hasMessage(file + ": " + message);
    }

    @ParameterizedTest
    @CsvSource({"1,<,2", "1,<,4", "1,<,8", "1,>,2", "1,>,4", "1,>,8", "2,<,4", "3,<,4", "3,>,8"})
    void readsRowsOfNumPysMatrices(int version, char order, int bytes) {
        var file = write("m.npy", npy(version, MATRIX.replace("<f4", order + "f" + bytes),
                elements("F" + 8 * bytes, order, NUMBERS)));
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, -2, 0.5f);
        assertThat(MatrixFile.row(file, "", 1)).containsExactly(3, 96, -0.15625f);
    }

    @Test
    void readsRowsOfMatricesThatLieColumnAfterColumn() {
        var file = floats(MATRIX.replace("False", "True"), NUMBERS);
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, 0.5f, 96);
        assertThat(MatrixFile.row(file, "", 1)).containsExactly(-2, 3, -0.15625f);
    }

    @Test
    void readsAVectorAsItsOnlyRow() {
        var file = floats(MATRIX.replace("(2, 3)", "(6,)"), NUMBERS);
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, -2, 0.5f, 3, 96, -0.15625f);
        assertRefused(file, "", 1, "row: 1 (expected: at least 0 and below 1, the number of rows)");
    }

    @Test
    void roundsDoublesToSinglePrecision() {
        var file = write("m.npy", npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}",
                elements("F64", '<', 0.1, Math.PI)));
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(0.1f, (float) Math.PI);
    }

    /** The order of entries, quotes, blanks and a last comma are free in Python. */
    @ParameterizedTest
    @ValueSource(strings = {"{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
            "{ 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 2 , 3 , ) , }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }"})
    void readsOtherSpellingsOfTheHeader(String header) {
        assertThat(MatrixFile.row(floats(header, NUMBERS), "", 1)).containsExactly(3, 96, -0.15625f);
    }

    @ParameterizedTest
    @CsvSource({"F32,4", "F64,8", "F16,2", "BF16,2"})
    void readsRowsOfSafetensors(String dtype, int bytes) {
        var header = "{\"v\":{\"dtype\":\"%s\",\"shape\":[2,3],\"data_offsets\":[0,%d]}}".formatted(dtype, 6 * bytes);
        var file = write("v", TestFiles.safetensors(header, elements(dtype, '<', NUMBERS)));
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, -2, 0.5f);
        assertThat(MatrixFile.row(file, "v", 1)).containsExactly(3, 96, -0.15625f);
        assertRefused(file, "v", 2, "v: row: 2 (expected: at least 0 and below 2, the number of rows)");
    }

    private Path safetensors(String... shapes) {
        var header = new StringBuilder();
        for (int i = 0; i < shapes.length; i++) {
            header.append(i == 0 ? "{" : ",").append("\"%c\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                    .formatted('a' + i, shapes[i], 8 * i, 8 * i + 8));
        }
        var numbers = new double[2 * shapes.length];
        Arrays.setAll(numbers, i -> i);
        return write("v.safetensors", TestFiles.safetensors(header + "}", elements("F32", '<', numbers)));
    }

    @Test
    void findsATensorByNameOrTheOnlyMatrix() {
        assertThat(MatrixFile.row(safetensors("[1,1,2]", "[1,2]"), "", 0)).containsExactly(2, 3);
        assertThat(MatrixFile.row(safetensors("[2]", "[2,1]"), "a", 0)).containsExactly(0, 1);
        assertThat(MatrixFile.row(safetensors("[2]", "[2,1]"), "b", 1)).containsExactly(3);
    }

    @Test
    void listsTheMatricesIfTheNameIsMissingOrWrong() {
        var file = safetensors("[2]", "[2,1]", "[2,1,1]");
        assertRefused(file, "", 0, "matrices: a, b (expected: exactly one, or the name of one)");
        assertRefused(file, "d\n", 0, "d\\n: missing (expected: one of its matrices: a, b)");
        assertRefused(safetensors("[2,1,1]"), "", 0, "matrices: none (expected: exactly one, or the name of one)");
        assertRefused(floats(MATRIX, NUMBERS), "a", 0,
                "tensor a (expected: no name, as a NumPy file has one matrix)");
    }

    @Test
    void refusesOtherDimensions() {
        assertRefused(floats(MATRIX.replace("(2, 3)", "(1, 2, 3)"), NUMBERS), "", 0,
                "shape: [1, 2, 3] (expected: a matrix or a vector)");
        assertRefused(floats(MATRIX.replace("(2, 3)", "()"), 1), "", 0, "shape: [] (expected: a matrix or a vector)");
        assertRefused(safetensors("[2,1,1]"), "a", 0, "a: shape: [2, 1, 1] (expected: a matrix or a vector)");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 2, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void refusesRowsOutOfRange(int row) {
        assertRefused(floats(MATRIX, NUMBERS), "", row,
                "row: %d (expected: at least 0 and below 2, the number of rows)".formatted(row));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'<i4'", "'|b1'", "'<c8'", "'|O'", "'<f16'", "'|V2'", "'=f4'", "'f4'", "[('x', '<f4')]"})
    void refusesElementsOfOtherTypes(String dtype) {
        assertRefused(floats(MATRIX.replace("'<f4'", dtype), NUMBERS), "", 0,
                "dtype: " + dtype + " (expected: '<f2', '<f4', '<f8', '>f2', '>f4' or '>f8')");
    }

    @Test
    void refusesWholeNumbersOfSafetensors() {
        var header = "{\"ids\":{\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[0,8]}}";
        assertRefused(write("v", TestFiles.safetensors(header, new byte[8])), "", 0,
                "ids: dtype: I64 (expected: F32, F16, BF16 or F64)");
    }

    @ParameterizedTest
    @CsvSource({"F16,2,NaN", "F32,4,-Infinity", "F64,8,NaN", "F64,8,1.0E300", "F64,8,-3.5E38"})
    void refusesNumbersThatAreNotFiniteInTheRow(String dtype, int bytes, double number) {
        var numbers = NUMBERS.clone();
        numbers[4] = number;
        var file = write("m.npy",
                npy(1, MATRIX.replace("<f4", "<f" + bytes), elements(dtype, '<', numbers)));
        assertRefused(file, "", 1,
                "row 1: number 1: %s (expected: a finite one in single precision)".formatted(number));
        assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, -2, 0.5f);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "'shape': (2, 3)        | 'shape': (2, -3)",
            "'shape': (2, 3)        | 'shape': (2, 3.0)",
            "'shape': (2, 3)        | 'shape': (2 3)",
            "'shape': (2, 3)        | 'shape': (2,,3)",
            "'shape': (2, 3)        | 'shape': (1000000000000000000, 3)", // sizes have at most 18 digits
            "'shape': (2, 3)        | 'shape': [2, 3]",
            "'shape': (2, 3)        | 'shape': 'x'",
            "'shape': (2, 3)        | 'shap': (2, 3)",
            "'shape': (2, 3)        | 'more': (2, 3)",
            ", 'shape': (2, 3)      | ''",
            "'fortran_order': False | 'fortran_order': 0",
            "'fortran_order': False | 'fortran_order': False 'shape': (3, 2)",
            "'fortran_order': False | 'fortran_order': False, 'shape': (3, 2)",
            ", }                    | , ",
            "{'descr'               | 'descr'",
    })
    void refusesADamagedHeader(String good, String bad) {
        assertThat(MATRIX).contains(good);
        var header = MATRIX.replace(good, bad);
        assertThatThrownBy(() -> MatrixFile.row(floats(header, NUMBERS), "", 0))
                .isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.resolve("m.npy") + ": header: ").hasMessageEndingWith(
                        " (expected: descr, fortran_order and shape, as numpy.save writes them; is it damaged?)");
    }

    @Test
    void refusesAnotherVersion() {
        for (int version : new int[] {0, 4, 255}) {
            assertRefused(write("m.npy", npy(version, MATRIX, new byte[24])), "", 0,
                    "version %d.0 of the NumPy format (expected: 1.0, 2.0 or 3.0)".formatted(version));
        }
        var minor = npy(1, MATRIX, new byte[24]);
        minor[7] = 1;
        assertRefused(write("m.npy", minor), "", 0, "version 1.1 of the NumPy format (expected: 1.0, 2.0 or 3.0)");
    }

    @Test
    void refusesAHeaderBeyondTheFile() {
        var first = npy(1, MATRIX, new byte[24]);
        first[9] = (byte) 0xff;
        assertRefused(write("m.npy", first), "", 0,
                "header of 65398 bytes (expected: at most 142, as the file has 152; is the file complete?)");
        var second = npy(2, MATRIX, new byte[24]);
        Arrays.fill(second, 8, 12, (byte) 0xff);
        assertRefused(write("m.npy", second), "", 0,
                "header of 4294967295 bytes (expected: at most 140, as the file has 152; is the file complete?)");
        second = npy(2, MATRIX, new byte[20_000]);
        second[9] = 0x40;
        assertRefused(write("m.npy", second), "", 0,
                "header of 16500 bytes (expected: at most 10000, as the file has 20128; is the file complete?)");
    }

    @Test
    void refusesEveryTruncationAndAnyByteMore() {
        for (int version = 1; version <= 3; version++) {
            var whole = npy(version, MATRIX, elements("F32", '<', NUMBERS));
            for (int length = 0; length <= whole.length + 1; length++) {
                var file = write("m.npy", Arrays.copyOf(whole, length));
                if (length == whole.length) {
                    assertThat(MatrixFile.row(file, "", 0)).containsExactly(1, -2, 0.5f);
                } else {
                    assertThatThrownBy(() -> MatrixFile.row(file, "", 0)).as("%d bytes", length)
                            .isInstanceOf(InvalidModelException.class).hasMessageMatching(
                                    ".*(is the file complete\\?|another format, or damaged \\(expected: .*)\\)");
                }
            }
        }
        assertRefused(write("m.npy", npy(1, MATRIX, new byte[23])), "", 0,
                "23 bytes of data (expected: those of [2, 3] elements of 32 bits; is the file complete?)");
    }

    /** Products of sizes that overflow to the right number of bytes, or to any other. */
    @ParameterizedTest
    @ValueSource(strings = {"(999999999999999999, 4)", "(4611686018427387, 4000)", "(281474976710656, 65536)",
            "(576460752303423488, 32)", "(999999999999999999, 999999999999999999, 0)"})
    void refusesShapesWhoseSizeOverflows(String shape) {
        var file = floats(MATRIX.replace("(2, 3)", shape), 0, 0);
        assertThatThrownBy(() -> MatrixFile.row(file, "", 0)).isInstanceOf(InvalidModelException.class)
                .hasMessage("%s: 8 bytes of data (expected: those of %s elements of 32 bits; is the file complete?)",
                        file, shape.replace('(', '[').replace(')', ']'));
        var other = safetensors(shape.replace('(', '[').replace(')', ']'));
        assertThatThrownBy(() -> MatrixFile.row(other, "", 0)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("a: data_offsets: [0,8] (expected: the bytes of ");
    }

    @Test
    void refusesRowsOfAMatrixWithoutRowsAndReadsEmptyRows() {
        assertRefused(floats(MATRIX.replace("(2, 3)", "(0, 999999999999999999)")), "", 0,
                "row: 0 (expected: at least 0 and below 0, the number of rows)");
        assertThat(MatrixFile.row(floats(MATRIX.replace("(2, 3)", "(9, 0)")), "", 7)).isEmpty();
    }

    @Test
    void refusesMissingAndOtherFiles() throws IOException {
        assertRefused(folder.resolve("absent.npy"), "", 0, "missing (expected: a NumPy or safetensors file)");
        assertRefused(folder, "", 0, "a directory (expected: a regular file)");
        for (var text : new String[] {"", "1 2 3\n4 5 6\n", "PK\3\4vectors.npz", "\u0093NUMPX\1\0"}) {
            assertRefused(write("m.npy", text.getBytes(StandardCharsets.ISO_8859_1)), "", 0,
                    "another format, or damaged (expected: a file of numpy.save or safetensors)");
        }
    }

    /** A sparse file of 12 GB, more than the heap: one row is read from its end. */
    @Test
    void readsARowOfAFileThatDoesNotFitOnTheHeap() throws IOException {
        var file = write("m.npy", npy(1, MATRIX.replace("(2, 3)", "(30000000, 100)"), new byte[0]));
        long begin = Files.size(file);
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(begin + 12_000_000_000L);
            sparse.seek(begin + 29_999_999L * 400);
            sparse.write(elements("F32", '<', NUMBERS));
        }
        var row = MatrixFile.row(file, "", 29_999_999);
        assertThat(row).hasSize(100).startsWith(1, -2, 0.5f, 3, 96, -0.15625f);
        assertThat(row[6]).isZero();
    }

    @Test
    void refusesRowsThatAreTooWide() throws IOException {
        var file = write("m.npy", npy(1, MATRIX.replace("(2, 3)", "(1, 16777217)"), new byte[0]));
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(sparse.length() + 4L * 16_777_217);
        }
        assertRefused(file, "", 0, "shape: [1, 16777217] (expected: rows of at most 16777216 numbers)");
    }

    /** Bytes of a good file changed at random: a row is read, or refused in one sentence. */
    @Test
    void neverThrowsAnythingElse() {
        var whole = npy(1, MATRIX, elements("F32", '<', NUMBERS));
        int header = 10 + MATRIX.length(); // else most changes meet the padding or the data
        assertThat(Fuzz.run("headers of NumPy files", 300, random -> {
            var spoilt = new ByteArrayOutputStream();
            spoilt.writeBytes(Fuzz.spoilt(Arrays.copyOf(whole, header), random));
            spoilt.write(whole, header, whole.length - header);
            var file = write("m.npy", spoilt.toByteArray());
            try {
                assertThat(MatrixFile.row(file, "", 0)).hasSizeBetween(0, 6);
                return "read";
            } catch (InvalidModelException refused) {
                assertThat(refused.getMessage()).startsWith(file + ": ").doesNotContain("\n").hasSizeLessThan(1_000);
                return "refused";
            }
        })).containsKeys("read", "refused");
    }
}
