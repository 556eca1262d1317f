package org.lmdebugger.app.ranking;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.app.ranking.WordSearch.Found;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.tokenizer.Tokenizer;

/** The original's rules for searches by words, on documents of four tokens each: those of the first ten vectors. */
class WordSearchTest {
    private static final int K = 4;
    private static final List<List<String>> DOCUMENTS = List.of(
            List.of("king", "dog", "Ġdog", "Ġcat"), // L0D0
            List.of("Ġking", "dog", "Ġdog", "Ġcat"),
            List.of("Ċking", "dog", "Ġdog", "Ġcat"),
            List.of("ĠKing", "King", "Ġqueen", "Ġcat"),
            List.of("kingdom", "dog", "Ġdog", "Ġcat"),
            List.of("Ġqueen", "dog", "Ġdog", "Ġcat"),
            List.of("Ġnew", "dog", "Ġdog", "Ġcat"),
            List.of("Ġyork", "dog", "Ġdog", "Ġcat"),
            List.of("Ġnew", "Ġyork", "Ġdog", "Ġcat"),
            List.of("Ġnaïve", "!", "'s", "Ġ")); // ï is spelled as two bytes; of "! Ġ! Ċ!" the analyser leaves ġ and ċ

    @AutoClose
    private static final TestModel sample = TestModel.open("sample");
    private static final Gpt2 model = sample.model();
    @AutoClose
    private static final Arena arena = Arena.ofShared();
    private static WordSearch search;

    @BeforeAll
    static void index(@TempDir Path directory) throws IOException {
        var ids = vocabulary(directory);
        var vectors = new ValueVectors(model);
        var data = arena.allocate(vectors.byteSize(K)); // of all other vectors: token 0, which is "!" and no word
        for (int v = 0; v < DOCUMENTS.size(); v++) {
            for (int j = 0; j < K; j++) {
                data.set(ValueLayout.JAVA_INT, 16L * K * v + 4 * j, ids.get(DOCUMENTS.get(v).get(j)));
                data.set(ValueLayout.JAVA_FLOAT, 16L * K * v + 4 * K + 4 * j, v == 1 ? 10 - j : 1 - j);
            }
        }
        search = new WordSearch(vectors.projections(K, data), vectors, Tokenizer.read(directory, ids.size()));
    }

    /** Writes a vocabulary of all bytes and the documents' tokens, which are merged letter by letter. */
    private static Map<String, Integer> vocabulary(Path directory) throws IOException {
        var ids = new LinkedHashMap<String, Integer>();
        for (int c = '!'; c < 0x144; c++) { // the byte alphabet, in GPT-2's order
            if (c <= '~' || c >= 0xa1 && c != 0xad) {
                ids.put(Character.toString(c), ids.size());
            }
        }
        var merges = new ArrayList<String>();
        DOCUMENTS.stream().flatMap(List::stream).map(token -> token.replace("ï", "Ã¯")).forEach(token -> {
            for (int end = 2; end <= token.length(); end++) {
                if (ids.putIfAbsent(token.substring(0, end), ids.size()) == null) {
                    merges.add(token.substring(0, end - 1) + " " + token.charAt(end - 1));
                }
            }
        });
        Files.writeString(directory.resolve("vocab.json"), new ObjectMapper().writeValueAsString(ids));
        Files.write(directory.resolve("merges.txt"),
                Stream.concat(Stream.of("#version: 0.2"), merges.stream()).toList());
        ids.put("Ġnaïve", ids.get("ĠnaÃ¯ve"));
        return ids;
    }

    /** So terms may be found once for each token of the vocabulary. */
    @Test
    void noTermSpansTwoTokens() throws IOException {
        var tokens = IntStream.range(0, model.tokenizer().size()).mapToObj(model.tokenizer()::raw).toList();
        var each = new ArrayList<String>();
        for (var token : tokens) {
            each.addAll(terms(token));
        }
        assertThat(each).hasSizeGreaterThan(7000).isEqualTo(terms(String.join(" ", tokens)));
    }

    private static List<String> terms(String text) throws IOException {
        var terms = new ArrayList<String>();
        try (var analyzer = new StandardAnalyzer(); var stream = analyzer.tokenStream("", text)) {
            var term = stream.addAttribute(CharTermAttribute.class);
            stream.reset();
            while (stream.incrementToken()) {
                terms.add(term.toString());
            }
        }
        return terms;
    }

    private static List<String> found(String words) {
        return search.search(words, 20, false).stream().map(found -> found.vector().toString().substring(2)).toList();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            king|D3 D0 D1 D2
            KING|D3 D0 D1 D2
            "  King ,"|D3 D0 D1 D2
            "king,queen"|D3 D5 D0 D1 D2
            " queen , ,KING"|D3 D5 D0 D1 D2
            kingdom|D4
            new york|D8 D6
            naïve|""
            "new,york"|D8 D6 D7
            Ġking|D1 D3
            zebra|""
            !|D9
            kin|""
            k*|""
            king AND NOT dog|D0 D1 D2 D3 D4 D5 D6 D7
            "dog, zebra"|D0 D1 D2 D4 D5 D6 D7 D8
            """)
    void rules(String words, String expected) {
        assertThat(found(words)).containsExactlyInAnyOrder(expected.isEmpty() ? new String[0] : expected.split(" "));
    }

    @Test
    void theBestComesFirst() {
        assertThat(found("king")).first().isEqualTo("D3"); // twice
        assertThat(found("king, queen")).startsWith("D3", "D2"); // both; the rarest
        assertThat(found("new, york")).startsWith("D8");
        assertThat(found("dog")).as("ties by index").isEqualTo(found("dog").stream().sorted().toList());
        assertThat(search.search("dog", 3, false)).hasSize(3);
    }

    /** Of ĠKing King Ġqueen Ġcat for the query king ġking ċking. */
    @Test
    void scoresAreBm25() {
        double rarity = Math.log(1 + (10 - 2 + 0.5) / (2 + 0.5)); // king and ġking are in two of ten documents each
        double frequency = 1 / (1 + 1.2); // all documents have four terms: ĠnaÃ¯ve is two
        assertThat((double) search.search("king", 1, false).getFirst().score()).isCloseTo(2 * rarity * frequency,
                within(1e-5));
    }

    @Test
    void matchingTokensAreMarked() {
        var best = search.search("King", 1, false).getFirst();
        assertThat(best.tokens().stream().map(word -> word.raw() + word.matches())).containsExactly("ĠKingtrue",
                "Kingtrue", "Ġqueenfalse", "Ġcatfalse");
        assertThat(best.tokens().getFirst().token()).isEqualTo(" King");
        assertThat(best.tokens().getFirst().logit()).isEqualTo(1);
    }

    @Test
    void logitsWeigh() {
        assertThat(search.search("king", 20, true).stream().map(Found::vector).map(Object::toString)).startsWith("L0D1")
                .contains("L0D0", "L0D3");
        var plain = search.search("king", 20, false).stream().filter(each -> each.vector().neuron() == 1).findFirst()
                .orElseThrow();
        assertThat(search.search("king", 20, true).getFirst().score()).isEqualTo(10 * plain.score(), within(1e-4f));
    }

    @Test
    void whatCannotBeSearched() {
        assertThatThrownBy(() -> search.search(" , ", 5, false)).hasMessageStartingWith("words: none");
        assertThatThrownBy(() -> search.search("a ".repeat(300), 5, false))
                .hasMessage("words: 900 terms (expected: at most 600)");
        assertThat(Arrays.asList("a,b", "A , B,"))
                .allSatisfy(words -> assertThat(WordSearch.keywords(words)).containsExactly("a", "b"));
    }
}
