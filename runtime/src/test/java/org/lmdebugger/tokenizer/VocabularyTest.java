package org.lmdebugger.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.tokenizer.TestTokenizers.vocabulary;
import static org.lmdebugger.tokenizer.TestTokenizers.write;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.model.InvalidModelException;
import org.lmdebugger.model.TestFiles;

class VocabularyTest {
    private static final String[] MERGES = {"t h", "th e", "Ġ the"};

    @TempDir
    private Path folder;

    private void assertRefused(String message) {
        assertThatThrownBy(() -> Tokenizer.read(folder, 300)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith(folder.toString()).hasMessageContaining(message);
    }

    private static ObjectNode good() {
        return vocabulary("th", "the", "Ġthe", "<|endoftext|>");
    }

    @Test
    void encodesWithASmallVocabulary() {
        var tokenizer = Tokenizer.read(write(folder, good(), MERGES), 260);
        assertThat(tokenizer.encode("the the th")).containsExactly(257, 258, ' ', 256);
        assertThat(tokenizer.endOfText()).hasValue(259);
    }

    @Test
    void refusesIdsThatContradictTheMerges() {
        write(folder, vocabulary("the", "th", "Ġthe"), MERGES);
        assertRefused("vocab.json: ids contradict the merges: the has id 256 (expected: above 257, that of th");
        write(folder, good(), "t h", "th e", "Ġ the", "t he", "h e");
        assertRefused("he: no id (expected: one, as it is the right of a merge)");
    }

    @Test
    void refusesATokenThatTwoMergesMake() {
        write(folder, vocabulary("th", "he", "the"), "t h", "h e", "th e", "t he");
        assertRefused("ids contradict the merges: the has id 258 (expected: above 258");
    }

    @Test
    void refusesTwoTokensOfOneId() {
        write(folder, good().put("x", 256), MERGES);
        assertRefused("vocab.json: id 256: ");
    }

    @Test
    void refusesAByteOrMergeWithoutId() {
        write(folder, good().without("Ġ"), MERGES);
        assertRefused("vocab.json: Ġ: no id (expected: one, as it is a byte)");
        write(folder, good().without("Ġthe"), MERGES);
        assertRefused("vocab.json: Ġthe: no id (expected: one, as it is a merge)");
    }

    @Test
    void refusesMergesThatSpellNoBytes() {
        write(folder, vocabulary("漢", "漢a"), "漢 a");
        assertRefused("漢a: a merge (expected: spelled in GPT-2's byte alphabet)");
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
        assertRefused(": no tokenizer (expected: vocab.json and merges.txt, or tokenizer.json)");
        write(folder, good(), MERGES);
        Files.delete(folder.resolve("merges.txt"));
        assertRefused(": no tokenizer");
    }

    @Test
    void refusesFilesThatAreDamaged() {
        write(folder, good(), MERGES);
        TestFiles.write(folder.resolve("merges.txt"), new byte[] {'a', ' ', (byte) 0xc3});
        assertRefused("merges.txt: not a text in UTF-8");
        TestFiles.write(folder.resolve("vocab.json"), "{\"a\": 1, \"a\": 2}");
        assertRefused("vocab.json: not JSON: Duplicate field 'a'");
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
    void readsTokenizerJsonAlone(boolean pairs) {
        for (var name : new String[] {"sample", "tarot"}) {
            var vocabulary = Vocabulary.read(TestTokenizers.directory(name));
            var json = TestTokenizers.tokenizerJson(vocabulary, pairs);
            TestFiles.write(folder.resolve("tokenizer.json"), json.toString());
            var read = Vocabulary.read(folder);
            assertThat(read).usingRecursiveComparison().ignoringFields("origin").isEqualTo(vocabulary);
        }
    }

    @Test
    void readsTheTokenizerJsonOfOthers() throws IOException {
        var tarot = TestTokenizers.directory("tarot");
        Files.copy(tarot.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        assertThat(Vocabulary.read(folder)).usingRecursiveComparison().ignoringFields("origin")
                .isEqualTo(Vocabulary.read(tarot));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "\"BPE\"             | \"WordPiece\"        | model.type: \"WordPiece\" (expected: BPE)",
        "\"normalizer\":null | \"normalizer\":{\"type\":\"NFC\"} | normalizer: {\"type\":\"NFC\"} (expected: null)",
        "\"ByteLevel\"       | \"Whitespace\"       | pre_tokenizer: {\"type\":\"Whitespace\"",
        "\"add_prefix_space\" | \"use_regex\"       | pre_tokenizer: {\"type\":\"ByteLevel\",\"use_regex\":false}",
        "_prefix\":\"\"      | _prefix\":\"##\"     | model.continuing_subword_prefix: \"##\" (expected: none)",
        "\"lstrip\":false    | \"lstrip\":true      | (expected: lstrip false)",
        "\"content\":\"<     | \"text\":\"<         | added_tokens: ",
        "\"id\":259          | \"id\":7             | added_tokens: <|endoftext|>: id 7 (expected: 259",
        "\"t h\"             | 7                    | model.merges: 7 (expected: two tokens)",
        "\"t h\"             | [\"t\"]              | model.merges: [\"t\"] (expected: two tokens)",
        "\"merges\":         | \"mergers\":         | model.merges: missing (expected: an array)",
    })
    void refusesATokenizerJsonOfAnotherKind(String good, String bad, String message) {
        var json = TestTokenizers.tokenizerJson(Vocabulary.read(write(folder, good(), MERGES)), false).toString();
        assertThat(json).contains(good);
        folder.resolve("vocab.json").toFile().delete();
        TestFiles.write(folder.resolve("tokenizer.json"), json.replace(good, bad));
        assertRefused(message);
    }

    /** Damage anywhere in the files is refused with the one exception, or does not matter. */
    @Test
    void neverThrowsAnythingElse() {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        write(folder, good(), MERGES);
        var json = TestTokenizers.tokenizerJson(Vocabulary.read(folder), true).toString();
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
