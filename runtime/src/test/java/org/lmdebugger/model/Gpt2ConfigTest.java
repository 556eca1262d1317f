package org.lmdebugger.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.TestFiles;
import org.lmdebugger.device.Gelu;

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
        assertThat(config)
                .isEqualTo(new Gpt2Config(2, 3, 12, 48, 16, 300, 1e-6f, Gelu.TANH, true, false, Set.of(299), true));
    }

    @Test
    void readsTheModelsAtHand() {
        assertThat(Gpt2Config.read(TestFiles.sample().resolve("config.json")))
                .isEqualTo(
                        new Gpt2Config(4, 6, 192, 768, 128, 8192, 1e-5f, Gelu.TANH, true, false, Set.of(8191), true));
        assertThat(Gpt2Config.read(TestFiles.shared("models/tarot/config.json")))
                .isEqualTo(new Gpt2Config(4, 4, 128, 512, 64, 1000, 1e-5f, Gelu.TANH, true, false, Set.of(0), true));
    }

    /** Each row replaces a text of the good file by one that means the same, or that this code can compute too. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "\"n_inner\": null                    | \"n_inner\": 48",
            "\"n_ctx\": 16,                       | ",
            "\"n_ctx\": 16                        | \"n_ctx\": 1024",
            "\"n_embd\": 12                       | \"hidden_size\": 12",
            "\"n_embd\": 12                       | \"hidden_size\": 12, \"n_embd\": 24",
            "\"n_embd\": 12                       | \"n_embd\": 24, \"n_embd\": 12",
            "\"n_layer\": 2, \"n_head\": 3         | \"num_hidden_layers\": 2, \"num_attention_heads\": 3",
            "\"n_positions\": 16                  | \"max_position_embeddings\": 16",
            "gelu_new                             | gelu_pytorch_tanh",
            "GPT2LMHeadModel                      | GPT2ForSequenceClassification",
            "\"n_inner\": null                    | \"initializer_range\": NaN, \"resid_pdrop\": -Infinity",
            "\"model_type\": \"gpt2\",            | ",
            "\"architectures\": [\"GPT2LMHeadModel\"], | ",
            "\"activation_function\": \"gelu_new\",    | ",
            "\"scale_attn_weights\": true         | \"reorder_and_upcast_attn\": true",
            "cls_index\"                          | last\", \"tie_word_embeddings\": true",
    })
    void acceptsWhatMeansTheSame(String good, String other) {
        assertThat(read(replaced(good, other))).isEqualTo(read(GOOD));
    }

    @Test
    void whatIsLeftOutIsGpt2s() {
        assertThat(read("{\"model_type\": \"gpt2\"}"))
                .isEqualTo(
                        new Gpt2Config(12, 12, 768, 3072, 1024, 50257, 1e-5f, Gelu.TANH, true, false, Set.of(), true));
    }

    @Test
    void scoresAreScaledAsTheConfigurationSays() {
        assertThat(read(GOOD).attentionDivisor(1)).isEqualTo(2);
        assertThat(read(replaced("\"scale_attn_weights\": true", "\"scale_attn_weights\": false")).attentionDivisor(1))
                .isEqualTo(1);
        assertThat(read(replaced("\"n_inner\": null", "\"scale_attn_by_inverse_layer_idx\": true")).attentionDivisor(1))
                .isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"299 | 299", "null | ''", "0 | 0", "50256 | ''", "-1 | ''", "[] | ''",
            "[299, 7, 300, -1] | 299,7"})
    void endTokensAreOneOrMoreOfTheVocabulary(String json, String ids) {
        var expected = Stream.of(ids.split(",")).filter(id -> !id.isEmpty()).map(Integer::valueOf)
                .collect(Collectors.toSet());
        assertThat(read(replaced("299", json)).endTokens()).isEqualTo(expected);
        TestFiles.write(folder.resolve("generation_config.json"), "{\"eos_token_id\": " + json + "}");
        assertThat(read(replaced("299", "5")).endTokens()).isEqualTo(expected);
    }

    @Test
    void aGenerationConfigAloneSaysWhatEndsAText() {
        var file = TestFiles.write(folder.resolve("generation_config.json"), "{}");
        assertThat(read(GOOD).endTokens()).isEmpty();
        TestFiles.write(file, "{\"eos_token_id\": [\"</s>\"]}");
        assertThatThrownBy(() -> read(GOOD))
                .hasMessage(file + ": eos_token_id: [\"</s>\"] (expected: null, a token's id, or a list of them)");
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
            "gelu_new            | relu        | activation_function: \"relu\" (expected: one of gelu, gelu_accurate, gelu_fast, ",
            "gelu_new            | quick_gelu  | activation_function: \"quick_gelu\" (expected: one of gelu, ",
            "\"n_layer\": 2      | \"n_layer\": 0 | n_layer: 0 (expected: a whole number from 1",
            "\"n_layer\": 2      | \"n_layer\": 2.5 | n_layer: 2.5 (expected: a whole number",
            "\"n_layer\": 2      | \"n_layer\": \"2\" | n_layer: \"2\" (expected: a whole number",
            "\"n_head\": 3       | \"n_head\": 5 | n_head: 5 (expected: a divisor of n_embd, 12)",
            "\"n_embd\": 12      | \"n_embd\": -12 | n_embd: -12 (expected: a whole number",
            "\"n_embd\": 12      | \"n_embd\": 99999999999 | n_embd: 99999999999 (expected: a whole number",
            "\"n_positions\": 16 | \"n_positions\": null | n_positions: null (expected: a whole number",
            "300                 | 0           | vocab_size: 0 (expected: a whole number",
            "\"n_inner\": null   | \"n_inner\": 0 | n_inner: 0 (expected: a whole number from 1",
            "1e-06               | -1          | layer_norm_epsilon: -1 (expected: a number from 0 to 1)",
            "1e-06               | 1e999       | layer_norm_epsilon: ",
            "299                 | 2.5         | eos_token_id: 2.5 (expected: null, a token's id, or a list of them)",
            "\"scale_attn_weights\": true | \"scale_attn_weights\": 1 | scale_attn_weights: 1 (expected: true or false)",
            "\"n_inner\": null   | \"add_cross_attention\": true | add_cross_attention: true (expected: false)",
            "\"n_inner\": null   | \"tie_word_embeddings\": \"no\" | tie_word_embeddings: \"no\" (expected: true or false)",
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
