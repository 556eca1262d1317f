package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.Fuzz;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.LoadOptions;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * Spoilt files of the sample model. Each is refused in one line, warned of, or gives the same numbers to the bit,
 * unless it says something else in a way that nobody can tell from what was meant.
 */
@Tag("slow")
class ModelFilesFuzzTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PROMPT = "Once upon a time there was a little";
    private static final String SAME = "same numbers";
    private static final String REFUSED = "refused";
    private static final String WARNED = "warned of";
    private static final String OTHER = "other numbers";

    @AutoClose
    private static final Device device = Devices.open("cpu");
    private static byte[] weights;
    private static String config;
    private static String texts;
    private static int[] ids;
    private static List<Float> logits;

    @TempDir
    private Path folder;

    @BeforeAll
    static void open() throws IOException {
        var sample = TestModels.files("sample").directory();
        weights = Files.readAllBytes(sample.resolve("model.safetensors"));
        config = Files.readString(sample.resolve("config.json"));
        var tokenizer = Tokenizer.read(sample, 8192);
        texts = tokenizer.decode(IntStream.range(0, tokenizer.size()).toArray()); // all merges, no special token
        ids = tokenizer.encode(texts);
        logits = logits(sample, new ArrayList<>());
    }

    @BeforeEach
    void copy() throws IOException {
        try (var files = Files.list(TestModels.files("sample").directory())) {
            for (var file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
    }

    private static List<Float> logits(Path directory, List<String> warnings) {
        try (var model = Gpt2.load(new ModelFiles("spoilt", directory), device, new LoadOptions(false, warnings::add));
                var run = new Debugger(model).run(PROMPT); var logits = run.logits()) {
            var floats = logits.toFloats();
            return IntStream.range(0, floats.length).mapToObj(i -> floats[i]).toList();
        }
    }

    private interface Reading {
        boolean isSame(List<String> warnings) throws IOException;
    }

    private String outcome(Reading reading) throws IOException {
        var warnings = new ArrayList<String>();
        try {
            return reading.isSame(warnings) ? SAME : warnings.isEmpty() ? OTHER : WARNED;
        } catch (InvalidModelException refused) {
            assertThat(refused.getMessage()).contains(folder.toString()).doesNotContain("\n").hasSizeLessThan(1_000);
            return REFUSED;
        }
    }

    private String load() throws IOException {
        return outcome(warnings -> logits(folder, warnings).equals(logits));
    }

    private String tokenize() throws IOException {
        return outcome(warnings -> {
            var tokenizer = Tokenizer.read(folder, 8192);
            warnings.addAll(tokenizer.warnings());
            return Arrays.equals(tokenizer.encode(texts), ids);
        });
    }

    @Test
    void headersOfWeights() {
        int length = 8 + Math.toIntExact(ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getLong());
        var header = Arrays.copyOfRange(weights, 0, length);
        assertThat(Fuzz.run("headers of safetensors", 150, random -> {
            var spoilt = Fuzz.spoilt(header, random);
            if (random.nextBoolean() && spoilt.length >= 8) { // else a change of length is noticed at once
                ByteBuffer.wrap(spoilt).order(ByteOrder.LITTLE_ENDIAN).putLong(spoilt.length - 8);
            }
            var file = new ByteArrayOutputStream();
            file.write(spoilt);
            file.write(weights, length, weights.length - length);
            Files.write(folder.resolve("model.safetensors"), file.toByteArray());
            var outcome = load();
            assertThat(outcome).isNotEqualTo(OTHER);
            return outcome;
        })).containsKey(REFUSED);
    }

    @Test
    void configurations() {
        assertThat(Fuzz.run("config.json", 200, random -> {
            var spoilt = random.nextBoolean() ? spoiltField(random)
                    : new String(Fuzz.spoilt(config.getBytes(StandardCharsets.UTF_8), random),
                            StandardCharsets.ISO_8859_1);
            Files.writeString(folder.resolve("config.json"), spoilt);
            var outcome = load();
            if (outcome.equals(OTHER)) {
                var now = JSON.readTree(spoilt);
                var meant = JSON.readTree(config);
                assertThat(List.of("n_head", "layer_norm_epsilon", "activation_function")).as(spoilt)
                        .anyMatch(field -> !now.path(field).equals(meant.path(field)));
            }
            return outcome;
        })).containsKeys(REFUSED, SAME);
    }

    private static String spoiltField(RandomGenerator random) throws IOException {
        var json = (ObjectNode) JSON.readTree(config);
        var fields = new ArrayList<>(List.of("n_inner", "tie_word_embeddings", "scale_attn_weights",
                "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention", "unknown"));
        json.fieldNames().forEachRemaining(fields::add);
        var field = fields.get(random.nextInt(fields.size()));
        var values = List.of("null", "true", "false", "0", "-1", "1", "2", "3", "5", "192", "768", "1e-5", "1e-12",
                "0.5", "1e308", "2147483648", "9223372036854775807", "16777216", "\"gelu\"", "\"gelu_new\"", "\"relu\"",
                "\"gpt2\"", "\"\"", "[]",
                "{}", "[\"GPT2Model\"]", "NaN");
        var value = values.get(random.nextInt(values.size()));
        json.put(field, "VALUE");
        return random.nextInt(4) == 0 ? json.without(field).toString() : json.toString().replace("\"VALUE\"", value);
    }

    private Map<String, Integer> tokenizerFile(String name, byte[] good) {
        return Fuzz.run(name, 100, random -> {
            var spoilt = Fuzz.spoilt(good, random);
            Files.write(folder.resolve(name), spoilt);
            var outcome = tokenize();
            if (outcome.equals(OTHER)) { // the order of merges is free
                assertThat(pieces(spoilt)).isEqualTo(pieces(good));
            }
            return outcome;
        });
    }

    private static Set<String> pieces(byte[] text) {
        return Set.copyOf(Arrays.asList(new String(text, StandardCharsets.UTF_8).replaceAll("[\\[\\]]", "")
                .split("[\n,]")));
    }

    @Test
    void vocabularies() throws IOException {
        assertThat(tokenizerFile("vocab.json", Files.readAllBytes(folder.resolve("vocab.json")))).containsKey(REFUSED);
    }

    @Test
    void merges() throws IOException {
        assertThat(tokenizerFile("merges.txt", Files.readAllBytes(folder.resolve("merges.txt")))).containsKey(REFUSED);
    }

    @Test
    void tokenizerJson() throws IOException {
        var json = JSON.createObjectNode();
        json.putObject("pre_tokenizer").put("type", "ByteLevel").put("add_prefix_space", false);
        json.putArray("added_tokens").addObject().put("id", 8191).put("content", "<|endoftext|>").put("special", true);
        var model = json.putObject("model").put("type", "BPE");
        model.set("merges", JSON.valueToTree(Files.readAllLines(folder.resolve("merges.txt")).stream()
                .filter(line -> !line.startsWith("#version")).toList()));
        model.set("vocab", JSON.readTree(folder.resolve("vocab.json").toFile()));
        Files.delete(folder.resolve("vocab.json"));
        Files.delete(folder.resolve("merges.txt"));
        Files.write(folder.resolve("tokenizer.json"), JSON.writeValueAsBytes(json));
        assertThat(tokenize()).isEqualTo(SAME);
        assertThat(tokenizerFile("tokenizer.json", JSON.writeValueAsBytes(json))).containsKey(REFUSED);
    }
}
