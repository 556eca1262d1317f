package org.lmdebugger.app.ranking;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LogDocMergePolicy;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.util.QueryBuilder;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A search for value vectors by words among the tokens that they promote most, as in LM-Debugger: a document for each
 * vector, of its tokens as the vocabulary spells them, read by Lucene's standard analyser; of the keywords, which
 * commas separate, each is looked for as a word, after a space and after a line feed; vectors with any of them are
 * found, and BM25 ranks. The index is in memory and made from the projections each time. Any thread may search.
 */
public final class WordSearch {
    /** Terms of a query, at most. */
    private static final int TERMS = 600;
    private static final String FIELD = "tokens";
    private static final Logger LUCENE = Logger.getLogger("org.apache.lucene");

    static {
        LUCENE.setLevel(Level.WARNING); // no line about vector instructions
    }

    private final Projections projections;
    private final ValueVectors vectors;
    private final Tokenizer tokenizer;
    private final Analyzer analyzer = new StandardAnalyzer();
    private final List<List<String>> terms; // of each token, by id
    private final IndexSearcher searcher;

    /**
     * A vector that was found.
     *
     * @param tokens those that it promotes most, all that are indexed
     */
    public record Found(Neuron vector, float score, List<Word> tokens) {
    }

    /** A token of a vector that was found, and whether one of the keywords matches it. */
    public record Word(int id, String token, String raw, float logit, boolean matches) {
    }

    /** Indexes the tops of all vectors. */
    public WordSearch(Projections projections, ValueVectors vectors, Tokenizer tokenizer) {
        this.projections = projections;
        this.vectors = vectors;
        this.tokenizer = tokenizer;
        terms = IntStream.range(0, tokenizer.size()).mapToObj(id -> terms(tokenizer.raw(id))).toList();
        try {
            searcher = new IndexSearcher(DirectoryReader.open(index()));
        } catch (IOException failure) {
            throw new UncheckedIOException("index in memory", failure);
        }
    }

    private ByteBuffersDirectory index() throws IOException {
        var directory = new ByteBuffersDirectory();
        // documents keep their order, by which equal scores are sorted
        var config = new IndexWriterConfig(analyzer).setMergePolicy(new LogDocMergePolicy()).setRAMBufferSizeMB(64)
                .setUseCompoundFile(false);
        try (var writer = new IndexWriter(directory, config)) {
            var stream = new TokenTerms();
            var document = new Document();
            document.add(new TextField(FIELD, stream));
            for (int v = 0; v < vectors.count(); v++) {
                stream.ids = projections.topIds(v);
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        }
        return directory;
    }

    /**
     * The terms of some tokens, one after another: those that the analyser would find in the tokens with spaces between
     * them, as no token holds a space, but found once for each token of the vocabulary and not for each vector.
     */
    private final class TokenTerms extends TokenStream {
        private final CharTermAttribute term = addAttribute(CharTermAttribute.class);
        private int[] ids;
        private int token;
        private int next;

        @Override
        public void reset() {
            token = 0;
            next = 0;
        }

        @Override
        public boolean incrementToken() {
            while (token < ids.length && next == terms.get(ids[token]).size()) {
                token++;
                next = 0;
            }
            if (token == ids.length) {
                return false;
            }
            clearAttributes();
            term.append(terms.get(ids[token]).get(next++));
            return true;
        }
    }

    /** Returns the keywords of {@code words}: separated by commas, in lower case, without space around them. */
    public static List<String> keywords(String words) {
        var keywords = Arrays.stream(words.split(",")).map(word -> word.toLowerCase(Locale.ROOT).strip())
                .filter(word -> !word.isEmpty()).toList();
        if (keywords.isEmpty()) {
            throw new IllegalArgumentException("words: none (expected: at least one; commas separate several)");
        }
        return keywords;
    }

    /**
     * Returns the vectors that match best; ties to the lower index.
     *
     * @param words keywords, separated by commas
     * @param top   how many vectors, at most
     * @param weigh whether scores are multiplied with the sum of the matching tokens' logits, as far as they are positive:
     *              BM25 alone does not see how strongly a vector promotes them
     * @throws IllegalArgumentException if there are no keywords, or too many
     */
    public List<Found> search(String words, int top, boolean weigh) {
        var text = keywords(words).stream().map(word -> "%s Ġ%<s Ċ%<s".formatted(word))
                .collect(Collectors.joining(" "));
        var asked = terms(text);
        if (asked.size() > TERMS) {
            throw new IllegalArgumentException("words: %d terms (expected: at most %d)".formatted(asked.size(), TERMS));
        }
        var query = new QueryBuilder(analyzer).createBooleanQuery(FIELD, text, BooleanClause.Occur.SHOULD);
        var wanted = Set.copyOf(asked);
        var matching = new BitSet();
        IntStream.range(0, terms.size()).filter(id -> !Collections.disjoint(terms.get(id), wanted))
                .forEach(matching::set);
        try {
            var hits = searcher.search(query, weigh ? vectors.count() : top).scoreDocs;
            var found = Arrays.stream(hits).map(hit -> found(hit, matching, weigh));
            return (weigh ? found.sorted(Comparator.comparingDouble(each -> -each.score())).limit(top) : found)
                    .toList();
        } catch (IOException failure) {
            throw new UncheckedIOException("index in memory", failure);
        }
    }

    private Found found(ScoreDoc hit, BitSet matching, boolean weigh) {
        var ids = projections.topIds(hit.doc);
        var logits = projections.topLogits(hit.doc);
        var tokens = IntStream.range(0, ids.length).mapToObj(
                j -> new Word(ids[j], tokenizer.text(ids[j]), tokenizer.raw(ids[j]), logits[j], matching.get(ids[j])))
                .toList();
        double weight = weigh
                ? tokens.stream().filter(Word::matches).mapToDouble(word -> Math.max(0, word.logit())).sum()
                : 1;
        return new Found(vectors.at(hit.doc), (float) (weight * hit.score), tokens);
    }

    private List<String> terms(String text) {
        return terms(analyzer, text);
    }

    /** Returns the terms that an analyser finds in {@code text}. */
    static List<String> terms(Analyzer analyzer, String text) {
        var found = new ArrayList<String>();
        try (var stream = analyzer.tokenStream(FIELD, text)) {
            var term = stream.addAttribute(CharTermAttribute.class);
            stream.reset();
            while (stream.incrementToken()) {
                found.add(term.toString());
            }
            stream.end();
        } catch (IOException failure) {
            throw new UncheckedIOException("from memory", failure);
        }
        return found;
    }
}
