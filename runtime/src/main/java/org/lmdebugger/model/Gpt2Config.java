package org.lmdebugger.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.lmdebugger.text.Shown;

/**
 * The shape of a GPT-2.
 *
 * @param layers         number of blocks, L
 * @param heads          attention heads of a block
 * @param width          d, the width of the residual stream; a multiple of {@code heads}
 * @param positions      longest sequence
 * @param vocabularySize V, the number of rows of the token embedding
 * @param epsilon        of the LayerNorms
 * @param endOfText      the token that ends a text, if there is one
 * @param tiedHead       whether the output embedding is the token embedding, whatever else the weights hold
 */
public record Gpt2Config(int layers, int heads, int width, int positions, int vocabularySize, float epsilon,
                         OptionalInt endOfText, boolean tiedHead) {
    private static final Set<String> ARCHITECTURES = Set.of("GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel");
    private static final int LARGEST = 1 << 24; // keeps every product of two sizes within a long, and 4d within an int

    /** Width of the feed-forward layer: the number of value vectors of a layer, 4d. */
    public int feedForwardWidth() {
        return 4 * width;
    }

    /**
     * Reads a {@code config.json}. Fields that do not change what GPT-2 computes are ignored.
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
            if (json.has("activation_function")) { // it is gelu_new where it is left out
                require("activation_function", "gelu_new");
            }
            flag("scale_attn_weights", true);
            flag("scale_attn_by_inverse_layer_idx", false);
            flag("reorder_and_upcast_attn", false);
            flag("add_cross_attention", false);
            int width = size("n_embd");
            int heads = size("n_head");
            int positions = size("n_positions");
            int vocabularySize = size("vocab_size");
            if (width % heads != 0) {
                throw wrong("n_head", "a divisor of n_embd, " + width);
            }
            nullOr("n_inner", 4L * width, "4·n_embd");
            nullOr("n_ctx", positions, "n_positions");
            return new Gpt2Config(size("n_layer"), heads, width, positions, vocabularySize, epsilon(),
                    endOfText(vocabularySize), tiedHead());
        }

        private void requireGpt2() {
            if (json.hasNonNull("model_type") || !json.hasNonNull("architectures")) {
                require("model_type", "gpt2");
            }
            for (var architecture : json.path("architectures")) {
                if (!ARCHITECTURES.contains(architecture.asText())) {
                    throw wrong("architectures", "one of " + String.join(", ", new TreeSet<>(ARCHITECTURES)));
                }
            }
        }

        private void require(String field, String expected) {
            if (!json.path(field).asText("").equals(expected)) {
                throw wrong(field, "\"" + expected + "\"");
            }
        }

        /** These switches change the function; the models that this code computes have them as they are by default. */
        private void flag(String field, boolean expected) {
            var value = json.path(field);
            if (json.hasNonNull(field) && !(value.isBoolean() && value.asBoolean() == expected)) {
                throw wrong(field, String.valueOf(expected));
            }
        }

        private void nullOr(String field, long expected, String meaning) {
            var value = json.path(field);
            if (json.hasNonNull(field) && !(value.isIntegralNumber() && value.asLong() == expected)) {
                throw wrong(field, "null or %s, %d".formatted(meaning, expected));
            }
        }

        private int size(String field) {
            var value = json.path(field);
            if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < 1 || value.asInt() > LARGEST) {
                throw wrong(field, "a whole number from 1 to " + LARGEST);
            }
            return value.asInt();
        }

        private float epsilon() {
            var value = json.path("layer_norm_epsilon");
            if (value.isMissingNode()) {
                return 1e-5f; // what the field means when it is left out
            }
            if (!value.isNumber() || !(value.floatValue() >= 0) || value.floatValue() > 1) {
                throw wrong("layer_norm_epsilon", "a number from 0 to 1");
            }
            return value.floatValue();
        }

        private boolean tiedHead() {
            var value = json.path("tie_word_embeddings");
            if (json.hasNonNull("tie_word_embeddings") && !value.isBoolean()) {
                throw wrong("tie_word_embeddings", "true or false");
            }
            return value.asBoolean(true);
        }

        /** An id beyond the vocabulary, often GPT-2's own left in the file of a smaller model, never occurs. */
        private OptionalInt endOfText(int vocabularySize) {
            var value = json.path("eos_token_id");
            if (!json.hasNonNull("eos_token_id")) {
                return OptionalInt.empty();
            }
            if (!value.isIntegralNumber() || !value.canConvertToInt() || value.asInt() < 0) {
                throw wrong("eos_token_id", "null or a token's id");
            }
            return value.asInt() < vocabularySize ? OptionalInt.of(value.asInt()) : OptionalInt.empty();
        }

        private InvalidModelException wrong(String field, String expected) {
            var value = json.path(field);
            return new InvalidModelException("%s: %s: %s (expected: %s)"
                    .formatted(file, field, value.isMissingNode() ? "missing" : Shown.of(value), expected));
        }
    }
}
