package org.lmdebugger.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.tokenizer.TestTokenizers.vocabulary;
import static org.lmdebugger.tokenizer.TestTokenizers.write;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.checkpoint.TestFiles;

class VocabularyTest {
    private static final String[] MERGES = {"t h", "th e", "Ġ the"};

    @TempDir
    private Path folder;

    private void assertRefused(String message) {
        assertThatThrownBy(() -> Tokenizer.read(folder, 300)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.toString()).hasMessageContaining(message);
    }

    private void isFast() {
        TestFiles.write(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}");
    }

    private static ObjectNode good() {
        return vocabulary("th", "the", "Ġthe", "<|endoftext|>");
    }

    @Test
    void encodesWithASmallVocabulary() {
        var tokenizer = Tokenizer.read(write(folder, good(), MERGES), 260);
        assertThat(tokenizer.encode("the the th")).containsExactly(257, 258, ' ', 256);
    }

    @Test
    void refusesTwoTokensOfOneId() {
        write(folder, good().put("x", 256), MERGES);
        assertRefused("vocab.json: id 256: ");
    }

    @Test
    void refusesMergesOfTokensWithoutId() {
        write(folder, good().without("Ġ"), MERGES);
        assertRefused("vocab.json: Ġ: no id (expected: one, as it is the left of a merge)");
        write(folder, good(), "t h", "th e", "Ġ the", "t he");
        assertRefused("vocab.json: he: no id (expected: one, as it is the right of a merge)");
        write(folder, good().without("Ġthe"), MERGES);
        assertRefused("vocab.json: Ġthe: no id (expected: one, as it is a merge)");
    }

    @Test
    void refusesMergesThatAreCutOff() {
        var tokens = IntStream.range(0, 20).mapToObj(i -> (char) ('a' + i) + "!").toArray(String[]::new);
        var merges = Arrays.stream(tokens).map(token -> token.replace("!", " !")).toArray(String[]::new);
        write(folder, vocabulary(tokens), merges);
        assertThat(Tokenizer.read(folder, 300).warnings()).isEmpty();
        write(folder, vocabulary(tokens), Arrays.copyOf(merges, 7));
        assertThat(Tokenizer.read(folder, 300).warnings()).containsExactly(folder.resolve("vocab.json")
                + ": no merge makes 13 of 276 tokens, and no text becomes them: h! i! j! k! l! m! n! o! …");
        write(folder, vocabulary(tokens), Arrays.copyOf(merges, 6));
        assertRefused(": no merge makes 14 of 276 tokens (expected: at most 1 in 20; are the merges complete?)");
    }

    @Test
    void warnsOfBytesThatTextsLose() {
        var bytes = vocabulary();
        write(folder, bytes.without(List.of(ByteAlphabet.spell((byte) 'z'),
                ByteAlphabet.spell((byte) 0xff)))); // ff is in no text
        assertThat(Tokenizer.read(folder, 300).warnings()).containsExactly(folder.resolve("vocab.json")
                + ": no token stands for 1 byte, which texts lose: 7a");
        assertThat(Tokenizer.read(folder, 300).encode("az")).hasSize(1);
    }

    @Test
    void readsNoByteOrderMarkAsText() {
        write(folder, good(), MERGES);
        for (var name : List.of("vocab.json", "merges.txt")) {
            TestFiles.write(folder.resolve(name), "\uFEFF" + JsonFiles.text(folder.resolve(name)));
        }
        TestFiles.write(folder.resolve("tokenizer_config.json"), "\uFEFF{\"add_prefix_space\": true}");
        assertThat(Tokenizer.read(folder, 260).encode("the")).containsExactly(258);
    }

    @Test
    void leavesBlankLinesAside() {
        write(folder, good(), "t h", "", "th e", "Ġ the", "");
        assertThat(Tokenizer.read(folder, 260).encode("the the th")).containsExactly(257, 258, ' ', 256);
    }

    @Test
    void refusesTokenizersOfOtherClasses() {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("config.json"), "{\"tokenizer_class\": \"BertTokenizer\"}");
        assertRefused("tokenizer_class: \"BertTokenizer\" (expected: GPT2Tokenizer or PreTrainedTokenizerFast)");
        isFast();
        assertRefused(": no tokenizer (expected: tokenizer.json)");
    }

    @Test
    void saysWhatOfTokenizerJsonItLeavesAside() {
        var json = TestTokenizers.tokenizerJson(write(folder, good(), MERGES), false);
        TestFiles.write(folder.resolve("tokenizer.json"), json.toString());
        assertThat(Tokenizer.read(folder, 260).warnings()).isEmpty();
        json.putObject("normalizer").put("type", "NFC");
        TestFiles.write(folder.resolve("tokenizer.json"), json.toString());
        assertThat(Tokenizer.read(folder, 260).warnings()).singleElement().asString()
                .startsWith(folder.resolve("tokenizer.json") + ": normalizer and pre_tokenizer are left aside");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "{\"added_tokens_decoder\": {\"x\": {\"content\": \"<pad>\"}}} | added_tokens_decoder: x (expected: an id)",
            "{\"added_tokens_decoder\": {\"7\": \"<pad>\"}} | \"<pad>\" (expected: a token with its content)",
            "{\"added_tokens_decoder\": {\"7\": {\"content\": \"<pad>\"}}} | <pad>: id 7 (expected: 260, after the last",
            "{\"pad_token\": 7} | pad_token: 7 (expected: a token with its content)",
            "[] | tokenizer_config.json: ARRAY (expected: a JSON object)",
    })
    void refusesSpecialTokensThatAreNone(String config, String message) {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("tokenizer_config.json"), config);
        assertRefused(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"th", "t h e", " th", "th ", "t  h"})
    void refusesALineThatIsNoMerge(String line) {
        write(folder, good(), line);
        assertRefused("merges.txt: \"" + line + "\" (expected: a merge");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "1.0", "\"7\"", "null", "99999999999", "[]"})
    void refusesWhatIsNoId(String id) {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("vocab.json"), good().toString().replace("\"th\":256", "\"th\":" + id));
        assertRefused("vocab.json: th: " + id + " (expected: an id)");
    }

    @Test
    void refusesFilesThatAreNotThere() throws IOException {
        assertRefused(": no tokenizer (expected: tokenizer.json, or vocab.json and merges.txt)");
        write(folder, good(), MERGES);
        Files.delete(folder.resolve("merges.txt"));
        assertRefused(": no tokenizer");
    }

    @Test
    void refusesFilesThatAreDamaged() {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("merges.txt"), new byte[] {'a', ' ', (byte) 0xc3});
        assertRefused("merges.txt: not a text in UTF-8");
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("vocab.json"), "{\"a\": 1, \"b\"");
        assertRefused("vocab.json: not JSON");
    }

    /** As Python reads JSON, and so transformers: the last id counts. */
    @Test
    void theLastOfTwoIdsOfATokenCounts() {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("vocab.json"), good().toString().replaceFirst("\\{", "{\"th\":299,"));
        assertThat(Tokenizer.read(folder, 300).encode("th")).containsExactly(256);
    }

    @Test
    void refusesMoreTokensThanTheModelHas() {
        write(folder, good(), MERGES);
        assertThatThrownBy(() -> Tokenizer.read(folder, 259)).isInstanceOf(InvalidModelException.class)
                .hasMessageEndingWith("vocab.json: ids up to 259 (expected: below the model's vocab_size, 259)");
        write(folder, good().put("x", Integer.MAX_VALUE), MERGES);
        assertRefused("ids up to 2147483647");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @Tag("slow")
    void readsTokenizerJsonAlone(boolean pairs) {
        for (var name : new String[] {"sample", "tarot"}) {
            var json = TestTokenizers.tokenizerJson(TestTokenizers.directory(name), pairs);
            TestFiles.write(folder.resolve("tokenizer.json"), json.toString());
            assertSame(new TokenizerFiles(folder), new TokenizerFiles(TestTokenizers.directory(name)));
        }
    }

    private static void assertSame(TokenizerFiles read, TokenizerFiles expected) {
        assertThat(read.vocabulary()).usingRecursiveComparison().ignoringFields("origin")
                .isEqualTo(expected.vocabulary());
        assertThat(read.added().ids()).isNotEmpty().isEqualTo(expected.added().ids());
    }

    /** Both lie there; they say the same. */
    @Test
    void readsTheTokenizerJsonOfOthers() throws IOException {
        var tarot = TestTokenizers.directory("tarot");
        for (var name : List.of("vocab.json", "merges.txt")) {
            Files.copy(tarot.resolve(name), folder.resolve(name));
        }
        assertSame(new TokenizerFiles(tarot), new TokenizerFiles(folder));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "\"BPE\"             | \"WordPiece\"        | model.type: \"WordPiece\" (expected: BPE)",
            "\"normalizer\":null | \"normalizer\":{\"type\":\"NFC\"} | normalizer: {\"type\":\"NFC\"} (expected: null)",
            "\"ByteLevel\"       | \"Whitespace\"       | pre_tokenizer: {\"type\":\"Whitespace\"",
            "\"add_prefix_space\" | \"use_regex\"       | pre_tokenizer: {\"type\":\"ByteLevel\",\"use_regex\":false}",
            "_prefix\":\"\"      | _prefix\":\"##\"     | model.continuing_subword_prefix: \"##\" (expected: none)",
            "_prefix\":\"\"      | _prefix\":\"\",\"dropout\":0.5      | model.dropout: 0.5 (expected: none)",
            "_prefix\":\"\"      | _prefix\":\"\",\"byte_fallback\":true | model.byte_fallback: true (expected: false)",
            "\"unk_token\":null  | \"unk_token\":\"?!\"   | ?!: no id (expected: one, as it is the unknown token)",
            "\"normalizer\":null | \"post_processor\":{\"type\":\"X\"} | post_processor: {\"type\":\"X\"} (expected: ",
            "\"content\":\"<     | \"text\":\"<         | added_tokens: ",
            "\"id\":259          | \"id\":7             | <|endoftext|>: id 7 (expected: 259, as in tokenizer.json)",
            "\"t h\"             | 7                    | model.merges: 7 (expected: two tokens)",
            "\"t h\"             | [\"t\"]              | model.merges: [\"t\"] (expected: two tokens)",
            "\"merges\":         | \"mergers\":         | model.merges: missing (expected: an array)",
    })
    void refusesATokenizerJsonOfAnotherKind(String good, String bad, String message) {
        var json = TestTokenizers.tokenizerJson(write(folder, good(), MERGES), false).toString();
        assertThat(json).contains(good);
        isFast();
        folder.resolve("vocab.json").toFile().delete();
        TestFiles.write(folder.resolve("tokenizer.json"), json.replace(good, bad));
        assertRefused(message);
    }

    /** Damage anywhere in the files is refused with the one exception, or does not matter. */
    @Test
    @Tag("slow")
    void neverThrowsAnythingElse() {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        write(folder, good(), MERGES);
        var json = TestTokenizers.tokenizerJson(folder, true).toString();
        folder.resolve("vocab.json").toFile().delete();
        int refused = 0;
        for (int round = 0; round < 3_000; round++) {
            var text = new StringBuilder(json);
            for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
                int at = random.nextInt(text.length());
                var other = "\"[]{},:0-9e.ntf\\".charAt(random.nextInt(15));
                text.replace(at, Math.min(text.length(), at + random.nextInt(4)), String.valueOf(other));
            }
            TestFiles.write(folder.resolve("tokenizer.json"), text.toString());
            try {
                Tokenizer.read(folder, 300).encode("the <|endoftext|>");
            } catch (InvalidModelException expected) {
                refused++;
            } catch (Throwable failure) {
                throw new AssertionError("seed %d, round %d: %s".formatted(seed, round, text), failure);
            }
        }
        assertThat(refused).isGreaterThan(1_500);
    }
}
