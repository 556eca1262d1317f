package org.lmdebugger.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.OptionalInt;

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
 */
public record Gpt2Config(int layers, int heads, int width, int positions, int vocabularySize, float epsilon,
                         OptionalInt endOfText) {

    /** Width of the feed-forward layer: the number of value vectors of a layer, 4d. */
    public int feedForwardWidth() {
        return 4 * width;
    }

    /**
     * Reads a {@code config.json}.
     *
     * @throws InvalidModelException if it is missing, or of a model that computes anything but GPT-2's function
     */
    public static Gpt2Config read(Path file) {
        return new Reader(file, JsonFiles.read(file)).config();
    }

    private record Reader(Path file, JsonNode json) {
        Gpt2Config config() {
            require("model_type", "gpt2");
            require("activation_function", "gelu_new");
            requireUnless("scale_attn_weights", true);
            requireUnless("scale_attn_by_inverse_layer_idx", false);
            requireUnless("reorder_and_upcast_attn", false);
            requireUnless("add_cross_attention", false);
            int width = positive("n_embd");
            int heads = positive("n_head");
            if (width % heads != 0) {
                throw wrong("n_head", heads, "a divisor of n_embd, " + width);
            }
            if (json.hasNonNull("n_inner") && json.get("n_inner").asLong() != 4L * width) {
                throw wrong("n_inner", json.get("n_inner"), "null or 4·n_embd, " + 4L * width);
            }
            int vocabularySize = positive("vocab_size");
            return new Gpt2Config(positive("n_layer"), heads, width, positive("n_positions"), vocabularySize, epsilon(),
                    endOfText(vocabularySize));
        }

        private void require(String field, String expected) {
            if (!json.path(field).asText("").equals(expected)) {
                throw wrong(field, json.path(field), "\"" + expected + "\"");
            }
        }

        private void requireUnless(String field, boolean expected) {
            if (json.path(field).asBoolean(expected) != expected) {
                throw wrong(field, json.path(field), String.valueOf(expected));
            }
        }

        private int positive(String field) {
            var value = json.path(field);
            if (!value.canConvertToInt() || value.asInt() < 1 || value.asInt() > 1 << 24) {
                throw wrong(field, value, "a positive whole number");
            }
            return value.asInt();
        }

        private float epsilon() {
            var value = json.path("layer_norm_epsilon");
            if (value.isMissingNode()) {
                return 1e-5f; // what the field means when it is left out
            }
            if (!value.isNumber() || !(value.floatValue() >= 0) || value.floatValue() == Float.POSITIVE_INFINITY) {
                throw wrong("layer_norm_epsilon", value, "a number, not negative");
            }
            return value.floatValue();
        }

        private OptionalInt endOfText(int vocabularySize) {
            var value = json.path("eos_token_id");
            if (value.isMissingNode() || value.isNull()) {
                return OptionalInt.empty();
            }
            if (!value.canConvertToInt() || value.asInt() < 0 || value.asInt() >= vocabularySize) {
                throw wrong("eos_token_id", value, "null or a token id below " + vocabularySize);
            }
            return OptionalInt.of(value.asInt());
        }

        private InvalidModelException wrong(String field, Object found, String expected) {
            var shown = found instanceof JsonNode node && node.isMissingNode() ? "missing" : found;
            return new InvalidModelException("%s: %s: %s (expected: %s)".formatted(file, field, shown, expected));
        }
    }
}
