package org.lmdebugger.interpret.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edge.CircuitSearch.Removal;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Circuits, against a plain implementation, single edges and patched parts. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CircuitTest {
    private static final Pair PAIR = Pair.of("Once upon a time there was a little girl named",
            "Once upon a time there was a little boy named", " Lily", " Timmy");
    /** Logits up to 30 in single precision, as in the golden values. */
    private static final double DIFFERENCE = 1e-4;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Gpt2 model = sample.model();
    @AutoClose
    private final CircuitEngine engine = new CircuitEngine(model, PAIR, Direction.NOISE);
    private final Circuit whole = Circuit.all(model.config());

    private double difference(Circuit circuit) {
        return engine.scores(List.of(circuit)).getFirst().difference();
    }

    @Test
    void theWholeModelIsOnePromptsRunAndTheEmptyCircuitTheOthers() {
        var scores = engine.scores(List.of(whole, Circuit.of(List.of())));
        assertThat(scores.getFirst().faithfulness()).isCloseTo(1, within(1e-4));
        assertThat(scores.getFirst().kl()).isCloseTo(0, within(1e-6));
        assertThat(scores.getFirst().edges()).isEqualTo(Edge.all(model.config()).size());
        assertThat(scores.getLast().faithfulness()).isCloseTo(0, within(1e-4));
        assertThat(scores.getLast().difference()).isCloseTo(engine.baseline().corrupted(), within(DIFFERENCE));
        assertThat(engine.scores(List.of(whole, Circuit.of(List.of())))).isEqualTo(scores);
    }

    @Test
    void withoutOneEdgeItIsThatEdgePatched() {
        var edges = new ArrayList<>(Edge.all(model.config()));
        Collections.shuffle(edges, new Random(3));
        var some = edges.subList(0, TestDevice.isEmulated() ? 2 : 20);
        var effects = sample.debugger().edges(PAIR, Direction.NOISE, some, Progress.NONE);
        var scores = engine.scores(effects.edges().stream().map(edge -> whole.without(List.of(edge))).toList());
        for (int e = 0; e < some.size(); e++) {
            assertThat(scores.get(e).difference()).as(effects.edges().get(e).toString())
                    .isCloseTo(effects.cells().get(e).difference(), within(DIFFERENCE));
        }
    }

    @Test
    void withoutAllEdgesOutOfAPartItIsThatPartPatched() {
        for (var kind : List.of(PartSelection.Kind.HEADS, PartSelection.Kind.FFN)) {
            var grid = sample.debugger().patch(PAIR, new Patching(new PartSelection.OfKind(kind), Direction.NOISE,
                    Patching.Columns.ALL));
            for (int p = 0; p < grid.parts().size(); p += TestDevice.isEmulated() ? 13 : 1) {
                var sender = Sender.parse(grid.parts().get(p).toString());
                assertThat(difference(whole.without(Edge.select(model.config(), sender + ">*")))).as(sender.toString())
                        .isCloseTo(grid.cells().get(p).getFirst().difference(), within(DIFFERENCE));
            }
        }
    }

    @Test
    void partsThatAreKeptKeepTheEdgesBetweenThem() {
        var circuit = Circuit.ofParts(model.config(), List.of(Sender.ffn(0), Sender.head(2, 5)));
        assertThat(circuit.edges()).map(Edge::toString).containsExactlyInAnyOrder("embedding>L0.ffn",
                "embedding>L2H5.q",
                "embedding>L2H5.k", "embedding>L2H5.v", "L0.ffn>L2H5.q", "L0.ffn>L2H5.k", "L0.ffn>L2H5.v",
                "embedding>logits", "L0.ffn>logits", "L2H5>logits");
        assertThat(engine.scores(List.of(circuit)).getFirst().faithfulness()).isBetween(0.3, 1.0);
        assertThatThrownBy(() -> Circuit.ofParts(model.config(), List.of(Sender.head(2, 9))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("edge: L2H9>logits (expected: layers L0");
        assertThatThrownBy(() -> engine.scores(List.of(Circuit.of(List.of(Edge.parse("L7.ffn>logits"))))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("edge: L7.ffn>logits (expected: layers");
    }

    private Circuit start() {
        var parts = List.of(Sender.ffn(0), Sender.head(2, 5), Sender.ffn(1), Sender.ffn(3), Sender.head(3, 1));
        return Circuit.ofParts(model.config(), parts.subList(0, TestDevice.isEmulated() ? 2 : parts.size()));
    }

    private static Circuit remove(CircuitAverages scores, Circuit from, double threshold, List<Removal> reached) {
        return CircuitSearch.remove(scores, from, threshold, Removal.of(scores, from), reached::add);
    }

    @Test
    void greedyRemovalKeepsTheEdgesWhoseRemovalMovesTheDifference() {
        var start = start();
        double threshold = 0.1;
        try (var scores = new CircuitAverages(model, List.of(PAIR), Direction.NOISE, Optional.empty())) {
            var found = remove(scores, start, threshold, new ArrayList<>());
            var circuit = start; // one edge after the other
            double difference = difference(circuit);
            for (var edge : new ArrayList<>(start.edges()).reversed()) {
                var without = circuit.without(List.of(edge));
                double moved = difference(without);
                if (Math.abs(moved - difference) < threshold) {
                    circuit = without;
                    difference = moved;
                }
            }
            assertThat(found).isEqualTo(circuit);
            assertThat(found.edges()).hasSizeLessThan(start.edges().size()).isNotEmpty();
            assertThatThrownBy(() -> remove(scores, whole, 0, new ArrayList<>()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("threshold: 0.0 (expected: a positive number)");
        }
    }

    private static final List<Pair> PAIRS = List.of(PAIR,
            Pair.of("Sara was sad. Then", "Tom was sad. Then", " she", " he"),
            Pair.of("The king was very", "The king was very", " happy", " the"));

    @Test
    void overPairsScoresAreThoseOfEachPairAveraged() {
        var circuits = List.of(start(), whole, Circuit.of(List.of()));
        var each = PAIRS.stream().map(pair -> {
            try (var one = new CircuitEngine(model, pair, Direction.NOISE)) {
                return one.scores(circuits);
            }
        }).toList();
        try (var scores = new CircuitAverages(model, PAIRS, Direction.NOISE, Optional.empty())) {
            var means = scores.scores(circuits);
            assertThat(scores.baselines()).map(Baseline::right)
                    .isEqualTo(PAIRS.stream().map(sample.debugger()::baseline).map(Baseline::right).toList());
            for (int c = 0; c < circuits.size(); c++) {
                double first = each.get(0).get(c).faithfulness();
                double second = each.get(1).get(c).faithfulness();
                assertThat(means.get(c).edges()).isEqualTo(circuits.get(c).edges().size());
                assertThat(means.get(c).faithfulness().count()).isEqualTo(2); // the third pair has nothing to divide by
                assertThat(means.get(c).faithfulness().mean()).isCloseTo((first + second) / 2, within(1e-12));
                assertThat(means.get(c).faithfulness().error())
                        .isCloseTo(Math.abs(first - second) / 2, within(1e-12));
                int circuit = c;
                assertThat(means.get(c).difference().mean()).isCloseTo(each.stream()
                        .mapToDouble(ofPair -> ofPair.get(circuit).difference()).average().orElseThrow(),
                        within(1e-12));
            }
        }
        assertThatThrownBy(() -> new CircuitAverages(model, List.of(), Direction.NOISE, Optional.empty()).close())
                .hasMessage("pairs: none (expected: at least one)");
    }

    @Test
    void faithfulnessIsOnTheMeasureThatIsChosen() {
        try (var probability = new CircuitEngine(model, PAIR, Direction.NOISE,
                Optional.of(Measure.probability(" Lily")));
                var kl = new CircuitEngine(model, PAIR, Direction.NOISE, Optional.of(Measure.kl()))) {
            for (var of : List.of(probability, kl)) {
                var scores = of.scores(List.of(whole, Circuit.of(List.of()), start()));
                assertThat(scores.get(0).faithfulness()).isCloseTo(1, within(1e-4));
                assertThat(scores.get(1).faithfulness()).isCloseTo(0, within(1e-4));
                assertThat(scores.get(2).faithfulness()).isBetween(0.01, 0.999);
            }
            var score = kl.scores(List.of(start())).getFirst();
            assertThat(score.difference()).isEqualTo(score.kl());
            assertThat(kl.baseline().clean()).isCloseTo(0, within(1e-6));
        }
    }

    @Test
    void aRemovalGoesOnFromAnyPointToTheSameCircuit() {
        var start = start();
        var reached = new ArrayList<Removal>();
        try (var scores = new CircuitAverages(model, PAIRS.subList(0, 2), Direction.NOISE, Optional.empty())) {
            var found = remove(scores, start, 0.05, reached);
            assertThat(reached).hasSizeGreaterThan(2);
            for (int r = 0; r < reached.size(); r += 3) {
                var rest = new ArrayList<Removal>();
                assertThat(CircuitSearch.remove(scores, start, 0.05, reached.get(r), rest::add)).isEqualTo(found);
                assertThat(rest).isEqualTo(reached.subList(r + 1, reached.size()));
            }
        }
    }

    @Test
    void theStrongestEdgesComeFirst() {
        var effects = sample.debugger().edges(PAIR, Direction.NOISE, Edge.select(model.config(), "*>logits"),
                Progress.NONE);
        var circuits = CircuitSearch.strongest(effects, List.of(1, 3, 1000));
        assertThat(circuits.getFirst().edges()).map(Edge::toString).containsExactly("L2H5>logits");
        assertThat(circuits.get(1).edges()).hasSize(3).contains(Edge.parse("L3.ffn>logits"));
        assertThat(circuits.getLast().edges()).hasSize(effects.edges().size());
    }

    @Test
    void randomCircuitsAreThoseOfAPlainImplementation(@TempDir Path directory) throws IOException {
        var random = new Random(8);
        var files = new RandomCheckpoint(2, 2, 8, 8, 8192).write(directory, 29);
        try (var tiny = Gpt2.load(ModelFiles.of(files), sample.device())) {
            for (int agree : new int[] {0, 2}) {
                var clean = random.ints(4, 0, 8192).toArray();
                var corrupted = random.ints(4, 0, 8192).toArray();
                System.arraycopy(clean, 0, corrupted, 0, agree);
                var pair = new Pair(Prompt.ofIds(clean), Prompt.ofIds(corrupted), List.of(Measure.Token.ofId(3)),
                        List.of(Measure.Token.ofId(7)), Map.of());
                try (var own = new CircuitEngine(tiny, pair, Direction.DENOISE)) {
                    var plain = new Plain(tiny);
                    var source = plain.run(clean, Circuit.all(tiny.config()), null);
                    for (int i = 0; i < 5; i++) {
                        var circuit = Circuit.of(Edge.all(tiny.config()).stream().filter(edge -> random.nextBoolean())
                                .toList());
                        plain.run(corrupted, circuit, source);
                        var logits = plain.logits();
                        assertThat(own.scores(List.of(circuit)).getFirst().difference()).isCloseTo(
                                logits[3] - logits[7], within(2e-6));
                    }
                }
            }
        }
    }

    /** Circuits in double precision, as they are defined: the input of a receiver is the sum of its senders' outputs. */
    private static final class Plain {
        private final Gpt2 model;
        private Circuit circuit;
        private Map<Sender, double[][]> other;
        private double[][] last; // the logits' input

        Plain(Gpt2 model) {
            this.model = model;
        }

        /** Returns the outputs of all senders, [T][d]; along edges that are not kept go those of {@code other}. */
        Map<Sender, double[][]> run(int[] ids, Circuit circuit, Map<Sender, double[][]> other) {
            var config = model.config();
            int d = config.width();
            int width = d / config.heads();
            var outputs = new HashMap<Sender, double[][]>();
            var tokens = matrix(model.tokenEmbedding());
            var positions = matrix(model.positionEmbedding());
            outputs.put(Sender.EMBEDDING, IntStream.range(0, ids.length)
                    .mapToObj(t -> sum(tokens[ids[t]], positions[t])).toArray(double[][]::new));
            this.circuit = circuit;
            this.other = other;
            for (int l = 0; l < config.layers(); l++) {
                var layer = model.layer(l);
                var w = matrix(layer.queryKeyValue());
                var b = matrix(layer.queryKeyValueBias())[0];
                for (int h = 0; h < config.heads(); h++) {
                    var qkv = new double[3][][];
                    for (var input : List.of(Receiver.Input.Q, Receiver.Input.K, Receiver.Input.V)) {
                        var x = normed(input(outputs, new Receiver(input, l, h)), layer.ln1Gain(), layer.ln1Bias());
                        int from = input.ordinal() * d + h * width;
                        qkv[input.ordinal()] = product(x, columns(w, from, width), columns(new double[][] {b}, from,
                                width)[0]);
                    }
                    outputs.put(Sender.head(l, h), product(mix(qkv, Math.sqrt(width)),
                            Arrays.copyOfRange(matrix(layer.attentionOut()), h * width, (h + 1) * width),
                            new double[d]));
                }
                var x = normed(input(outputs, Receiver.ffn(l)), layer.ln2Gain(), layer.ln2Bias());
                var m = product(x, matrix(layer.ffnIn()), matrix(layer.ffnInBias())[0]);
                for (var row : m) {
                    Arrays.setAll(row, i -> 0.5 * row[i] * (1 + Math
                            .tanh(Math.sqrt(2 / Math.PI) * (row[i] + 0.044715 * row[i] * row[i] * row[i]))));
                }
                outputs.put(Sender.ffn(l), product(m, matrix(layer.ffnOut()), new double[d]));
            }
            last = input(outputs, Receiver.LOGITS);
            return outputs;
        }

        /** Returns the logits of the run before. */
        double[] logits() {
            var x = normed(new double[][] {last[last.length - 1]}, model.finalGain(), model.finalBias())[0];
            return Arrays.stream(matrix(model.head())).mapToDouble(row -> IntStream.range(0, x.length)
                    .mapToDouble(i -> row[i] * x[i]).sum()).toArray();
        }

        private double[][] input(Map<Sender, double[][]> outputs, Receiver receiver) {
            var sum = new double[outputs.get(Sender.EMBEDDING).length][model.config().width()];
            for (var sender : outputs.keySet()) {
                if (receiver.reads(sender)) {
                    boolean kept = circuit.edges().contains(new Edge(sender, receiver));
                    add(sum, (kept ? outputs : other).get(sender));
                }
            }
            for (int l = 0; l < model.config().layers(); l++) { // biases, which belong to no sender
                if (receiver.layer() > l || receiver.equals(Receiver.ffn(l))) {
                    for (var row : sum) {
                        add(row, matrix(model.layer(l).attentionBias())[0]);
                    }
                }
                if (receiver.layer() > l) {
                    for (var row : sum) {
                        add(row, matrix(model.layer(l).ffnOutBias())[0]);
                    }
                }
            }
            return sum;
        }

        private double[][] normed(double[][] x, Tensor gain, Tensor bias) {
            var g = gain.toFloats();
            var b = bias.toFloats();
            return Arrays.stream(x).map(row -> {
                double mean = Arrays.stream(row).average().orElseThrow();
                double deviation = Math.sqrt(Arrays.stream(row).map(v -> (v - mean) * (v - mean)).average()
                        .orElseThrow() + model.config().epsilon());
                return IntStream.range(0, row.length).mapToDouble(i -> (row[i] - mean) / deviation * g[i] + b[i])
                        .toArray();
            }).toArray(double[][]::new);
        }

        private static double[][] mix(double[][][] qkv, double divisor) {
            var z = new double[qkv[0].length][qkv[0][0].length];
            for (int t = 0; t < z.length; t++) {
                var weights = new double[t + 1];
                double total = 0;
                for (int s = 0; s <= t; s++) {
                    double score = 0;
                    for (int i = 0; i < z[t].length; i++) {
                        score += qkv[0][t][i] * qkv[1][s][i];
                    }
                    weights[s] = Math.exp(score / divisor);
                    total += weights[s];
                }
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < z[t].length; i++) {
                        z[t][i] += weights[s] / total * qkv[2][s][i];
                    }
                }
            }
            return z;
        }

        private static double[][] product(double[][] a, double[][] b, double[] bias) {
            var c = new double[a.length][];
            for (int r = 0; r < a.length; r++) {
                c[r] = bias.clone();
                for (int k = 0; k < b.length; k++) {
                    for (int i = 0; i < bias.length; i++) {
                        c[r][i] += a[r][k] * b[k][i];
                    }
                }
            }
            return c;
        }

        private static double[][] columns(double[][] matrix, int from, int count) {
            return Arrays.stream(matrix).map(row -> Arrays.copyOfRange(row, from, from + count))
                    .toArray(double[][]::new);
        }

        private static double[] sum(double[] a, double[] b) {
            var sum = a.clone();
            add(sum, b);
            return sum;
        }

        private static void add(double[] to, double[] values) {
            for (int i = 0; i < to.length; i++) {
                to[i] += values[i];
            }
        }

        private static void add(double[][] to, double[][] values) {
            for (int r = 0; r < to.length; r++) {
                add(to[r], values[r]);
            }
        }

        private static double[][] matrix(Tensor tensor) {
            var all = tensor.toFloats();
            int columns = (int) tensor.columns();
            return IntStream.range(0, (int) tensor.rows()).mapToObj(r -> IntStream.range(0, columns)
                    .mapToDouble(i -> all[r * columns + i]).toArray()).toArray(double[][]::new);
        }
    }
}
