package org.lmdebugger.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights as {@code torch.save} writes them: files that PyTorch made, and pickles that it would not. */
class TorchFileTest {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** A dictionary of one tensor [2, 2] over storage 0, of 4 floats; % stands for what is put in between. */
    private static final String STATE = "\u0080\u0002}(X\u0001\0\0\0wctorch._utils\n_rebuild_tensor_v2\n"
            + "((X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\u00000X\u0003\0\0\0cpuK\u0004tQ"
            + "K\0K\u0002K\u0002\u0086K\u0002K\u0001\u0086\u0089N%tRu.";

    @TempDir
    private Path folder;

    private Weights open() {
        return Weights.open(folder, false);
    }

    private static float[] floats(StoredTensor tensor) {
        return tensor.data().toArray(F32);
    }

    @ParameterizedTest
    @ValueSource(strings = {"zip.bin", "legacy.bin"})
    void readsWhatPyTorchWrote(String name) throws IOException {
        var bytes = resource(name);
        TestFiles.write(folder.resolve("pytorch_model.bin"), bytes);
        try (var weights = open()) {
            var x = weights.get("f32", 2, 3);
            assertThat(x.dtype()).isEqualTo("F32");
            assertThat(floats(x)).containsExactly(0, 1, 2, 3, 4, 5);
            assertThat(x.data().isMapped()).isTrue();
            assertThat(x.data().isReadOnly()).isTrue();
            assertThat(weights.get("tied", 2, 3).data().address()).isEqualTo(x.data().address());
            assertThat(weights.get("row", 3).data().address()).isEqualTo(x.data().address() + 12);
            assertThat(floats(weights.get("transposed", 3, 2))).containsExactly(0, 3, 1, 4, 2, 5);
            assertThat(floats(weights.get("expanded", 2, 3))).containsExactly(0, 1, 2, 0, 1, 2);
            assertThat(floats(weights.get("parameter", 2, 3))).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(weights.get("f16", 2, 3).data().toArray(ValueLayout.JAVA_SHORT_UNALIGNED))
                    .containsExactly(0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500);
            assertThat(weights.get("bf16", 2, 3).data().toArray(ValueLayout.JAVA_SHORT_UNALIGNED))
                    .containsExactly(0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0);
            assertThat(weights.contains("f64")).isTrue();
            assertThat(weights.get("empty", 0, 4).data().byteSize()).isZero();
            assertThat(weights.contains("steps")).isFalse();
            assertThatThrownBy(() -> weights.get("mask", 2, 2)).hasMessageContaining("mask: dtype: BOOL (expected: ");
        }
    }

    private static byte[] resource(String name) throws IOException {
        try (var in = TorchFileTest.class.getResourceAsStream("/torch/" + name)) {
            return in.readAllBytes();
        }
    }

    @Test
    void safetensorsGoFirstAndPartsAreJoined() throws IOException {
        zip("part-1.bin", STATE.replace("%", "}"), floats(1, 2, 3, 4));
        zip("part-2.bin", STATE.replace("\0\0\0w", "\0\0\0v").replace("%", "}"), floats(5, 6, 7, 8));
        TestFiles.write(folder.resolve("pytorch_model.bin.index.json"),
                "{\"weight_map\": {\"w\": \"part-1.bin\", \"v\": \"part-2.bin\"}}");
        try (var weights = open()) {
            assertThat(floats(weights.get("w", 2, 2))).containsExactly(1, 2, 3, 4);
            assertThat(floats(weights.get("v", 2, 2))).containsExactly(5, 6, 7, 8);
        }
        TestFiles.write(folder.resolve("model.safetensors"), TestFiles.safetensors("{}"));
        try (var weights = open()) {
            assertThat(weights.contains("w")).isFalse();
        }
    }

    private static byte[] floats(float... values) {
        var bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return bytes.array();
    }

    private void zip(String name, String pickle, byte[]... storages) {
        zip(name, ZipEntry.STORED, pickle, storages);
    }

    private void zip(String name, int method, String pickle, byte[]... storages) {
        var bytes = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(bytes)) {
            entry(zip, method, "model/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
            for (int i = 0; i < storages.length; i++) {
                entry(zip, method, "model/data/" + i, storages[i]);
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        TestFiles.write(folder.resolve(name), bytes.toByteArray());
    }

    private static void entry(ZipOutputStream zip, int method, String name, byte[] content) throws IOException {
        var entry = new ZipEntry(name);
        var crc = new CRC32();
        crc.update(content);
        entry.setMethod(method);
        entry.setCrc(crc.getValue());
        entry.setSize(content.length);
        zip.putNextEntry(entry);
        zip.write(content);
    }

    private void assertRefused(String pickle, String message) {
        zip("pytorch_model.bin", pickle, floats(1, 2, 3, 4));
        assertThatThrownBy(this::open).as(pickle).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.resolve("pytorch_model.bin") + ": ").hasMessageContaining(message);
    }

    /** Each of these makes something run when Python reads it, wherever it stands. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "cos\\nsystem\\n(X\\4\\0\\0\\0exittR          | os.system: not loaded",
            "cposix\\nsystem\\n                          | posix.system: not loaded",
            "cbuiltins\\neval\\n                         | builtins.eval: not loaded",
            "c__builtin__\\nBaseException\\n             | __builtin__.BaseException: not loaded",
            "cexceptions\\nException\\n                  | exceptions.Exception: not loaded",
            "cdatetime\\ndatetime\\n                     | datetime.datetime: not loaded",
            "ctorch\\nload\\n                            | torch.load: not loaded",
            "ctorch._utils\\n_rebuild_tensor\\n          | torch._utils._rebuild_tensor: not loaded",
            "ctorch._utils._rebuild_tensor_v2\\n\\n      | torch._utils._rebuild_tensor_v2.: not loaded",
            "\\214\\2os\\214\\6system\\223               | os.system: not loaded",
            "(ios\\nsystem\\n                            | os.system: not loaded",
            "(icollections\\nOrderedDict\\n              | opcode INST: not loaded",
            "(ccollections\\nOrderedDict\\no             | opcode 0x6f: not loaded",
            "ccollections\\nOrderedDict\\n)\\201         | opcode 0x81: not loaded",
            "ccollections\\nOrderedDict\\n)}\\222        | opcode 0x92: not loaded",
            "\\202\\1                                    | opcode 0x82: not loaded",
            "\\203\\1\\0                                 | opcode 0x83: not loaded",
            "\\204\\1\\0\\0\\0                           | opcode 0x84: not loaded",
            "Pstorage\\n                                 | opcode 0x50: not loaded",
            "X\\4\\0\\0\\0fileQ                          | a persistent id of another kind",
            "(X\\6\\0\\0\\0moduleNNNNtQ                  | a persistent id of another kind",
            "\\226\\377\\377\\377\\377\\377\\377\\377\\177 | opcode 0x96: not loaded",
            "X\\377\\377\\377\\177                       | damaged pickle",
            "}}Ns                                        | a key of another kind",
            "}(}Nu                                       | a key of another kind",
            "NK\\1R                                      | damaged pickle",
    })
    void refusesWhatIsNoTensorByName(String escaped, String message) {
        var attack = escaped.translateEscapes();
        assertRefused("\u0080\u0004" + attack + ".", message);
        assertRefused(STATE.replace("%", attack), message); // deep within a tensor's arguments
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "K\\2K\\2\\206K\\2K\\1\\206 | K\\3K\\2\\206K\\2K\\1\\206 | beyond the file's end",
            "K\\2K\\2\\206K\\2K\\1\\206 | K\\2K\\2\\206K\\3K\\1\\206 | beyond the file's end",
            "K\\2K\\2\\206K\\2K\\1\\206 | K\\2K\\2\\206K\\2\\205     | beyond the file's end",
            "K\\2K\\2\\206K\\2K\\1\\206 | J\\377\\377\\377\\377K\\2\\206K\\2K\\1\\206 | beyond the file's end",
            "K\\2K\\2\\206K\\2K\\1\\206 | \\212\\010\\377\\377\\377\\377\\377\\377\\377\\177K\\2\\206K\\0K\\1\\206 | beyond the file's end",
            "K\\2K\\2\\206K\\2K\\1\\206 | M\\377\\377K\\2\\206K\\0K\\1\\206 | strides [0, 1] of shape [65535, 2]: more than the file holds",
            "K\\4tQ                     | K\\5tQ                     | beyond the file's end",
            "FloatStorage               | DoubleStorage              | beyond the file's end",
            "X\\1\\0\\0\\0000           | X\\1\\0\\0\\0001           | storage 1: missing",
            "FloatStorage               | UntypedStorage             | torch.UntypedStorage: not loaded",
    })
    void refusesTensorsThatAreNotThere(String good, String bad, String message) {
        var pickle = STATE.replace("%", "}");
        assertThat(pickle).contains(good.translateEscapes());
        assertRefused(pickle.replace(good.translateEscapes(), bad.translateEscapes()), message);
    }

    /** Dictionaries that hold each other twice, 200 deep: whoever walked through them would never end. */
    @Test
    void isNotHeldUpByWhatRefersToItselfOftenOver() {
        var pickle = new StringBuilder("\u0080\u0002}q\0");
        for (int i = 0; i < 200; i++) {
            pickle.append("}(K\u0001h").append((char) i).append("K\u0002h").append((char) i).append("uq")
                    .append((char) (i + 1));
        }
        zip("pytorch_model.bin", pickle + ".");
        try (var weights = open()) {
            assertThat(weights.contains("w")).isFalse();
        }
    }

    @Test
    void refusesOtherFiles() throws IOException {
        zip("pytorch_model.bin", ZipEntry.DEFLATED, STATE.replace("%", "}"), floats(1, 2, 3, 4));
        assertThatThrownBy(this::open).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("model/data.pkl: compressed or encrypted (expected: neither");
        assertRefused("\u0080\u0002].", "no dictionary (expected: tensors by name");
        TestFiles.write(folder.resolve("pytorch_model.bin"),
                "\u0080\u0002K\u0001.".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(this::open).hasMessageContaining("not a file that torch.save wrote");
        TestFiles.write(folder.resolve("pytorch_model.bin"), "PK\3\4");
        assertThatThrownBy(this::open).isInstanceOf(InvalidModelException.class).hasMessageContaining("damaged zip");
        Files.write(folder.resolve("pytorch_model.bin"), new byte[0]);
        assertThatThrownBy(this::open).isInstanceOf(InvalidModelException.class).hasMessageContaining("damaged pickle");
    }

    /** Bytes of good files changed, cut and inserted at random: a file is read, or refused with the one exception. */
    @ParameterizedTest
    @ValueSource(strings = {"zip.bin", "legacy.bin"})
    @Tag("slow")
    void neverThrowsAnythingElse(String name) throws IOException {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        var good = resource(name);
        int refused = 0;
        for (int round = 0; round < 2_000; round++) {
            var bytes = good.clone();
            for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            bytes = random.nextInt(4) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
            TestFiles.write(folder.resolve("pytorch_model.bin"), bytes);
            try (var weights = open()) {
                assertThat(weights).isNotNull();
            } catch (InvalidModelException expected) {
                refused++;
            } catch (Throwable failure) {
                throw new AssertionError("seed %d, round %d".formatted(seed, round), failure);
            }
        }
        assertThat(refused).isBetween(500, 1_999);
    }
}
