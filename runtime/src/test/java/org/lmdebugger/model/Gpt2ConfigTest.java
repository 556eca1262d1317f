package org.lmdebugger.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Gpt2ConfigTest {
    private static final String GOOD = """
            {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
             "n_layer": 2, "n_head": 3, "n_embd": 12, "n_positions": 16, "n_ctx": 16, "vocab_size": 300,
             "n_inner": null,
             "layer_norm_epsilon": 1e-06, "eos_token_id": 299, "scale_attn_weights": true,
             "summary_type": "cls_index"}""";

    @TempDir
    private Path folder;

    private Gpt2Config read(String json) {
        return Gpt2Config.read(TestFiles.write(folder.resolve("config.json"), json));
    }

    @Test
    void readsEveryField() {
        var config = read(GOOD);
        assertThat(config).isEqualTo(new Gpt2Config(2, 3, 12, 16, 300, 1e-6f, OptionalInt.of(299), true));
        assertThat(config.feedForwardWidth()).isEqualTo(48);
    }

    @Test
    void readsTheModelsAtHand() {
        assertThat(Gpt2Config.read(TestFiles.sample().resolve("config.json")))
                .isEqualTo(new Gpt2Config(4, 6, 192, 128, 8192, 1e-5f, OptionalInt.of(8191), true));
        assertThat(Gpt2Config.read(TestFiles.shared("models/tarot/config.json")))
                .isEqualTo(new Gpt2Config(4, 4, 128, 64, 1000, 1e-5f, OptionalInt.of(0), true));
    }

    /** Each row replaces a text of the good file by one that means the same, or that this code can compute too. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "\"n_inner\": null                    | \"n_inner\": 48",
        "\"n_ctx\": 16,                       | ",
        "\"model_type\": \"gpt2\",            | ",
        "\"architectures\": [\"GPT2LMHeadModel\"], | ",
        "\"activation_function\": \"gelu_new\",    | ",
        "\"scale_attn_weights\": true         | \"reorder_and_upcast_attn\": false",
        "cls_index\"                          | last\", \"tie_word_embeddings\": true",
    })
    void acceptsWhatMeansTheSame(String good, String other) {
        assertThat(read(replaced(good, other))).isEqualTo(read(GOOD));
    }

    @Test
    void takesAnEndOfTextBeyondTheVocabularyForNone() {
        assertThat(read(replaced("299", "50256")).endOfText()).isEmpty();
        assertThat(read(replaced("299", "null")).endOfText()).isEmpty();
        assertThat(read(replaced("299", "0")).endOfText()).hasValue(0);
    }

    @Test
    void tellsAHeadOfItsOwn() {
        assertThat(read(replaced("\"n_ctx\": 16", "\"tie_word_embeddings\": false")).tiedHead()).isFalse();
    }

    /** Each row: what is replaced, by what, and how the message goes on after the file's name. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "\"gpt2\"            | \"llama\"   | model_type: \"llama\" (expected: \"gpt2\")",
        "\"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"] | null | model_type: null (expected: \"gpt2\")",
        "GPT2LMHeadModel     | GPTNeoXForCausalLM | architectures: [\"GPTNeoXForCausalLM\"] (expected: one of",
        "gelu_new            | relu        | activation_function: \"relu\" (expected: \"gelu_new\")",
        "gelu_new            | gelu        | activation_function: \"gelu\" (expected: \"gelu_new\")",
        "\"n_layer\": 2      | \"n_layer\": 0 | n_layer: 0 (expected: a whole number from 1",
        "\"n_layer\": 2,     | ''          | n_layer: missing (expected: a whole number from 1",
        "\"n_layer\": 2      | \"n_layer\": 2.5 | n_layer: 2.5 (expected: a whole number",
        "\"n_layer\": 2      | \"n_layer\": \"2\" | n_layer: \"2\" (expected: a whole number",
        "\"n_head\": 3       | \"n_head\": 5 | n_head: 5 (expected: a divisor of n_embd, 12)",
        "\"n_embd\": 12      | \"n_embd\": -12 | n_embd: -12 (expected: a whole number",
        "\"n_embd\": 12      | \"n_embd\": 99999999999 | n_embd: 99999999999 (expected: a whole number",
        "\"n_positions\": 16 | \"n_positions\": null | n_positions: null (expected: a whole number",
        "\"n_ctx\": 16       | \"n_ctx\": 8 | n_ctx: 8 (expected: null or n_positions, 16)",
        "300                 | 0           | vocab_size: 0 (expected: a whole number",
        "\"n_inner\": null   | \"n_inner\": 40 | n_inner: 40 (expected: null or 4·n_embd, 48)",
        "1e-06               | -1          | layer_norm_epsilon: -1 (expected: a number from 0 to 1)",
        "1e-06               | 1e999       | layer_norm_epsilon: ",
        "299                 | -1          | eos_token_id: -1 (expected: null or a token's id)",
        "299                 | [299]       | eos_token_id: [299] (expected: null or a token's id)",
        "\"scale_attn_weights\": true | \"scale_attn_weights\": false | scale_attn_weights: false (expected: true)",
        "\"n_inner\": null   | \"scale_attn_by_inverse_layer_idx\": true | scale_attn_by_inverse_layer_idx: true (exp",
        "\"n_inner\": null   | \"reorder_and_upcast_attn\": true | reorder_and_upcast_attn: true (expected: false)",
        "\"n_inner\": null   | \"add_cross_attention\": true | add_cross_attention: true (expected: false)",
        "\"n_inner\": null   | \"tie_word_embeddings\": \"no\" | tie_word_embeddings: \"no\" (expected: true or false)",
        "\"n_inner\": null   | \"n_embd\": 12 | not JSON: Duplicate field 'n_embd'",
        "\"n_inner\": null}  | \"n_inner\": null | not JSON",
    })
    void refusesEverythingElse(String good, String bad, String message) {
        var json = good.endsWith("}") ? GOOD.substring(0, GOOD.length() - 1) : replaced(good, bad);
        assertThatThrownBy(() -> read(json)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.resolve("config.json") + ": " + message);
    }

    @Test
    void refusesWhatIsNoObjectOrNoText() {
        assertRefused("[1]".getBytes(), "ARRAY (expected: a JSON object)");
        assertRefused(new byte[0], "MISSING (expected: a JSON object)");
        assertRefused("{} {}".getBytes(), "not JSON");
        assertRefused(new byte[] {'{', (byte) 0xff, '}'}, "not a text in UTF-8");
    }

    private void assertRefused(byte[] bytes, String message) {
        var file = TestFiles.write(folder.resolve("config.json"), bytes);
        assertThatThrownBy(() -> Gpt2Config.read(file)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(file + ": " + message);
    }

    @Test
    void namesAMissingFile() {
        var file = folder.resolve("config.json");
        assertThatThrownBy(() -> Gpt2Config.read(file)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(file + ": missing");
    }

    private static String replaced(String good, String other) {
        assertThat(GOOD).contains(good);
        return GOOD.replace(good, other == null ? "" : other);
    }
}
