package org.lmdebugger.app.ranking;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
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
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Example;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A search for neurons by words in the texts where their coefficients are largest: a document for each neuron, of the
 * {@value #NEAR} tokens before and after the token of each of its largest examples; BM25 ranks. The index is in memory and
 * made each time. Any thread may search.
 */
public final class ExampleSearch {
    private static final String FIELD = "texts";
    private static final int NEAR = 5;
    private static final int SHOWN = 3; // examples of a neuron that was found
    private static final int TERMS = 600; // of a query, at most

    private final CorpusStatistics corpus;
    private final ValueVectors vectors;
    private final Tokenizer tokenizer;
    private final Analyzer analyzer = new StandardAnalyzer();
    private final IndexSearcher searcher;

    /** A neuron that was found. @param examples up to three of its largest that have one of the words */
    public record Found(Neuron vector, float score, List<Example> examples) {
    }

    /** Indexes the examples of all neurons. */
    public ExampleSearch(CorpusStatistics corpus, ValueVectors vectors, Tokenizer tokenizer) {
        this.corpus = corpus;
        this.vectors = vectors;
        this.tokenizer = tokenizer;
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
            for (int v = 0; v < vectors.count(); v++) {
                var document = new Document();
                corpus.largest(vectors.at(v))
                        .forEach(each -> document.add(new TextField(FIELD, text(each), Field.Store.NO)));
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        }
        return directory;
    }

    /** Returns the text near the token of an example. */
    private String text(Example example) {
        int from = Math.max(0, example.at() - NEAR);
        int to = Math.min(example.ids().size(), example.at() + NEAR + 1);
        return tokenizer.decode(example.ids().subList(from, to).stream().mapToInt(id -> id).toArray());
    }

    /**
     * Returns the neurons that match best; ties to the lower index.
     *
     * @param words keywords, separated by commas
     * @param top   how many neurons, at most
     * @throws IllegalArgumentException if there are no keywords, or too many
     */
    public List<Found> search(String words, int top) {
        var text = String.join(" ", WordSearch.keywords(words));
        var terms = Set.copyOf(WordSearch.terms(analyzer, text));
        if (terms.size() > TERMS) {
            throw new IllegalArgumentException("words: %d terms (expected: at most %d)".formatted(terms.size(), TERMS));
        }
        var query = new QueryBuilder(analyzer).createBooleanQuery(FIELD, text, BooleanClause.Occur.SHOULD);
        if (query == null) { // no letters
            return List.of();
        }
        try {
            return Arrays.stream(searcher.search(query, top).scoreDocs).map(hit -> found(hit, terms)).toList();
        } catch (IOException failure) {
            throw new UncheckedIOException("index in memory", failure);
        }
    }

    private Found found(ScoreDoc hit, Set<String> terms) {
        var vector = vectors.at(hit.doc);
        return new Found(vector, hit.score, corpus.largest(vector).stream()
                .filter(each -> !Collections.disjoint(WordSearch.terms(analyzer, text(each)), terms)).limit(SHOWN)
                .toList());
    }
}
