package org.lmdebugger.interpret.corpus;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.corpus.Corpus.Place;
import org.lmdebugger.interpret.corpus.Shape.Section;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Site;

/**
 * What a model does over a corpus: statistics of every neuron, head and output, means of every site's rows, and examples
 * of each neuron. The numbers are in a mapped file; any thread may read them, and the mapping ends with this object.
 */
public final class CorpusStatistics implements References.Reference {
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED
            .withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int BANDS = 5;

    private final String name;
    private final Corpus corpus;
    private final Shape shape;
    private final List<MemorySegment> layers;
    private final int[] counts; // of windows that have a position
    private final int[] frequent;
    private final int[] frequencies; // of tokens, by id
    private final List<Place> samples;

    CorpusStatistics(String name, Gpt2Config config, CorpusFile.Content content) {
        this.name = name;
        corpus = content.corpus();
        shape = Shape.of(config, corpus);
        layers = content.layers();
        counts = corpus.counts();
        frequent = corpus.frequent(Shape.TOKENS);
        frequencies = corpus.frequencies();
        samples = corpus.sample(Shape.SAMPLES);
    }

    /**
     * The numbers of one unit over all tokens: a neuron's coefficients, or the norms of what a head, attention or a
     * feed-forward layer writes to the residual stream.
     *
     * @param count     of tokens, n
     * @param mean      Σx ÷ n, in F64
     * @param variance  Σx² ÷ n − mean², in F64, at least 0
     * @param positive  the share above zero
     * @param histogram counts in {@link Histogram#BINS} bins, whose {@linkplain Histogram#edges edges} are the same for all
     */
    public record Summary(long count, double mean, double variance, float min, float max, double positive,
            List<Integer> histogram) {
        public Summary {
            histogram = List.copyOf(histogram);
        }
    }

    /** The mean coefficient of a neuron at one token. @param count how often the token comes */
    public record TokenMean(int id, double mean, int count) {
    }

    /**
     * A token where a neuron has a coefficient, with its window's tokens around it.
     *
     * @param document     number of the document, from 0
     * @param position     of the token in its document
     * @param at           index of the token among {@code ids}
     * @param ids          up to 20 tokens before it, itself, and up to 20 after it
     * @param coefficients of the neuron at each of them
     */
    public record Example(int document, int position, float coefficient, int at, List<Integer> ids,
            List<Float> coefficients) {
        public Example {
            ids = List.copyOf(ids);
            coefficients = List.copyOf(coefficients);
        }
    }

    /** Returns the name under which it is kept. */
    public String name() {
        return name;
    }

    public Corpus corpus() {
        return corpus;
    }

    /** Returns the summary of a neuron's coefficients. @throws IllegalArgumentException if there is no such neuron */
    public Summary neuron(Neuron neuron) {
        return summary(neuron.layer(), check(neuron));
    }

    /** Returns the summary of ‖z·W_O‖ of a head, without the bias. */
    public Summary head(int layer, int head) {
        return summary(layer, shape.neurons() + checked("head", head, shape.heads()));
    }

    /** Returns the summary of the norm of attention's output, with its bias. */
    public Summary attention(int layer) {
        return summary(layer, shape.neurons() + shape.heads());
    }

    /** Returns the summary of the norm of a feed-forward layer's output, with its bias. */
    public Summary ffn(int layer) {
        return summary(layer, shape.neurons() + shape.heads() + 1);
    }

    private Summary summary(int l, int unit) {
        checked("layer", l, shape.layers());
        double n = corpus.tokens();
        double mean = f64(l, Section.SUMS, unit) / n;
        var histogram = IntStream.range(0, Histogram.BINS)
                .mapToObj(i -> i32(l, Section.HISTOGRAMS, (long) unit * Histogram.BINS + i)).toList();
        return new Summary(corpus.tokens(), mean, Math.max(0, f64(l, Section.SQUARES, unit) / n - mean * mean),
                f32(l, Section.MIN, unit), f32(l, Section.MAX, unit),
                histogram.stream().skip(Histogram.BINS / 2).mapToLong(i -> i).sum() / n, histogram);
    }

    private int check(Neuron neuron) {
        if (neuron.layer() >= shape.layers() || neuron.neuron() >= shape.neurons()) {
            throw new IllegalArgumentException("neuron: %s (expected: L0 to L%d and D0 to D%d in this model)"
                    .formatted(neuron, shape.layers() - 1, shape.neurons() - 1));
        }
        return neuron.neuron();
    }

    private static int checked(String what, int index, int count) {
        if (index < 0 || index >= count) {
            throw new IllegalArgumentException("%s: %d (expected: 0 to %d)".formatted(what, index, count - 1));
        }
        return index;
    }

    /**
     * Returns the tokens with the largest mean coefficients, among the {@value Shape#TOKENS} most frequent of the corpus;
     * ties to the lower id.
     */
    public List<TokenMean> tokens(Neuron neuron, int most) {
        int c = check(neuron);
        return IntStream.range(0, frequent.length).mapToObj(i -> {
            int count = frequencies[frequent[i]];
            return new TokenMean(frequent[i],
                    f64(neuron.layer(), Section.TOKENS, (long) i * shape.neurons() + c) / count, count);
        }).sorted(Comparator.comparingDouble((TokenMean token) -> -token.mean()).thenComparingInt(TokenMean::id))
                .limit(most).toList();
    }

    /**
     * Returns the {@value Shape#EXAMPLES} largest coefficients of all documents, one of each, largest first; fewer if there
     * are fewer documents.
     */
    public List<Example> largest(Neuron neuron) {
        return extremes(0, neuron);
    }

    /** Returns the smallest coefficients, smallest first. */
    public List<Example> smallest(Neuron neuron) {
        return extremes(shape.neurons(), neuron);
    }

    private List<Example> extremes(int firstList, Neuron neuron) {
        int l = neuron.layer();
        long list = ((long) firstList + check(neuron)) * Shape.EXAMPLES;
        return IntStream.range(0, Shape.EXAMPLES).filter(i -> i32(l, Section.DOCUMENTS, list + i) >= 0)
                .mapToObj(i -> example(
                        new Place(i32(l, Section.DOCUMENTS, list + i), i32(l, Section.PLACES, list + i)),
                        token -> f32(l, Section.CONTEXTS, (list + i) * Shape.SPAN + token)))
                .toList();
    }

    /**
     * Returns samples of a neuron's coefficients from {@value #BANDS} bands of equal share, the band of the largest
     * first: of {@value Shape#SAMPLES} tokens that were drawn from the corpus, the same for all neurons, each fifth by the
     * size of the coefficient. Within a band the largest come first.
     */
    public List<List<Example>> bands(Neuron neuron) {
        int c = check(neuron);
        var sorted = IntStream.range(0, samples.size())
                .mapToObj(i -> example(samples.get(i),
                        token -> f32(neuron.layer(), Section.SAMPLES,
                                ((long) i * Shape.SPAN + token) * shape.neurons() + c)))
                .sorted(Comparator.comparingDouble((Example each) -> -each.coefficient())
                        .thenComparingInt(Example::document).thenComparingInt(Example::position))
                .toList();
        return IntStream.range(0, BANDS).mapToObj(
                band -> sorted.subList(band * sorted.size() / BANDS, (band + 1) * sorted.size() / BANDS)).toList();
    }

    private interface Numbers {
        float at(int token);
    }

    private Example example(Place place, Numbers context) {
        var window = corpus.window(place);
        int from = Math.max(window.start(), place.position() - Shape.CONTEXT);
        int to = Math.min(window.start() + window.length(), place.position() + Shape.CONTEXT + 1);
        int first = Shape.CONTEXT - (place.position() - from);
        return new Example(place.document(), place.position(), context.at(Shape.CONTEXT), place.position() - from,
                IntStream.of(corpus.ids(place.document(), from, to)).boxed().toList(),
                IntStream.range(first, first + to - from).mapToObj(context::at).toList());
    }

    @Override
    public String hash() {
        return corpus.hash();
    }

    @Override
    public int positions() {
        return shape.positions();
    }

    @Override
    public float[] mean(Site site, int layer) {
        return means(site, layer, IntStream.range(0, shape.positions()).toArray());
    }

    @Override
    public float[] meanAt(Site site, int layer, int position) {
        return means(site, layer, checked("position", position, shape.positions()));
    }

    /** Returns the mean row of a site at some positions, in the order of the positions, [n]. */
    private float[] means(Site site, int layer, int... positions) {
        long count = IntStream.of(positions).mapToLong(p -> counts[p]).sum();
        var means = new float[shape.columns(site)];
        int first = shape.firstColumn(site);
        for (int c = 0; c < means.length; c++) {
            double sum = 0;
            for (int p : positions) {
                sum += f64(layer, Section.POSITIONS, (long) p * shape.columns() + first + c);
            }
            means[c] = (float) (sum / count);
        }
        return means;
    }

    @Override
    public int[] draw(int length, long seed) {
        return corpus.ids(corpus.draw(length, seed));
    }

    private double f64(int layer, Section section, long index) {
        return layers.get(layer).get(F64, shape.offset(section) + Double.BYTES * index);
    }

    private float f32(int layer, Section section, long index) {
        return layers.get(layer).get(F32, shape.offset(section) + Float.BYTES * index);
    }

    private int i32(int layer, Section section, long index) {
        return layers.get(layer).get(I32, shape.offset(section) + Integer.BYTES * index);
    }
}
