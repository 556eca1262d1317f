package org.lmdebugger.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.device.ElementType;

class WeightsTest {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String TWO = """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},\
            "b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}}""";
    private static final byte[] DATA = {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, (byte) 0xc0, 0, 0x3c, 0, 0x40, 0, 0x42};

    @TempDir
    private Path folder;

    private Weights open(String header, byte... data) {
        TestFiles.write(folder.resolve("model.safetensors"), TestFiles.safetensors(header, data));
        return Weights.open(folder, false);
    }

    private void assertRefused(String header, byte[] data, String message) {
        assertThatThrownBy(() -> open(header, data)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.resolve("model.safetensors") + ": ").hasMessageContaining(message);
    }

    @Test
    void givesTensorsInPlaceAndReadOnly() {
        try (var tensors = open(TWO, DATA)) {
            var a = tensors.get("a", 1, 2);
            assertThat(a.type()).isEqualTo(ElementType.F32);
            assertThat(a.data().get(F32, 0)).isEqualTo(1f);
            assertThat(a.data().get(F32, 4)).isEqualTo(-2f);
            assertThat(a.data().isMapped()).isTrue();
            assertThat(a.data().isReadOnly()).isTrue();
            var b = tensors.get("b", 3);
            assertThat(b.type()).isEqualTo(ElementType.F16);
            assertThat(b.data().address()).isEqualTo(a.data().address() + 8);
            assertThat(b.data().byteSize()).isEqualTo(6);
            assertThat(b.shape()).isEqualTo(List.of(3L));
        }
    }

    @Test
    void readsTheModelsAtHand() {
        try (var sample = Weights.open(TestFiles.sample(), false);
                var tarot = Weights.open(TestFiles.shared("models/tarot"), false)) {
            assertThat(sample.get("wte.weight", 8192, 192).type()).isEqualTo(ElementType.F16);
            assertThat(tarot.get("h.3.mlp.c_proj.weight", 512, 128).type()).isEqualTo(ElementType.F32);
        }
    }

    @Test
    void findsNamesWithTheirPrefixBeforeThoseWithout() {
        try (var tensors = open(TWO.replace("\"a\"", "\"transformer.b\""), DATA)) {
            assertThat(tensors.get("b", 1, 2).name()).isEqualTo("transformer.b");
            assertThat(tensors.unread()).containsExactly("b");
        }
    }

    @Test
    void tellsWhatNobodyHasRead() {
        try (var tensors = open(TWO, DATA)) {
            assertThat(tensors.unread()).containsExactly("a", "b");
            tensors.get("b", 3);
            assertThat(tensors.unread()).containsExactly("a");
            assertThat(tensors.contains("a")).isTrue();
            assertThat(tensors.contains("c")).isFalse();
        }
    }

    /** Buffers of other types, such as causal masks, are there to be left alone. */
    @Test
    void leavesUnknownBuffersAlone() {
        try (var tensors = open("""
                {"h.0.attn.bias":{"dtype":"BOOL","shape":[2,1],"data_offsets":[0,2]},\
                "h.0.attn.masked_bias":{"dtype":"F64","shape":[],"data_offsets":[2,10]},\
                "none":{"dtype":"F32","shape":[0,7],"data_offsets":[10,10]},\
                "w":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]}}""", new byte[12])) {
            assertThat(tensors.get("w", 1).type()).isEqualTo(ElementType.BF16);
            assertThat(tensors.get("none", 0, 7).data().byteSize()).isZero();
            assertThatThrownBy(() -> tensors.get("h.0.attn.bias", 2, 1)).isInstanceOf(InvalidModelException.class)
                    .hasMessageEndingWith(
                            "model.safetensors: h.0.attn.bias: dtype: BOOL (expected: F32, F16, BF16 or F64)");
        }
    }

    @Test
    void saysWhatWasFoundAndExpected() {
        try (var tensors = open(TWO, DATA)) {
            assertThatThrownBy(() -> tensors.get("a", 2, 1)).isInstanceOf(InvalidModelException.class)
                    .hasMessageEndingWith("model.safetensors: a: shape: [1, 2] (expected: [2, 1], not transposed)");
            assertThatThrownBy(() -> tensors.get("a", 2))
                    .hasMessageEndingWith("model.safetensors: a: shape: [1, 2] (expected: [2])");
            assertThatThrownBy(() -> tensors.get("c", 7)).isInstanceOf(InvalidModelException.class)
                    .hasMessage(folder + ": c: missing (expected: a tensor of shape [7])");
        }
        try (var tensors = open(TWO.replace("\"a\"", "\"module.transformer.a\""), DATA)) {
            assertThatThrownBy(() -> tensors.get("a", 1, 2))
                    .hasMessage(folder
                            + ": a: missing (expected: a tensor of shape [1, 2]; there is module.transformer.a)");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "[8,14] | [6,12]   | b: data_offsets: [6, 12] (expected: to begin at 8",
            "[8,14] | [0,6]    | a: data_offsets: [0, 8] (expected: to begin at 6",
            "[8,14] | [10,16]  | b: data_offsets: [10,16] (expected: [begin, end] in 14 bytes of data; is the download",
            "[0,8]  | [-8,0]   | a: data_offsets: [-8,0] (expected: [begin, end]",
            "[0,8]  | [8,0]    | a: data_offsets: [8,0] (expected: [begin, end]",
            "[0,8]  | [0,7]    | a: data_offsets: [0,7] (expected: the bytes of [1, 2] elements of F32)",
            "[0,8]  | [0.0,8]  | a: data_offsets: [0.0,8] (expected: [begin, end]",
            "[0,8]  | [0,8,9]  | a: data_offsets: [0,8,9] (expected: [begin, end]",
            "[0,8]  | 7        | a: data_offsets: 7 (expected: [begin, end]",
            "[1,2]  | [1,3]    | a: data_offsets: [0,8] (expected: the bytes of [1, 3] elements of F32)",
            "[1,2]  | [-1,-2]  | a: shape: [-1,-2] (expected: an array of sizes",
            "[1,2]  | [1.0,2]  | a: shape: [1.0,2] (expected: an array of sizes",
            "[1,2]  | 2        | a: shape: 2 (expected: an array of sizes",
            "[1,2]  | [4611686018427387904,4] | a: data_offsets: [0,8] (expected: the bytes of",
            "[1,2]  | [99999999999999999999]  | a: shape: [99999999999999999999] (expected: an array",
            "F32    | F31      | a: dtype: \"F31\" (expected: a type of the safetensors format)",
            "\"dtype\":\"F32\", | '' | a: dtype: missing (expected: a type",
            "\"b\"  | \"a\"    | not JSON: Duplicate field 'a'",
            "\"b\"  | b        | not JSON",
            "}}     | }        | not JSON",
    })
    void refusesAWrongHeader(String good, String bad, String message) {
        assertThat(TWO).contains(good);
        assertRefused(TWO.replace(good, bad), DATA, message);
    }

    @Test
    void refusesDataThatNoTensorOwns() {
        assertRefused(TWO, new byte[15], "15 bytes of data (expected: 14, where the last tensor ends)");
        assertRefused(TWO.replace("[8,14]", "[9,15]"), new byte[15],
                "b: data_offsets: [9, 15] (expected: to begin at 8,");
        assertRefused("{}", new byte[1], "1 bytes of data (expected: 0");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 100_000_001, 400})
    void refusesAHeaderBeyondTheFile(long length) {
        var bytes = TestFiles.safetensors(TWO, DATA);
        for (int i = 0; i < 8; i++) {
            bytes[i] = (byte) (length >>> 8 * i);
        }
        var file = TestFiles.write(folder.resolve("model.safetensors"), bytes);
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith("%s: header of %s bytes (expected: at most", file,
                        Long.toUnsignedString(length));
    }

    /** Every shorter file is refused, and the message says that it is too short wherever that can be known. */
    @Test
    void refusesEveryTruncation() {
        var whole = TestFiles.safetensors(TWO, DATA);
        for (int length = 0; length < whole.length; length++) {
            TestFiles.write(folder.resolve("model.safetensors"), Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Weights.open(folder, false)).as("%d bytes", length)
                    .isInstanceOf(InvalidModelException.class).hasMessageContaining("is the download complete?");
        }
    }

    /** Bytes of a good file changed, cut and inserted at random: a file is read, or refused with the one exception. */
    @Test
    @Tag("slow")
    void neverThrowsAnythingElse() {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            var bytes = mutated(TestFiles.safetensors(TWO, DATA), random);
            TestFiles.write(folder.resolve("model.safetensors"), bytes);
            try (var tensors = Weights.open(folder, false)) {
                assertThat(tensors).isNotNull();
            } catch (InvalidModelException expected) {
                refused++;
            } catch (Throwable failure) {
                throw new AssertionError("seed %d, round %d: %s".formatted(seed, round, Arrays.toString(bytes)),
                        failure);
            }
        }
        assertThat(refused).isGreaterThan(15_000); // else the mutations no longer reach the header
    }

    private static byte[] mutated(byte[] bytes, Random random) {
        var interesting = "\"[]{},:-0123456789eE.\\u00".getBytes();
        for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] = (byte) random.nextInt(256);
                case 1 -> bytes[8 + random.nextInt(bytes.length - 8)] = interesting[random.nextInt(interesting.length)];
                case 2 -> bytes = Arrays.copyOf(bytes, Math.max(9, at));
                default -> {
                    var copy = bytes.clone();
                    System.arraycopy(bytes, 0, copy, at, Math.min(bytes.length - at, random.nextInt(bytes.length)));
                    bytes = copy;
                }
            }
        }
        return bytes;
    }

    @Test
    void joinsTheFilesOfAnIndex() {
        TestFiles.write(folder.resolve("m-1.safetensors"), TestFiles.safetensors(TWO, DATA));
        TestFiles.write(folder.resolve("m-2.safetensors"), TestFiles.safetensors(
                "{\"c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", new byte[4]));
        index("m-1.safetensors", "m-2.safetensors", "m-1.safetensors");
        try (var tensors = Weights.open(folder, false)) {
            assertThat(tensors.get("a", 1, 2).file()).hasFileName("m-1.safetensors");
            assertThat(tensors.get("c", 1).file()).hasFileName("m-2.safetensors");
        }
        TestFiles.write(folder.resolve("m-2.safetensors"), TestFiles.safetensors(TWO, DATA));
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("m-2.safetensors: a: also in " + folder.resolve("m-1.safetensors"));
    }

    private void index(String... files) {
        var map = new StringBuilder();
        for (var file : files) {
            map.append(map.isEmpty() ? "" : ",").append("\"t%d\":\"%s\"".formatted(map.length(), file));
        }
        TestFiles.write(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{" + map + "}}");
    }

    @Test
    void refusesAnIndexThatLeadsAstray() {
        for (var name : List.of("../other.safetensors", "/etc/passwd", "..", "a/b", "a\\\\b", ".hidden", "")) {
            index(name);
            assertThatThrownBy(() -> Weights.open(folder, false)).as(name).isInstanceOf(InvalidModelException.class)
                    .hasMessageContaining("(expected: the name of a file beside it)");
        }
        index();
        assertThatThrownBy(() -> Weights.open(folder, false)).hasMessageContaining("weight_map: empty or missing");
        index("absent.safetensors");
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class)
                .hasMessage(folder.resolve("absent.safetensors") + ": missing (is the download complete?)");
    }

    @Test
    void saysThatThereAreNoWeights() {
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder + ": no weights (expected: model.safetensors or model.safetensors");
    }

    /** Opening a pipe waits for somebody who writes to it. */
    @Test
    void refusesWhatIsNoRegularFile() throws Exception {
        index("part");
        Files.createDirectory(folder.resolve("part"));
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class)
                .hasMessage(folder.resolve("part") + ": a directory (expected: a regular file)");
        Files.delete(folder.resolve("part"));
        assertThat(new ProcessBuilder("mkfifo", folder.resolve("part").toString()).start().waitFor()).isZero();
        assertTimeoutPreemptively(Duration.ofMinutes(1), () -> {
            for (var copy : new boolean[] {true, false}) {
                assertThatThrownBy(() -> Weights.open(folder, copy)).isInstanceOf(InvalidModelException.class)
                        .hasMessage(
                                folder.resolve("part") + ": a pipe, a socket or a device (expected: a regular file)");
            }
            assertThatThrownBy(() -> JsonFiles.read(folder.resolve("part"))).hasMessageContaining("a pipe");
        });
    }

    @Test
    void saysHowToGetAFileThatGitLfsStandsFor() {
        var file = TestFiles.write(folder.resolve("model.safetensors"),
                "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 548105171\n"
                        .formatted("0".repeat(64)));
        assertThatThrownBy(() -> Weights.open(folder, false)).isInstanceOf(InvalidModelException.class).hasMessage(
                file + ": a Git LFS pointer (expected: the file of 548105171 bytes that it stands for; fetch it with: git lfs pull)");
    }

    @Test
    void copiesAreIndependentOfTheFile() {
        TestFiles.write(folder.resolve("model.safetensors"), TestFiles.safetensors(TWO, DATA));
        try (var tensors = Weights.open(folder, true)) {
            TestFiles.write(folder.resolve("model.safetensors"), "");
            assertThat(tensors.get("a", 1, 2).data().get(F32, 4)).isEqualTo(-2f);
            assertThat(tensors.get("a", 1, 2).data().isReadOnly()).isTrue();
        }
    }

    @Test
    void isReadByAnyThreadUntilItIsClosed() throws Exception {
        var tensors = open(TWO, DATA);
        var data = tensors.get("a", 1, 2).data();
        assertThat(CompletableFuture.supplyAsync(() -> data.get(F32, 0)).get()).isEqualTo(1f);
        tensors.close();
        tensors.close();
        assertThatThrownBy(() -> data.get(F32, 0)).isInstanceOf(IllegalStateException.class);
        Files.delete(folder.resolve("model.safetensors"));
    }
}
