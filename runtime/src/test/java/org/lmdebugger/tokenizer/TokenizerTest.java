package org.lmdebugger.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.tokenizer.TestTokenizers.JSON;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.TestFiles;

class TokenizerTest {
    private static final Tokenizer SAMPLE = TestTokenizers.read("sample");

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sample", "tarot"})
    void encodesThePromptsOfTheGoldenFiles(String name) throws IOException {
        var tokenizer = TestTokenizers.read(name);
        var golden = name.equals("sample") ? TestFiles.project("interpret/core/src/test/resources/golden/sample.json")
                : TestFiles.shared("golden/" + name + ".json");
        var prompts = JSON.readTree(golden.toFile()).get("prompts");
        assertThat(prompts).isNotEmpty();
        for (var prompt : prompts) {
            var ids = tokenizer.encode(prompt.get("prompt").textValue());
            assertThat(ids).isEqualTo(ints(prompt.get("ids")));
            assertThat(Arrays.stream(ids).mapToObj(tokenizer::text)).containsExactlyElementsOf(
                    () -> prompt.get("tokens").valueStream().map(JsonNode::textValue).iterator());
            assertThat(tokenizer.decode(ids)).isEqualTo(prompt.get("prompt").textValue());
        }
    }

    /** Spaces, digits, scripts, emoji and control characters, as Python's regex module and a BPE by pairs see them. */
    @Test
    void encodesWhatPythonEncodes() throws IOException {
        try (var file = TokenizerTest.class.getResourceAsStream("/tokenizer/sample.json")) {
            var cases = JSON.readTree(file).get("cases");
            assertThat(cases).hasSizeGreaterThan(250);
            for (var example : cases) {
                var text = example.get("text").textValue();
                assertThat(SAMPLE.encode(text)).as(text).isEqualTo(ints(example.get("ids")));
                assertThat(SAMPLE.decode(SAMPLE.encode(text))).isEqualTo(text);
            }
        }
    }

    @Test
    void encodesAsGpt2() {
        var gpt2 = TestTokenizers.read("gpt2-tokenizer");
        assertThat(gpt2.encode("Hello world")).containsExactly(15496, 995); // what everybody's GPT-2 says
        assertThat(gpt2.encode("a\u3000\u3000b")).containsExactly(64, 5099, 222, 5099, 222, 65);
        assertThat(gpt2.size()).isEqualTo(50257);
    }

    /** The rank of a pair is not that of the token it makes, where that token is not made of its own bytes any more. */
    @Test
    void mergesByPairWhereMergesAreMissing(@TempDir Path folder) throws IOException {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        Files.copy(TestFiles.sample().resolve("vocab.json"), folder.resolve("vocab.json"));
        var merges = Files.readAllLines(TestFiles.sample().resolve("merges.txt"));
        TestFiles.write(folder.resolve("merges.txt"), String.join("\n",
                merges.stream().filter(merge -> random.nextInt(25) > 0).toList()));
        var tokenizer = Tokenizer.read(folder, 8192);
        var pairwise = new PairwiseBpe(new TokenizerFiles(folder).vocabulary());
        int others = 0;
        for (int round = 0; round < 2_000; round++) {
            var text = randomTokens(SAMPLE, random);
            assertThat(tokenizer.encode(text)).as("seed %d: %s", seed, text).isEqualTo(pairwise.encode(text));
            others += Arrays.equals(tokenizer.encode(text), SAMPLE.encode(text)) ? 0 : 1;
        }
        assertThat(others).isGreaterThan(200);
        assertThat(tokenizer.warnings()).singleElement().asString()
                .contains("vocab.json: no merge makes ", " of 8192 tokens");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sample", "tarot", "gpt2-tokenizer"})
    void encodesRandomTextsAsByPairs(String name) {
        long seed = Long.getLong("test.seed", 1);
        var random = new Random(seed);
        var tokenizer = TestTokenizers.read(name);
        var pairwise = new PairwiseBpe(new TokenizerFiles(TestTokenizers.directory(name)).vocabulary());
        for (int round = 0; round < 4_000; round++) {
            var text = random.nextBoolean() ? randomTokens(tokenizer, random) : randomCharacters(random);
            assertThat(tokenizer.encode(text)).as("seed %d: %s", seed, text).isEqualTo(pairwise.encode(text));
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
        }
    }

    /** Tokens glued together, so that merges across their borders compete with those inside. */
    private static String randomTokens(Tokenizer tokenizer, Random random) {
        var ids = random.ints(1 + random.nextInt(8), 0, tokenizer.size()).toArray();
        return tokenizer.decode(ids).replace("<|endoftext|>", "");
    }

    private static String randomCharacters(Random random) {
        int limit = new int[] {0x80, 0x250, 0x3100, 0x20000}[random.nextInt(4)];
        var text = new StringBuilder();
        for (int i = 1 + random.nextInt(12); i > 0; i--) {
            int c = random.nextInt(4) == 0 ? " \t\n\u00a0\u3000'".charAt(random.nextInt(6)) : random.nextInt(limit);
            text.appendCodePoint(c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 'x' : c);
        }
        return text.toString();
    }

    /** One word of many bytes takes another path in the encoder: it must end, and give the same. */
    @Test
    void encodesLongWords() {
        var random = new Random(Long.getLong("test.seed", 1));
        var pairwise = new PairwiseBpe(new TokenizerFiles(TestTokenizers.directory("sample")).vocabulary());
        for (var letters : new String[] {"a", "ab", "aab", "the", "etaoinshrdlu", "0", "-", " ", "é"}) {
            for (int length : new int[] {249, 499, 500, 501, 1500}) {
                var word = word(letters, length, random);
                assertThat(SAMPLE.encode(word)).as("%s × %d", letters, length).isEqualTo(pairwise.encode(word));
            }
            var word = word(letters, 100_000, random);
            assertThat(SAMPLE.decode(SAMPLE.encode(word))).isEqualTo(word);
        }
    }

    private static String word(String letters, int length, Random random) {
        var word = new StringBuilder();
        random.ints(length, 0, letters.length()).forEach(i -> word.append(letters.charAt(i)));
        return word.toString();
    }

    @Test
    void takesATypedSpecialTokenForIt() {
        assertThat(SAMPLE.encode("<|endoftext|>")).containsExactly(8191);
        assertThat(SAMPLE.encode("a<|endoftext|><|endoftext|> a")).containsExactly(
                SAMPLE.single("a"), 8191, 8191, SAMPLE.single(" a"));
        assertThat(SAMPLE.encode("<|endoftext|")).doesNotContain(8191);
    }

    @Test
    void dropsSpecialTokensFromTextAndShowsThemAlone() {
        int a = SAMPLE.single(" a");
        assertThat(SAMPLE.decode(8191, a, 8191)).isEqualTo(" a");
        assertThat(SAMPLE.text(8191)).isEqualTo("<|endoftext|>");
        assertThat(SAMPLE.raw(8191)).isEqualTo("<|endoftext|>");
        assertThat(SAMPLE.text(a)).isEqualTo(" a");
        assertThat(SAMPLE.raw(a)).isEqualTo("Ġa");
        assertThat(SAMPLE.raw(SAMPLE.single("\n"))).isEqualTo("Ċ");
    }

    /** Hugging Face adds those that it names; only who writes one needs a model that has it. */
    @Test
    void refusesTokensThatTheModelLacks(@TempDir Path folder) {
        TestTokenizers.write(folder, TestTokenizers.vocabulary());
        assertThat(Tokenizer.read(folder, 257).encode("a<|endoftext|>")).containsExactly('a', 256);
        var tokenizer = Tokenizer.read(folder, 256);
        assertThat(tokenizer.encode("a")).containsExactly('a');
        assertThatThrownBy(() -> tokenizer.encode("a<|endoftext|>")).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token: <|endoftext|> has id 256 (expected: below the model's vocab_size, 256)");
    }

    /** What the tokenizer puts around texts by itself, or before their first word, is no part of a token's text. */
    @Test
    void knowsATokenWithoutWhatIsAddedToTexts(@TempDir Path folder) {
        TestTokenizers.write(folder, TestTokenizers.vocabulary("<|endoftext|>"));
        TestFiles.write(folder.resolve("tokenizer_config.json"),
                "{\"add_bos_token\": true, \"add_eos_token\": true, \"add_prefix_space\": true}");
        var tokenizer = Tokenizer.read(folder, 257);
        assertThat(tokenizer.encode("a")).containsExactly(256, ' ', 'a', 256);
        assertThat(tokenizer.added(4)).containsExactly(0, 3);
        assertThat(tokenizer.single("a")).isEqualTo('a');
        assertThat(tokenizer.single("<|endoftext|>")).isEqualTo(256);
    }

    /** Some checkpoints round their vocabulary up: those ids have no text, but can be named. */
    @Test
    void namesIdsBeyondTheVocabulary() {
        var padded = Tokenizer.read(TestFiles.sample(), 8200);
        assertThat(padded.size()).isEqualTo(8200);
        assertThat(padded.text(8199)).isEqualTo("<|unused 8199|>");
        assertThat(padded.raw(8192)).isEqualTo("<|unused 8192|>");
        assertThat(padded.decode(8192, padded.single(" a"), 8199)).isEqualTo(" a");
        assertThat(padded.encode("<|unused 8199|>")).doesNotContain(8199).isEqualTo(SAMPLE.encode("<|unused 8199|>"));
        assertThatThrownBy(() -> padded.text(8200)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token: 8200 (expected: 0 to 8199)");
        assertThatThrownBy(() -> padded.decode(-1)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token: -1 (expected: 0 to 8199)");
    }

    /** Tokens that tokenizer.json adds are found whole, the longest first; only special ones are no text. */
    @Test
    void findsAddedTokens(@TempDir Path folder) throws IOException {
        for (var file : new String[] {"vocab.json", "merges.txt"}) {
            Files.copy(TestFiles.sample().resolve(file), folder.resolve(file));
        }
        var json = TestTokenizers.tokenizerJson(folder, false);
        json.withArray("added_tokens").addObject().put("id", 8192).put("content", "lm").put("special", false);
        json.withArray("added_tokens").addObject().put("id", 8193).put("content", "lm debugger").put("special", true);
        TestFiles.write(folder.resolve("tokenizer.json"), json.toString());
        var tokenizer = Tokenizer.read(folder, 8194);
        assertThat(tokenizer.encode("lm debuggerlm")).containsExactly(8193, 8192);
        assertThat(tokenizer.decode(8193, 8192)).isEqualTo("lm");
        assertThat(tokenizer.text(8193)).isEqualTo("lm debugger");
    }

    @Test
    void replacesIncompleteCharacters() {
        var ids = SAMPLE.encode("😀");
        assertThat(ids).hasSizeGreaterThan(1);
        assertThat(SAMPLE.text(ids[0])).isEqualTo("\uFFFD");
        assertThat(SAMPLE.decode(ids[0])).isEqualTo("\uFFFD");
        assertThat(SAMPLE.decode(ids)).isEqualTo("😀");
    }

    @Test
    void streamsWhatDecodeGives() {
        var random = new Random(Long.getLong("test.seed", 1));
        for (int round = 0; round < 500; round++) {
            var ids = random.ints(random.nextInt(20), 0, random.nextBoolean() ? 256 : SAMPLE.size()).toArray();
            var stream = SAMPLE.streamDecoder();
            var text = new StringBuilder();
            Arrays.stream(ids).forEach(id -> text.append(stream.append(id)));
            assertThat(text + stream.finish()).isEqualTo(SAMPLE.decode(ids));
        }
        var stream = SAMPLE.streamDecoder();
        var pieces = new ArrayList<String>();
        Arrays.stream(SAMPLE.encode("é😀")).forEach(id -> pieces.add(stream.append(id)));
        assertThat(pieces.getLast()).isEqualTo("😀");
        assertThat(String.join("", pieces)).isEqualTo("é😀");
    }

    @Test
    void saysWhichTokensATextIs() {
        assertThat(SAMPLE.single(" girl")).isEqualTo(SAMPLE.encode(" girl")[0]);
        assertThat(SAMPLE.single("<|endoftext|>")).isEqualTo(8191);
        assertThatThrownBy(() -> SAMPLE.single(" little girl")).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token: \" little girl\" (expected: one token, but it is 2: \" little\" \" girl\")");
        assertThatThrownBy(() -> SAMPLE.single("")).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("token: \"\" (expected: one token, but it is none)");
        assertThatThrownBy(() -> SAMPLE.single("a\nb"))
                .hasMessageStartingWith("token: \"a\\nb\" (expected: one token, but it is 3: \"a\" \"\\n\" \"b\")");
        assertThatThrownBy(() -> SAMPLE.single("x ".repeat(50))).hasMessageContaining(" …)");
    }

    /** People forget the space that GPT-2's words begin with. */
    @Test
    void suggestsTheTokenWithASpace() {
        var word = IntStream.range(256, SAMPLE.size()).mapToObj(SAMPLE::text)
                .filter(text -> text.startsWith(" ") && SAMPLE.encode(text).length == 1)
                .filter(text -> SAMPLE.encode(text.substring(1)).length > 1)
                .findFirst().orElseThrow();
        assertThatThrownBy(() -> SAMPLE.single(word.substring(1))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageEndingWith("; \"" + word + "\", with a space, is one");
    }

    @Test
    void refusesHalfASurrogatePair() {
        for (var text : new String[] {"a\ud83d", "\ude00", "\ude00\ud83d"}) {
            assertThatThrownBy(() -> SAMPLE.encode(text)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("(expected: surrogates in pairs)");
        }
    }

    @Test
    void spellsBytesAsGpt2Does() {
        assertThat(ByteAlphabet.spell((byte) ' ')).isEqualTo("Ġ");
        assertThat(ByteAlphabet.spell((byte) '\n')).isEqualTo("Ċ");
        assertThat(ByteAlphabet.spell((byte) 0xad)).isEqualTo("Ń");
        assertThat(ByteAlphabet.bytes("ĠdogÃ©")).isEqualTo(" dogé".getBytes(StandardCharsets.UTF_8));
        assertThat(ByteAlphabet.bytes("漢")).isNull();
    }
}
