package org.lmdebugger.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.text.Shown;

/**
 * The shape of a GPT-2, and the variant of it.
 *
 * @param layers            number of blocks, L
 * @param heads             attention heads of a block
 * @param width             d, the width of the residual stream; a multiple of {@code heads}
 * @param feedForwardWidth  f, the number of value vectors of a layer; 4d unless the configuration says otherwise
 * @param positions         longest sequence
 * @param vocabularySize    V, the number of rows of the token embedding
 * @param epsilon           of the LayerNorms
 * @param activation        of the feed-forward layer
 * @param scaledByHeadSize  whether attention scores are divided by √(d/heads)
 * @param scaledByLayer     whether those of block l are divided by l+1
 * @param endTokens         ids of the tokens that end a text; often one, or none
 * @param tiedHead          whether the output embedding is the token embedding where the weights hold no head
 */
public record Gpt2Config(int layers, int heads, int width, int feedForwardWidth, int positions, int vocabularySize,
        float epsilon, Gelu activation, boolean scaledByHeadSize, boolean scaledByLayer,
        Set<Integer> endTokens, boolean tiedHead) {
    private static final Set<String> ARCHITECTURES = Set.of("GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel",
            "GPT2ForSequenceClassification", "GPT2ForTokenClassification", "GPT2ForQuestionAnswering");
    /** As transformers calls them; the tanh forms differ in the order of operations alone. */
    private static final Map<String, Gelu> ACTIVATIONS = Map.of("gelu_new", Gelu.TANH, "gelu_pytorch_tanh", Gelu.TANH,
            "gelu_fast", Gelu.TANH, "gelu_python_tanh", Gelu.TANH, "gelu_accurate", Gelu.TANH,
            "gelu", Gelu.ERF, "gelu_python", Gelu.ERF);
    private static final int LARGEST = 1 << 24; // keeps every product of two sizes within a long, and 4d within an int

    /** Returns the divisor of the products of queries and keys in block {@code layer}, before the softmax. */
    public double attentionDivisor(int layer) {
        int headSize = width / heads;
        return (scaledByHeadSize ? Math.sqrt(headSize) : 1) * (scaledByLayer ? layer + 1 : 1);
    }

    /**
     * Reads a {@code config.json} as transformers does: a field that is missing has GPT-2's value, and those that do
     * not change what GPT-2 computes are ignored. End tokens are those of a {@code generation_config.json} beside it,
     * if there is one.
     *
     * @throws InvalidModelException if it is missing, or of a model that computes anything but GPT-2's function; it
     *                               names the file, the field, its value and what was expected
     */
    public static Gpt2Config read(Path file) {
        return new Reader(file, JsonFiles.read(file)).config();
    }

    private record Reader(Path file, JsonNode json) {
        Gpt2Config config() {
            requireGpt2();
            if (flag("add_cross_attention", false)) {
                throw wrong("add_cross_attention", "false");
            }
            int width = size("n_embd", "hidden_size", 768);
            int heads = size("n_head", "num_attention_heads", 12);
            int vocabularySize = size("vocab_size", "vocab_size", 50257);
            if (width % heads != 0) {
                throw new InvalidModelException(
                        "%s: n_head: %d (expected: a divisor of n_embd, %d)".formatted(file, heads, width));
            }
            return new Gpt2Config(size("n_layer", "num_hidden_layers", 12), heads, width,
                    json.hasNonNull("n_inner") ? size("n_inner", "n_inner", 0) : 4 * width,
                    size("n_positions", "max_position_embeddings", 1024), vocabularySize, epsilon(), activation(),
                    flag("scale_attn_weights", true), flag("scale_attn_by_inverse_layer_idx", false),
                    endTokens(vocabularySize), flag("tie_word_embeddings", true));
        }

        private void requireGpt2() {
            if ((json.hasNonNull("model_type") || !json.hasNonNull("architectures"))
                    && !json.path("model_type").asText().equals("gpt2")) {
                throw wrong("model_type", "\"gpt2\"");
            }
            for (var architecture : json.path("architectures")) {
                if (!ARCHITECTURES.contains(architecture.asText())) {
                    throw wrong("architectures", oneOf(ARCHITECTURES));
                }
            }
        }

        private static String oneOf(Set<String> names) {
            return "one of " + String.join(", ", new TreeSet<>(names));
        }

        private Gelu activation() {
            var activation = ACTIVATIONS
                    .get(json.has("activation_function") ? json.get("activation_function").asText() : "gelu_new");
            if (activation == null) {
                throw wrong("activation_function", oneOf(ACTIVATIONS.keySet()));
            }
            return activation;
        }

        private boolean flag(String field, boolean byDefault) {
            var value = json.path(field);
            if (json.hasNonNull(field) && !value.isBoolean()) {
                throw wrong(field, "true or false");
            }
            return value.asBoolean(byDefault);
        }

        /** Where both names of a field are there, the alias counts. */
        private int size(String name, String alias, int byDefault) {
            var field = json.has(alias) ? alias : name;
            if (!json.has(field)) {
                return byDefault;
            }
            var value = json.path(field);
            if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < 1 || value.asInt() > LARGEST) {
                throw wrong(field, "a whole number from 1 to " + LARGEST);
            }
            return value.asInt();
        }

        private float epsilon() {
            var value = json.path("layer_norm_epsilon");
            if (value.isMissingNode()) {
                return 1e-5f;
            }
            if (!value.isNumber() || !(value.floatValue() >= 0) || value.floatValue() > 1) {
                throw wrong("layer_norm_epsilon", "a number from 0 to 1");
            }
            return value.floatValue();
        }

        /** Ids that no token has, such as -1 or GPT-2's own in the file of a smaller model, end nothing. */
        private Set<Integer> endTokens(int vocabularySize) {
            var generation = file.resolveSibling("generation_config.json");
            var from = Files.exists(generation) ? new Reader(generation, JsonFiles.read(generation)) : this;
            var value = from.json.path("eos_token_id");
            var ids = value.isArray() ? value.valueStream()
                    : from.json.hasNonNull("eos_token_id") ? Stream.of(value) : Stream.<JsonNode>of();
            return ids.map(id -> {
                if (!id.isIntegralNumber() || !id.canConvertToInt()) {
                    throw from.wrong("eos_token_id", "null, a token's id, or a list of them");
                }
                return id.intValue();
            }).filter(id -> id >= 0 && id < vocabularySize).collect(Collectors.toUnmodifiableSet());
        }

        private InvalidModelException wrong(String field, String expected) {
            var value = json.path(field);
            return new InvalidModelException("%s: %s: %s (expected: %s)"
                    .formatted(file, field, value.isMissingNode() ? "missing" : Shown.of(value), expected));
        }
    }
}
