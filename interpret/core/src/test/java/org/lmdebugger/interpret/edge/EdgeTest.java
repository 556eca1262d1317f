package org.lmdebugger.interpret.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** Path patching of edges, against whole forward passes. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EdgeTest {
    private static final Pair PAIR = Pair.of("Once upon a time there was a little girl who had a",
            "Once upon a time there was a little bird who had a", " big", " nest");

    @AutoClose
    private final TestModel sample = TestModel.open("sample");

    private final Debugger debugger = sample.debugger();

    private static Pair pair(int[] clean, int[] corrupted) {
        return new Pair(Prompt.ofIds(clean), Prompt.ofIds(corrupted), List.of(Measure.Token.ofId(3)),
                List.of(Measure.Token.ofId(7), Measure.Token.ofId(11)), Map.of());
    }

    /** On a CPU the two multiply the same numbers in the same order, so that they agree to the bit. */
    @Test
    void isAWholeForwardInWhichTheReceiverAloneReadsTheOtherOutput(@TempDir Path directory) throws IOException {
        var random = new Random(5);
        var files = new RandomCheckpoint(3, 2, 16, 12, 8192).write(directory, 23);
        try (var model = Gpt2.load(ModelFiles.of(files), sample.device())) {
            for (int agree : TestDevice.isEmulated() ? new int[] {2} : new int[] {0, 2, 5}) {
                var clean = random.ints(6, 0, 8192).toArray();
                var corrupted = random.ints(6, 0, 8192).toArray();
                System.arraycopy(clean, 0, corrupted, 0, agree);
                assertEqualsWholeForwards(model, pair(clean, corrupted), random);
            }
            assertEqualsWholeForwards(model, pair(new int[] {4}, new int[] {5}), random);
        }
    }

    private void assertEqualsWholeForwards(Gpt2 model, Pair pair, Random random) {
        var own = new Debugger(model);
        for (var direction : Direction.values()) {
            boolean noise = direction == Direction.NOISE;
            try (var base = own.run(noise ? pair.clean() : pair.corrupted(), Intervention.NONE);
                    var source = own.run(noise ? pair.corrupted() : pair.clean(), Intervention.NONE)) {
                var edges = new ArrayList<>(Edge.all(model.config()));
                Collections.shuffle(edges, random);
                var some = edges.subList(0, TestDevice.isEmulated() ? 12 : 60);
                var effects = own.edges(pair, direction, some, Progress.NONE);
                assertThat(effects.edges()).containsExactlyInAnyOrderElementsOf(some);
                double tolerance = sample.device().traits().sumsDependOnShape() ? 1e-6 : 0;
                double unpatched = pair.ids(model).difference(token -> last(base.logits())[token]);
                for (int e = 0; e < some.size(); e++) {
                    var edge = effects.edges().get(e);
                    var logits = wholeForward(base, source, edge);
                    double difference = pair.ids(model).difference(token -> logits[token]);
                    var cell = effects.cells().get(e);
                    assertThat(cell.difference()).as("%s, %s", edge, direction).isCloseTo(difference,
                            within(tolerance));
                    assertThat(cell.effect()).isCloseTo(difference - unpatched, within(2 * tolerance));
                    assertThat(cell.kl()).as("KL of %s", edge).isCloseTo(kl(last(base.logits()), logits), within(1e-9));
                }
            }
        }
    }

    /** With a measure in place of the logit difference, all numbers are on that; it is read from whole forward passes here. */
    @Test
    void aMeasureIsThatOfAWholeForward() {
        var model = sample.model();
        var edges = List.of(Edge.parse("L0.ffn>L2H5.v"), Edge.parse("embedding>L0.ffn"), Edge.parse("L2H5>logits"));
        var some = TestDevice.isEmulated() ? edges.subList(0, 1) : edges;
        int big = model.tokenizer().single(" big");
        int nest = model.tokenizer().single(" nest");
        for (var direction : Direction.values()) {
            boolean noise = direction == Direction.NOISE;
            try (var base = debugger.run(noise ? PAIR.clean() : PAIR.corrupted(), Intervention.NONE);
                    var source = debugger.run(noise ? PAIR.corrupted() : PAIR.clean(), Intervention.NONE)) {
                var measures = Map.<Measure, ToDoubleFunction<float[]>>of(Measure.kl(),
                        logits -> kl(last(base.logits()), logits), Measure.probability(" nest"),
                        logits -> Math.exp(logSoftmax(logits)[nest]), Measure.parse("log-probability:target"),
                        logits -> logSoftmax(logits)[big], Measure.parse("difference:against/\" girl\""),
                        logits -> logits[nest] - logits[model.tokenizer().single(" girl")]);
                for (var measure : measures.keySet()) {
                    var m = measures.get(measure);
                    double unpatched = m.applyAsDouble(last(base.logits()));
                    double other = m.applyAsDouble(last(source.logits()));
                    double clean = noise ? unpatched : other;
                    double corrupted = noise ? other : unpatched;
                    var effects = EdgeEffects.of(model,
                            EdgePlan.of(model, PAIR, direction, some, Optional.of(measure)), Progress.NONE);
                    assertThat(effects.baseline().clean()).isCloseTo(clean, within(1e-4));
                    assertThat(effects.baseline().corrupted()).isCloseTo(corrupted, within(1e-4));
                    for (int e = 0; e < some.size(); e++) {
                        double patched = m.applyAsDouble(wholeForward(base, source, effects.edges().get(e)));
                        var cell = effects.cells().get(e);
                        assertThat(cell.difference()).as("%s of %s", measure, effects.edges().get(e))
                                .isCloseTo(patched, within(1e-4));
                        assertThat(cell.effect()).isCloseTo(patched - unpatched, within(2e-4));
                        assertThat(cell.normalised()).isCloseTo((patched - corrupted) / (clean - corrupted),
                                within(4e-4 / Math.abs(clean - corrupted)));
                    }
                }
            }
        }
        assertThatThrownBy(() -> EdgePlan.of(model, PAIR, Direction.NOISE, some, Optional.of(Measure.top(5))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("measure: top:5 (expected: one that is a number, such as kl)");
        assertThatThrownBy(() -> EdgePlan.of(model, PAIR, Direction.NOISE, some,
                Optional.of(Measure.logit(" Rumpelstiltskin")))).hasMessageContaining("expected: one token");
    }

    private static float[] last(Tensor logits) {
        try (logits) {
            return logits.row(logits.rows() - 1).toFloats();
        }
    }

    private static double kl(float[] base, float[] patched) {
        var p = logSoftmax(base);
        var q = logSoftmax(patched);
        return IntStream.range(0, p.length).mapToDouble(v -> Math.exp(p[v]) * (p[v] - q[v])).sum();
    }

    private static double[] logSoftmax(float[] logits) {
        double sum = Math.log(IntStream.range(0, logits.length).mapToDouble(v -> Math.exp(logits[v])).sum());
        return IntStream.range(0, logits.length).mapToDouble(v -> logits[v] - sum).toArray();
    }

    /** Returns the last logits of a forward pass of all rows, in which a hook replaces the receiver's input. */
    private static float[] wholeForward(Activations base, Activations source, Edge edge) {
        var model = base.model();
        int length = base.length();
        long d = model.config().width();
        try (var scope = new TensorScope(model.device())) {
            return model.call(session -> {
                var x = scope.allocate(ElementType.F32, length, d);
                session.copy(x, base.residualPre(0));
                var qkv = scope.allocate(ElementType.F32, length, 3 * d);
                var rows = BlockRows.of(x, qkv, scope.allocate(ElementType.F32, length, d),
                        scope.allocate(ElementType.F32, length, d),
                        scope.allocate(ElementType.F32, length, model.config().feedForwardWidth()),
                        new AttentionContext(model.config().heads(), 1, scope.allocate(ElementType.F32, 0, d),
                                scope.allocate(ElementType.F32, 0, d), qkv.columns(d, d), qkv.columns(2 * d, d),
                                scope.vector(session, 0)));
                model.forward(session, 0, l -> rows, (site, l, at) -> {
                    if (l == Math.min(edge.receiver().layer(), model.config().layers() - 1)
                            && site == site(edge.receiver())) {
                        replace(session, scope, base, source, edge, at);
                    }
                });
                var logits = scope.allocate(ElementType.F32, 1, model.config().vocabularySize());
                model.readLogits(session, logits, x.row(length - 1), scope.allocate(ElementType.F32, 1, d));
                var last = new float[(int) logits.columns()];
                session.download(last, logits);
                return last;
            });
        }
    }

    private static Site site(Receiver receiver) {
        return switch (receiver.input()) {
            case Q -> Site.QUERY;
            case K -> Site.KEY;
            case V -> Site.VALUE;
            case FFN -> Site.COEFFICIENTS;
            case LOGITS -> Site.RESIDUAL_POST;
        };
    }

    private static void replace(Operations session, TensorScope scope, Activations base, Activations source, Edge edge,
            Tensor at) {
        var model = base.model();
        var config = model.config();
        var receiver = edge.receiver();
        var before = switch (receiver.input()) {
            case FFN -> base.residualMid(receiver.layer());
            case LOGITS -> base.residualPost(config.layers() - 1);
            default -> base.residualPre(receiver.layer());
        };
        var x = sum(session, scope, before, 1, change(session, scope, base, source, edge.sender()));
        var normed = scope.allocate(ElementType.F32, x.rows(), x.columns());
        long d = config.width();
        switch (receiver.input()) {
            case LOGITS -> session.copy(at, x);
            case FFN -> {
                var weights = model.layer(receiver.layer());
                session.layerNorm(normed, x, weights.ln2Gain(), weights.ln2Bias(), config.epsilon());
                session.multiply(at, normed, weights.ffnIn());
                session.biasGelu(at, weights.ffnInBias(), config.activation());
            }
            default -> {
                var weights = model.layer(receiver.layer());
                session.layerNorm(normed, x, weights.ln1Gain(), weights.ln1Bias(), config.epsilon());
                var all = scope.allocate(ElementType.F32, x.rows(), 3 * d);
                session.multiply(all, normed, weights.queryKeyValue());
                session.addBias(all, weights.queryKeyValueBias());
                long width = d / config.heads();
                session.copy(at.columns(receiver.head() * width, width),
                        all.columns(receiver.input().ordinal() * d + receiver.head() * width, width));
            }
        }
    }

    private static Tensor change(Operations session, TensorScope scope, Activations base, Activations source,
            Sender sender) {
        return switch (sender.kind()) {
            case EMBEDDING -> sum(session, scope, source.residualPre(0), -1, base.residualPre(0));
            case FFN -> sum(session, scope, source.at(Site.FFN_OUT, sender.layer()), -1,
                    base.at(Site.FFN_OUT, sender.layer()));
            case HEAD -> {
                var z = sum(session, scope, source.z(sender.layer()), -1, base.z(sender.layer()));
                long width = z.columns() / base.model().config().heads();
                var change = scope.allocate(ElementType.F32, z.rows(), z.columns());
                session.multiply(change, z.columns(sender.head() * width, width),
                        base.model().layer(sender.layer()).attentionOut().rows(sender.head() * width, width));
                yield change;
            }
        };
    }

    /** a + factor·b, on the host. */
    private static Tensor sum(Operations session, TensorScope scope, Tensor a, float factor, Tensor b) {
        var sum = new float[(int) (a.rows() * a.columns())];
        var other = new float[sum.length];
        session.download(sum, a);
        session.download(other, b);
        for (int i = 0; i < sum.length; i++) {
            sum[i] += factor * other[i];
        }
        var tensor = scope.allocate(ElementType.F32, a.rows(), a.columns());
        session.upload(tensor, sum);
        return tensor;
    }

    @Test
    void allEdgesOfAModelAreComputedAndTheSameBitsComeTwiceAndInOtherChunks() {
        var model = sample.model();
        var edges = TestDevice.isEmulated() ? Edge.select(model.config(), "*>L2H1.k") : List.<Edge>of();
        var effects = debugger.edges(PAIR, Direction.DENOISE, edges, Progress.NONE);
        assertThat(debugger.edges(PAIR, Direction.DENOISE, edges, Progress.NONE)).isEqualTo(effects);
        assertThat(effects.edges()).containsExactlyElementsOf(edges.isEmpty() ? Edge.all(model.config()) : edges);
        var plan = EdgePlan.of(model, PAIR, Direction.DENOISE, edges, edges.isEmpty() ? 400_000 : 100_000,
                Optional.empty());
        assertThat(plan.chunks().size()).isGreaterThan(2);
        var small = new ArrayList<EdgeEffects>();
        EdgeEngine.run(model, plan, 0, (chunk, part) -> small.add(part));
        var joined = EdgeEffects.join(small);
        assertThat(joined.edges()).isEqualTo(effects.edges());
        double tolerance = sample.device().traits().sumsDependOnShape() ? 1e-4 : 0;
        for (int e = 0; e < joined.edges().size(); e++) {
            assertThat(joined.cells().get(e).difference()).isCloseTo(effects.cells().get(e).difference(),
                    within(tolerance));
        }
        var rest = new ArrayList<EdgeEffects>();
        EdgeEngine.run(model, plan, 1, (chunk, part) -> {
            assertThat(part).isEqualTo(small.get(chunk));
            rest.add(part);
            return rest.size() < 2; // cancelled
        });
        assertThat(rest).hasSize(2);
    }

    @Test
    void gpt2SmallHas32491Edges() {
        var gpt2 = sample.model().config();
        assertThat(Edge.all(gpt2)).hasSize(count(gpt2.layers(), gpt2.heads())).doesNotHaveDuplicates();
        assertThat(count(12, 12)).isEqualTo(32_491);
    }

    private static int count(int layers, int heads) {
        return IntStream.range(0, layers).map(l -> 3 * heads * (1 + (heads + 1) * l) + 1 + (heads + 1) * l + heads)
                .sum()
                + 1 + (heads + 1) * layers;
    }

    /** The final LayerNorm is computed anew of the sum, in double precision. */
    @Test
    void anEdgeIntoTheLogitsIsADirectEffectWithTheFinalLayerNormComputedAnew() {
        var model = sample.model();
        int top = model.config().layers() - 1;
        var effects = debugger.edges(PAIR, Direction.NOISE, Edge.select(model.config(), "*>logits"), Progress.NONE);
        assertThat(effects.edges()).hasSize(1 + (model.config().heads() + 1) * model.config().layers());
        try (var base = debugger.run(PAIR.clean(), Intervention.NONE);
                var source = debugger.run(PAIR.corrupted(), Intervention.NONE);
                var scope = new TensorScope(model.device())) {
            int last = base.length() - 1;
            var x = base.residualPost(top).row(last).toFloats();
            for (int e = 0; e < effects.edges().size(); e++) {
                var sender = effects.edges().get(e).sender();
                var change = model.call(session -> change(session, scope, base, source, sender)).row(last).toFloats();
                double difference = PAIR.ids(model).difference(token -> logit(model, x, change, token));
                assertThat(effects.cells().get(e).difference()).as(sender.toString()).isCloseTo(difference,
                        within(1e-4));
            }
        }
    }

    private static double logit(Gpt2 model, float[] x, float[] change, int token) {
        var row = model.head().row(token).toFloats();
        var gain = model.finalGain().toFloats();
        var bias = model.finalBias().toFloats();
        var sums = IntStream.range(0, x.length).mapToDouble(i -> (double) x[i] + change[i]).toArray();
        double mean = Arrays.stream(sums).average().orElseThrow();
        double deviation = Math.sqrt(Arrays.stream(sums).map(s -> (s - mean) * (s - mean)).average().orElseThrow()
                + model.config().epsilon());
        return IntStream.range(0, x.length)
                .mapToDouble(i -> ((sums[i] - mean) / deviation * gain[i] + bias[i]) * row[i])
                .sum();
    }

    @Test
    void aDataSetIsAveragedOverPairsOfAnyLength() {
        var pairs = List.of(PAIR, Pair.of("The little girl had a", "The little bird had a", " big", " nest"));
        var edges = Edge.select(sample.model().config(), "L0.ffn>*").subList(0, 3);
        var averages = debugger.edges(pairs, Direction.NOISE, edges, Progress.NONE);
        var each = pairs.stream().map(pair -> debugger.edges(pair, Direction.NOISE, edges, Progress.NONE)).toList();
        assertThat(averages.edges()).isEqualTo(edges);
        for (int e = 0; e < edges.size(); e++) {
            double first = each.getFirst().cells().get(e).effect();
            double second = each.getLast().cells().get(e).effect();
            assertThat(averages.cells().get(e).effect().mean()).isCloseTo((first + second) / 2, within(1e-12));
            assertThat(averages.cells().get(e).effect().error()).isCloseTo(Math.abs(first - second) / 2, within(1e-12));
        }
        assertThatThrownBy(() -> debugger.edges(List.of(), Direction.NOISE, edges, Progress.NONE))
                .isInstanceOf(IllegalArgumentException.class).hasMessage("pairs: none (expected: at least one)");
        var wrong = List.of(PAIR, Pair.of("Once", "Once upon", " big", " nest"));
        assertThatThrownBy(() -> debugger.edges(wrong, Direction.NOISE, edges, Progress.NONE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("pair 2: pair: prompts of 1 and 2");
    }

    @Test
    void edgesOfEqualPromptsHaveNoEffect() {
        var same = Pair.of("Once upon a", "Once upon a", " big", " nest");
        var effects = debugger.edges(same, Direction.NOISE, List.of(Edge.parse("L0H1>L2.ffn")), Progress.NONE);
        assertThat(effects.cells().getFirst().effect()).isZero();
        assertThat(effects.cells().getFirst().kl()).isZero();
        assertThat(effects.cells().getFirst().difference()).isCloseTo(effects.baseline().clean(), within(1e-5));
        assertThat(effects.cells().getFirst().normalised()).isNaN();
    }

    @Test
    void textFormsAreReadBack() {
        for (var edge : Edge.all(sample.model().config())) {
            assertThat(Edge.parse(edge.toString())).isEqualTo(edge);
        }
        assertThat(Edge.select(sample.model().config(), " L2.ffn > * ")).isNotEmpty()
                .allMatch(edge -> edge.sender().equals(Sender.ffn(2)) && edge.receiver().layer() > 2);
    }

    @Test
    void aWrongEdgeIsNamed() {
        assertWrong("L0H1", "edge: L0H1 (expected: SENDER>RECEIVER");
        assertWrong("L0H1>L1H2>logits", "edge: L0H1>L1H2>logits (expected: SENDER>RECEIVER");
        assertWrong("L0H1>L1H2", "receiver: L1H2 (expected: a head's q, k or v");
        assertWrong("logits>L1.ffn", "sender: logits (expected: embedding, a head");
        assertWrong("L1H1>L1H2.q", "edge: L1H1>L1H2.q (expected: a sender that comes before the receiver)");
        assertWrong("L1.ffn>L1.ffn", "edge: L1.ffn>L1.ffn (expected: a sender that comes before the receiver)");
        assertWrong("L0H99>logits", "edge: L0H99>logits (expected: layers L0 to L3 and heads H0 to H5 in this model)");
        assertWrong("L9.ffn>*", "edge: L9.ffn>* (expected: layers L0 to L3");
        assertWrong("*>L4H0.v", "edge: *>L4H0.v (expected: layers L0 to L3");
        assertThatThrownBy(
                () -> debugger.edges(PAIR, Direction.NOISE, List.of(Edge.parse("L7H0>logits")), Progress.NONE))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("edge: L7H0>logits (expected: layers");
        assertThatThrownBy(() -> EdgePlan.of(sample.model(), PAIR, Direction.NOISE, List.of(), 0, Optional.empty()))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("memory: 0 bytes");
        var unequal = Pair.of("Once upon a", "Once upon a time", " big", " nest");
        assertThatThrownBy(() -> debugger.edges(unequal, Direction.NOISE, List.of(), Progress.NONE))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("expected: equal lengths");
    }

    private void assertWrong(String text, String message) {
        assertThatThrownBy(() -> Edge.select(sample.model().config(), text))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining(message);
    }
}
