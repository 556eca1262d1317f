package org.lmdebugger.app.json;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.lmdebugger.app.ranking.ExampleSearch.Found;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.interpret.corpus.Corpora.Entry;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.tokenizer.Tokenizer;

/** Corpora as the command prints them and the server answers; the keys are part of their interfaces. */
public final class CorpusJson {
    private static final int TOKENS = 20;

    private CorpusJson() {
    }

    /** The neurons that a search in examples found. */
    public record Search(List<String> terms, Listed corpus, List<SearchResult> results) {
        public static Search of(List<String> terms, CorpusStatistics corpus, List<Found> found,
                Map<Neuron, String> named,
                Tokenizer tokenizer) {
            return new Search(terms, Listed.of(corpus),
                    found.stream().map(each -> new SearchResult(each.vector().layer(),
                            each.vector().neuron(), named.get(each.vector()), each.score(),
                            each.examples().stream().map(example -> Example.of(example, tokenizer)).toList()))
                            .toList());
        }
    }

    /** @param name null if the neuron's value vector has none */
    public record SearchResult(int layer, int neuron, String name, float score, List<Example> examples) {
    }

    /** The corpora of a model. */
    public record Corpora(List<Listed> corpora) {
        public static Corpora of(List<Entry> entries) {
            return new Corpora(entries.stream().map(each -> new Listed(each.name(), each.documents(), each.tokens(),
                    each.window(), each.hash())).toList());
        }
    }

    /** A corpus. @param window tokens of a full window */
    public record Listed(String name, int documents, int tokens, int window, String hash) {
        static Listed of(CorpusStatistics corpus) {
            return new Listed(corpus.name(), corpus.corpus().documents(), corpus.corpus().tokens(),
                    corpus.corpus().window(), corpus.corpus().hash());
        }
    }

    /** A corpus, and what the heads and outputs of each layer do. @param edges between the bins of all histograms */
    public record Corpus(Listed corpus, List<Float> edges, List<Layer> layers) {
        public static Corpus of(CorpusStatistics corpus, Gpt2Config config) {
            return new Corpus(Listed.of(corpus), histogramEdges(), IntStream.range(0, config.layers())
                    .mapToObj(l -> new Layer(Unit.of(corpus.attention(l)), Unit.of(corpus.ffn(l)),
                            IntStream.range(0, config.heads()).mapToObj(h -> Unit.of(corpus.head(l, h))).toList()))
                    .toList());
        }
    }

    private static List<Float> histogramEdges() {
        var edges = Histogram.edges();
        return IntStream.range(0, edges.length).mapToObj(i -> edges[i]).toList();
    }

    /** The norms of what the parts of a layer write to the residual stream. */
    public record Layer(Unit attention, Unit ffn, List<Unit> heads) {
    }

    /** The summary of a part's numbers. @param positive the share above zero */
    public record Unit(long count, double mean, double variance, float min, float max, double positive,
            List<Integer> histogram) {
        static Unit of(CorpusStatistics.Summary summary) {
            return new Unit(summary.count(), summary.mean(), summary.variance(), summary.min(), summary.max(),
                    summary.positive(), summary.histogram());
        }
    }

    /** A token and the mean of a neuron's coefficients there. */
    public record TokenMean(int id, String token, double mean, int count) {
    }

    /** A token where a neuron has a coefficient. @param at its index among {@code tokens} */
    public record Example(int document, int position, float coefficient, int at, List<String> tokens,
            List<Float> coefficients) {
        static Example of(CorpusStatistics.Example example, Tokenizer tokenizer) {
            return new Example(example.document(), example.position(), example.coefficient(), example.at(),
                    example.ids().stream().map(tokenizer::text).toList(), example.coefficients());
        }
    }

    /**
     * What a neuron does over a corpus.
     *
     * @param edges between the bins of the histogram
     * @param bands samples from bands of equal share, the band of the largest first
     */
    public record Examples(int layer, int neuron, Listed corpus, Unit summary, List<Float> edges,
            List<TokenMean> tokens,
            List<Example> largest, List<Example> smallest, List<List<Example>> bands) {
        /** @throws IllegalArgumentException if the model has no such neuron */
        public static Examples of(CorpusStatistics corpus, Neuron neuron, int top, Tokenizer tokenizer) {
            return new Examples(neuron.layer(), neuron.neuron(), Listed.of(corpus), Unit.of(corpus.neuron(neuron)),
                    histogramEdges(),
                    corpus.tokens(neuron, TOKENS).stream().map(token -> new TokenMean(token.id(),
                            tokenizer.text(token.id()), token.mean(), token.count())).toList(),
                    examples(corpus.largest(neuron).stream().limit(top).toList(), tokenizer),
                    examples(corpus.smallest(neuron).stream().limit(top).toList(), tokenizer),
                    corpus.bands(neuron).stream().map(band -> examples(band, tokenizer)).toList());
        }

        private static List<Example> examples(List<CorpusStatistics.Example> examples, Tokenizer tokenizer) {
            return examples.stream().map(each -> Example.of(each, tokenizer)).toList();
        }
    }
}
