package org.lmdebugger.interpret.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.corpus.Corpus.Window;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Example;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Summary;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** Statistics and examples of a corpus are those that whole forwards of each of its windows give. */
@OnEveryDevice
@TestInstance(Lifecycle.PER_CLASS)
class CorpusTest {
    private static final int WINDOW = 6;
    private static final List<String> WORDS = List.of("the", "a", "little", "girl", "boy", "dog", "saw", "ran", "to",
            "and", "big", "red", "ball", "was", "happy", "king", "queen", "said", "tree", "in");

    @AutoClose
    private final TestModel test = TestModel.open("sample");
    private final Gpt2 model = test.model();
    private final List<Activations> runs = new ArrayList<>(); // of each window

    private Corpus corpus;
    private CorpusStatistics statistics;

    /** Returns documents of 1 to {@code most} words. */
    static Stream<String> documents(int count, int most, long seed) {
        var random = new SplittableRandom(seed);
        return IntStream.range(0, count).mapToObj(i -> IntStream.range(0, random.nextInt(1, most + 1))
                .mapToObj(w -> WORDS.get(random.nextInt(WORDS.size()))).collect(Collectors.joining(" ", "", ".")));
    }

    @BeforeAll
    void build(@TempDir Path folder) {
        corpus = Corpus.of(model, documents(12, 9, 1), WINDOW);
        corpus.windows().forEach(window -> runs.add(Activations.forward(model, corpus.ids(window),
                CompiledIntervention.NONE, Activations.Keep.ALL)));
        // batches of one window: their products have the shapes of the runs, and so their bits
        statistics = new Corpora(folder, model, 1, Long.MAX_VALUE).build("small", corpus, Progress.NONE);
    }

    @AfterAll
    void close() {
        runs.forEach(Activations::close);
    }

    /** Returns a neuron's coefficients, in the order of the windows. */
    private float[] coefficients(Neuron neuron) {
        return column(Site.COEFFICIENTS, neuron.layer(), neuron.neuron());
    }

    private float[] column(Site site, int layer, int column) {
        var numbers = new ArrayList<Float>();
        runs.forEach(run -> {
            for (float number : run.at(site, layer).columns(column, 1).toFloats()) {
                numbers.add(number);
            }
        });
        return floats(numbers);
    }

    private static float[] floats(List<Float> list) {
        var numbers = new float[list.size()];
        IntStream.range(0, numbers.length).forEach(i -> numbers[i] = list.get(i));
        return numbers;
    }

    private List<Neuron> neurons() {
        return IntStream.range(0, model.config().layers())
                .mapToObj(l -> IntStream.of(0, 5, 255, 256, 521, 767).mapToObj(i -> new Neuron(l, i)))
                .flatMap(each -> each).toList();
    }

    @Test
    void aNeuronsSummaryIsThatOfItsCoefficients() {
        for (var neuron : neurons()) {
            var numbers = coefficients(neuron);
            checkExact(statistics.neuron(neuron), numbers, 0);
        }
    }

    /** @param tolerance relative, of the numbers themselves: 0 if they have the same bits */
    private void checkExact(Summary summary, float[] numbers, double tolerance) {
        double sum = 0;
        double squares = 0;
        float min = numbers[0];
        float max = numbers[0];
        int positive = 0;
        var histogram = new int[Histogram.BINS];
        for (float x : numbers) {
            sum += x;
            squares += (double) x * x;
            min = Math.min(min, x);
            max = Math.max(max, x);
            positive += x > 0 ? 1 : 0;
            histogram[Histogram.bin(x)]++;
        }
        double n = numbers.length;
        assertThat(summary.count()).isEqualTo(corpus.tokens()).isEqualTo(numbers.length);
        assertThat((double) summary.min()).isCloseTo(min, within(tolerance * Math.abs(min)));
        assertThat((double) summary.max()).isCloseTo(max, within(tolerance * Math.abs(max)));
        if (tolerance == 0) {
            assertThat(summary.histogram()).isEqualTo(IntStream.of(histogram).boxed().toList());
            assertThat(summary.positive()).isEqualTo(positive / n);
        }
        // the order of the sums is the same; a head's numbers differ by the rounding of its product in FP32
        double mean = sum / n;
        assertThat(summary.mean()).isCloseTo(mean, within(1e-15 * Math.abs(mean) + tolerance * max));
        assertThat(summary.variance()).isCloseTo(Math.max(0, squares / n - mean * mean),
                within(1e-15 * squares / n + 2 * tolerance * squares / n));
    }

    @Test
    void headsAndOutputsAreSummedUpByTheirNorms() {
        int d = model.config().width();
        int size = d / model.config().heads();
        for (int l = 0; l < model.config().layers(); l++) {
            int layer = l;
            var weights = model.layer(l).attentionOut().toFloats();
            for (int head : new int[] {0, model.config().heads() - 1}) {
                checkExact(statistics.head(l, head), norms(row -> {
                    var out = new double[d];
                    var z = row.run().z(layer).row(row.position()).columns((long) head * size, size).toFloats();
                    for (int i = 0; i < size; i++) {
                        for (int c = 0; c < d; c++) {
                            out[c] += (double) z[i] * weights[(head * size + i) * d + c];
                        }
                    }
                    return out;
                }), 1e-5);
            }
            checkExact(statistics.attention(l), norms(row -> sum(row, Site.ATTENTION_OUT, layer,
                    model.layer(layer).attentionBias().toFloats())), 0);
            checkExact(statistics.ffn(l),
                    norms(row -> sum(row, Site.FFN_OUT, layer, model.layer(layer).ffnOutBias().toFloats())), 0);
        }
    }

    private record Row(Activations run, int position) {
    }

    private interface RowVector {
        double[] of(Row row);
    }

    private static double[] sum(Row row, Site site, int layer, float[] bias) {
        var numbers = row.run().at(site, layer).row(row.position()).toFloats();
        return IntStream.range(0, bias.length).mapToDouble(c -> (double) numbers[c] + bias[c]).toArray();
    }

    private float[] norms(RowVector vector) {
        var norms = new ArrayList<Float>();
        for (var run : runs) {
            for (int p = 0; p < run.length(); p++) {
                double square = 0;
                for (double number : vector.of(new Row(run, p))) {
                    square += number * number;
                }
                norms.add((float) Math.sqrt(square));
            }
        }
        return floats(norms);
    }

    @Test
    void meansOfEverySiteAreThoseOfItsRowsAtEachPositionAndOverAll() {
        for (var site : Site.values()) {
            for (int l = 0; l < model.config().layers(); l += 3) {
                int columns = (int) runs.getFirst().at(site, l).columns();
                var all = new double[columns];
                for (int p = 0; p < WINDOW; p++) {
                    var sum = new double[columns];
                    int count = 0;
                    for (var run : runs) {
                        if (p < run.length()) {
                            var row = run.at(site, l).row(p).toFloats();
                            IntStream.range(0, columns).forEach(c -> sum[c] += row[c]);
                            count++;
                        }
                    }
                    var mean = statistics.meanAt(site, l, p);
                    for (int c = 0; c < columns; c++) {
                        all[c] += sum[c];
                        assertThat(mean[c]).as("%s of layer %d at %d", site, l, p).isEqualTo((float) (sum[c] / count));
                    }
                }
                var mean = statistics.mean(site, l);
                for (int c = 0; c < columns; c++) {
                    assertThat(mean[c]).as("%s of layer %d", site, l).isEqualTo((float) (all[c] / corpus.tokens()));
                }
            }
        }
    }

    /** Tables go from the device to a file and back. */
    @Test
    void anInterruptedBuildGoesOnToTheSameBytes(@TempDir Path whole, @TempDir Path interrupted) throws IOException {
        var small = Corpus.of(model, documents(3, 9, 2), WINDOW);
        new Corpora(whole, model, 1, Long.MAX_VALUE).build("a", small, Progress.NONE);
        var corpora = new Corpora(interrupted, model, 1, Long.MAX_VALUE);
        assertThatThrownBy(() -> corpora.build("a", small, (done, total) -> {
            throw new CancellationException();
        })).isInstanceOf(CancellationException.class);
        corpora.build("a", small, Progress.NONE);
        var file = Path.of("corpora", model.fingerprint(), "a.corpus");
        assertThat(interrupted.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
    }

    private record Found(Window window, int position, float coefficient) {
    }

    /** Returns the best of each document, the best first. */
    private List<Found> best(Neuron neuron, int sign) {
        var all = new ArrayList<Found>();
        for (int w = 0; w < runs.size(); w++) {
            var numbers = runs.get(w).coefficients(neuron.layer()).columns(neuron.neuron(), 1).toFloats();
            for (int p = 0; p < numbers.length; p++) {
                all.add(new Found(corpus.windows().get(w), p, numbers[p]));
            }
        }
        var order = Comparator.comparingDouble((Found each) -> -sign * each.coefficient())
                .thenComparingInt(each -> each.window().document())
                .thenComparingInt(each -> each.window().start() + each.position());
        return all.stream().sorted(order).collect(Collectors.toMap(each -> each.window().document(), each -> each,
                (first, second) -> first)).values().stream().sorted(order).limit(Shape.EXAMPLES).toList();
    }

    @Test
    void examplesAreTheBestOfEachDocumentWithTheirContexts() {
        for (var neuron : neurons()) {
            for (var side : Map.of(1, statistics.largest(neuron), -1, statistics.smallest(neuron)).entrySet()) {
                var expected = best(neuron, side.getKey());
                assertThat(side.getValue()).hasSameSizeAs(expected);
                for (int i = 0; i < expected.size(); i++) {
                    check(side.getValue().get(i), expected.get(i), neuron);
                }
            }
        }
    }

    private void check(Example example, Found expected, Neuron neuron) {
        var window = expected.window();
        assertThat(example.document()).isEqualTo(window.document());
        assertThat(example.position()).isEqualTo(window.start() + expected.position());
        assertThat(example.coefficient()).isEqualTo(expected.coefficient());
        // a window is shorter than the context
        assertThat(example.at()).isEqualTo(expected.position());
        assertThat(example.ids()).isEqualTo(IntStream.of(corpus.ids(window)).boxed().toList());
        var run = runs.get(corpus.windows().indexOf(window));
        var numbers = run.coefficients(neuron.layer()).columns(neuron.neuron(), 1).toFloats();
        assertThat(floats(example.coefficients())).isEqualTo(numbers);
    }

    @Test
    void bandsAreTheTokensThatWereDrawnByTheSizeOfTheCoefficient() {
        for (var neuron : neurons()) {
            var bands = statistics.bands(neuron);
            assertThat(bands).hasSize(5);
            var all = bands.stream().flatMap(List::stream).toList();
            assertThat(all).hasSize(Math.min(50, corpus.tokens())).doesNotHaveDuplicates()
                    .isSortedAccordingTo(Comparator.comparingDouble(each -> -each.coefficient()));
            assertThat(all.stream().map(Example::document).distinct().count()).isEqualTo(corpus.documents());
            for (var example : all) {
                var window = corpus.window(new Corpus.Place(example.document(), example.position()));
                check(example, new Found(window, example.position() - window.start(), example.coefficient()), neuron);
            }
        }
    }

    @Test
    void tokensHaveTheMeansOfTheirOwnCoefficients() {
        var ids = corpus.windows().stream().flatMapToInt(window -> IntStream.of(corpus.ids(window))).toArray();
        for (var neuron : neurons()) {
            var numbers = coefficients(neuron);
            var tokens = statistics.tokens(neuron, 1000);
            assertThat(tokens).hasSize((int) IntStream.of(ids).distinct().count())
                    .isSortedAccordingTo(Comparator.comparingDouble(token -> -token.mean()));
            for (var token : tokens) {
                var own = IntStream.range(0, ids.length).filter(i -> ids[i] == token.id()).toArray();
                assertThat(token.count()).isEqualTo(own.length);
                double sum = 0;
                for (int i : own) {
                    sum += numbers[i];
                }
                assertThat(token.mean()).isEqualTo(sum / own.length);
            }
        }
    }
}
