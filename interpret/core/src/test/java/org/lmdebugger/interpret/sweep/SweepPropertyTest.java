package org.lmdebugger.interpret.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Assume;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;
import net.jqwik.api.Tuple;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import net.jqwik.api.lifecycle.LifecycleContext;
import net.jqwik.api.lifecycle.SkipExecutionHook;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Direction;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;

/** Each effect of a sweep is what a whole forward under that intervention gives, for random models, prompts and edits. */
@Tag("device")
@AddLifecycleHook(SweepPropertyTest.Condition.class)
@Tag("slow")
class SweepPropertyTest {
    /** Skips where the device is missing and need not be there. */
    static final class Condition implements SkipExecutionHook {
        @Override
        public SkipResult shouldBeSkipped(LifecycleContext context) {
            return TestDevice.missing().map(SkipResult::skip).orElseGet(SkipResult::doNotSkip);
        }
    }

    private static final String TOKEN = " girl";
    private static final String OTHER = " boy";
    private static final List<Gpt2> MODELS = new ArrayList<>();
    private static final List<Path> DIRECTORIES = new ArrayList<>();
    private static Device device;
    private static int tried;

    @BeforeContainer
    static void load() throws IOException {
        device = TestDevice.open();
        for (var shape : List.of(new RandomCheckpoint(1, 1, 8, 12, 8192), new RandomCheckpoint(2, 3, 12, 12, 8192),
                new RandomCheckpoint(4, 2, 16, 12, 8192))) {
            var directory = Files.createTempDirectory("lmdebugger");
            DIRECTORIES.add(directory);
            MODELS.add(Gpt2.load(ModelFiles.of(shape.write(directory, 17)), device));
        }
    }

    @AfterContainer
    static void close() throws IOException {
        MODELS.forEach(Gpt2::close);
        device.close();
        for (var directory : DIRECTORIES) {
            try (var files = Files.walk(directory)) {
                for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    /** A prompt, single edits of some neurons, and interventions of several edits. */
    record Case(int model, int[] ids, List<Intervention> interventions, Intervention base, int layer, int neuron,
            float value,
            Positions positions, long memory, int target) {
    }

    private record Edits(List<Intervention> interventions, Intervention base) {
    }

    @Provide
    static Arbitrary<Case> cases() {
        return Arbitraries.integers().between(0, 2).flatMap(model -> {
            int layers = new int[] {1, 2, 4}[model];
            int neurons = 4 * new int[] {8, 12, 16}[model];
            return Arbitraries.integers().between(0, 8191).array(int[].class).ofMinSize(1).ofMaxSize(12)
                    .flatMap(ids -> {
                        var value = Arbitraries.floats().between(-40, 40).ofScale(2);
                        var positions = Arbitraries.oneOf(
                                Arbitraries.of(Positions.ALL, Positions.LAST, Positions.PROMPT),
                                Arbitraries.integers().between(0, ids.length - 1).array(int[].class).ofMinSize(1)
                                        .ofMaxSize(3).map(Positions::at));
                        var operation = Arbitraries.oneOf(value.map(Edit.Operation.Set::new),
                                value.map(Edit.Operation.Scale::new),
                                value.map(Edit.Operation.Add::new),
                                other(ids.length),
                                Arbitraries.of(new Edit.Operation.On(), new Edit.Operation.Off()));
                        var layer = Arbitraries.integers().between(0, layers - 1);
                        var neuron = Arbitraries.integers().between(0, neurons - 1);
                        var ofNeuron = Combinators.combine(layer, neuron, operation, positions).as(Edit::new);
                        var edit = Arbitraries.oneOf(ofNeuron, ofVectors(model, ids.length, positions));
                        var edits = edit.array(Edit[].class).ofMinSize(0).ofMaxSize(4).map(Intervention::of);
                        var base = Arbitraries.oneOf(Arbitraries.just(Intervention.NONE),
                                edit.array(Edit[].class).ofMinSize(1).ofMaxSize(2).map(Intervention::of));
                        return Combinators
                                .combine(Combinators.combine(edits.list().ofMaxSize(4), base).as(Edits::new), layer,
                                        neuron, value,
                                        Arbitraries.frequencyOf(Tuple.of(7, positions),
                                                Tuple.of(1, Arbitraries.just(Positions.EACH))),
                                        Arbitraries.of(1L, 300_000L, 1L << 29),
                                        Arbitraries.integers().between(0, 8191))
                                .as((all, l, n, v, p, memory, target) -> new Case(model, ids, all.interventions(),
                                        all.base(), l, n, v, p, memory, target));
                    });
        });
    }

    /** Takes a part from another prompt of the same length. */
    private static Arbitrary<Edit.Operation> other(int length) {
        return Arbitraries.integers().between(0, 8191).array(int[].class).ofSize(length)
                .map(ids -> new Edit.Operation.From(Prompt.ofIds(ids)));
    }

    /** Edits of every part but neurons, and of every operation. */
    private static Arbitrary<Edit> ofVectors(int model, int length, Arbitrary<Positions> positions) {
        int layers = new int[] {1, 2, 4}[model];
        int heads = new int[] {1, 2, 2}[model];
        var layer = Arbitraries.integers().between(0, layers - 1);
        var factor = Arbitraries.floats().between(-4, 4).ofScale(2);
        var other = other(length);
        var direction = Arbitraries.oneOf(
                Combinators.combine(layer, Arbitraries.integers().between(0, 31))
                        .as((l, n) -> (Direction) new Direction.ValueVector(new Neuron(l, n))),
                Arbitraries.integers().between(0, 8191).map(Direction.TokenId::new));
        Arbitrary<Edit.Operation> ofVector = Arbitraries.oneOf(Arbitraries.of(new Edit.Operation.Set(0)),
                factor.map(Edit.Operation.Scale::new), other);
        Arbitrary<Edit.Operation> ofOutput = Arbitraries.oneOf(ofVector, Combinators.combine(factor, direction)
                .as((f, d) -> new Edit.Operation.AddDirection(f, false, d)));
        Arbitrary<Edit.Operation> ofStream = Arbitraries.oneOf(ofOutput, direction.map(Edit.Operation.ProjectOut::new),
                Combinators.combine(factor, direction).as((f, d) -> new Edit.Operation.AddDirection(f / 40, true, d)));
        var head = Combinators
                .combine(layer, Arbitraries.integers().between(Head.ALL, heads - 1),
                        Arbitraries.of(Head.Vector.Z, Head.Vector.QUERY, Head.Vector.KEY, Head.Vector.VALUE))
                .as(Head::new);
        var pattern = Combinators.combine(layer, Arbitraries.integers().between(Head.ALL, heads - 1))
                .as((l, h) -> new Head(l, h, Head.Vector.PATTERN));
        var edits = new ArrayList<Arbitrary<? extends Edit>>(List.of(
                Combinators.combine(head, ofVector, positions).as(Edit::new),
                Combinators.combine(head, ofOutput, positions)
                        .as((h, o, p) -> new Edit(new Head(h.layer(), Head.ALL, h.vector()), o, p)), // as wide as directions
                Combinators.combine(pattern, other, positions).as(Edit::new),
                Combinators.combine(layer, Arbitraries.of(Residual.Point.PRE, Residual.Point.MID, Residual.Point.POST),
                        ofStream, positions).as((l, point, o, p) -> new Edit(new Residual(l, point), o, p)),
                Combinators.combine(layer, Arbitraries.of(Residual.Point.ATTENTION, Residual.Point.FFN), ofOutput,
                        positions).as((l, point, o, p) -> new Edit(new Residual(l, point), o, p))));
        if (length > 1) { // links that may all go without leaving a query alone: those to position 0
            edits.add(Combinators.combine(layer, Arbitraries.integers().between(0, heads - 1),
                    Arbitraries.integers().between(1, length - 1)).as(
                            (l, h, query) -> new Edit(new Link(l, h, 0),
                                    new Edit.Operation.Off(), Positions.at(query))));
        }
        return Arbitraries.oneOf(edits);
    }

    @Property(tries = 150)
    void equalsAWholeForward(@ForAll("cases") Case random) {
        Assume.that(!TestDevice.isEmulated() || tried++ % 3 == 0); // a try takes two seconds by emulation
        var model = MODELS.get(random.model());
        var neurons = new NeuronSelection.Ranges(List.of(new NeuronSelection.Range(random.layer(),
                NeuronSelection.Range.END, random.neuron(), random.neuron())));
        var target = Target.of(Measure.Token.ofId(random.target()), Measure.Token.of(OTHER));
        var sweep = Sweep.ofIds(random.ids()).neurons(neurons).off().add(random.value()).scale(random.value())
                .lmDebugger(true).lmDebugger(false).at(random.positions())
                .base(random.base()).interventions(random.interventions()).memory(random.memory())
                .measure(Measure.kl(), Measure.entropy(),
                        Measure.logit(TOKEN),
                        Measure.probability(TOKEN), Measure.logProbability(OTHER), Measure.rank(TOKEN),
                        Measure.difference(TOKEN, OTHER),
                        Measure.of(Measure.Quantity.LOG_PROBABILITY, Measure.Token.TARGET),
                        Measure.difference(Measure.Token.AGAINST, Measure.Token.TARGET), Measure.top(3))
                .targets(target);
        var clean = logits(model, random.ids(), random.base());
        var seen = new int[1];
        new Debugger(model).sweep(sweep, effects -> {
            for (int i = 0; i < effects.size(); i++) {
                assertEffect(model, effects, i, clean,
                        logits(model, random.ids(), random.base().and(effects.edits(i))));
                seen[0]++;
            }
            return true;
        });
        int positions = random.positions() == Positions.EACH ? random.ids().length : 1;
        assertThat(seen[0]).isEqualTo(
                5 * (model.config().layers() - random.layer()) * positions + random.interventions().size());
        assertOnlyChosen(model, sweep);
    }

    /** Logits alone are computed from those columns of the head alone, and are what they are among others. */
    private static void assertOnlyChosen(Gpt2 model, Sweep sweep) {
        var alone = new Sweep(sweep.prompts(), sweep.targets(), sweep.parts(), sweep.operations(),
                sweep.interventions(), sweep.base(),
                sweep.positions(),
                List.of(Measure.logit(TOKEN), Measure.difference(TOKEN, OTHER)), sweep.memory());
        assertThat(collect(model, alone, Measure.logit(TOKEN))).usingComparatorWithPrecision(1e-5f)
                .containsExactly(collect(model, sweep, Measure.logit(TOKEN)));
        assertThat(collect(model, alone, Measure.difference(TOKEN, OTHER))).usingComparatorWithPrecision(1e-5f)
                .containsExactly(collect(model, sweep, Measure.difference(TOKEN, OTHER)));
    }

    private static float[] collect(Gpt2 model, Sweep sweep, Measure measure) {
        var all = new ArrayList<Float>();
        new Debugger(model).sweep(sweep, effects -> {
            for (float value : effects.values(measure)) {
                all.add(value);
            }
            return true;
        });
        var values = new float[all.size()];
        IntStream.range(0, values.length).forEach(i -> values[i] = all.get(i));
        return values;
    }

    private static float[] logits(Gpt2 model, int[] ids, Intervention edits) {
        try (var resolver = new Resolver(model, References.NONE, ids, ids.length);
                var run = Activations.forward(model, ids, resolver.resolve(edits), Activations.Keep.ALL);
                var logits = run.logits()) {
            return logits.row(ids.length - 1).toFloats();
        }
    }

    /** Logits of these models are below 1, so that sums of their errors stay below 1e-5. */
    private static void assertEffect(Gpt2 model, Effects effects, int i, float[] clean, float[] edited) {
        int token = model.tokenizer().single(TOKEN);
        int other = model.tokenizer().single(OTHER);
        var p = logSoftmax(clean);
        var q = logSoftmax(edited);
        double kl = IntStream.range(0, p.length).mapToDouble(v -> Math.exp(p[v]) * (p[v] - q[v])).sum();
        double entropy = -IntStream.range(0, q.length).mapToDouble(v -> Math.exp(q[v]) * q[v]).sum();
        assertClose(effects, i, Measure.kl(), kl, 1e-7 + 1e-3 * kl);
        assertClose(effects, i, Measure.entropy(), entropy, 1e-5);
        assertClose(effects, i, Measure.logit(TOKEN), edited[token], 1e-5);
        assertClose(effects, i, Measure.probability(TOKEN), Math.exp(q[token]), 1e-7);
        assertClose(effects, i, Measure.logProbability(OTHER), q[other], 1e-5);
        assertClose(effects, i, Measure.difference(TOKEN, OTHER), (double) edited[token] - edited[other], 1e-5);
        int target = ((Measure.Token.OfId) effects.target().token().orElseThrow()).id();
        assertClose(effects, i, Measure.of(Measure.Quantity.LOG_PROBABILITY, Measure.Token.TARGET), q[target], 1e-5);
        assertClose(effects, i, Measure.difference(Measure.Token.AGAINST, Measure.Token.TARGET),
                (double) edited[other] - edited[target], 1e-5);
        var likeliest = IntStream.range(0, q.length).boxed().sorted(Comparator.comparingDouble(v -> -q[v])).limit(3)
                .mapToDouble(v -> Math.exp(q[v])).toArray();
        for (int t = 0; t < 3; t++) {
            assertThat((double) effects.topProbabilities()[3 * i + t]).isCloseTo(likeliest[t], within(1e-7));
            assertThat(Math.exp(q[effects.topIds()[3 * i + t]])).isCloseTo(likeliest[t], within(1e-7));
        }
        long surely = IntStream.range(0, edited.length).filter(v -> edited[v] > edited[token] + 1e-5).count();
        long perhaps = IntStream.range(0, edited.length).filter(v -> edited[v] > edited[token] - 1e-5).count();
        assertThat((long) effects.values(Measure.rank(TOKEN))[i]).isBetween(surely, perhaps);
    }

    private static void assertClose(Effects effects, int i, Measure measure, double expected, double tolerance) {
        assertThat((double) effects.values(measure)[i]).as("%s of %s", measure, effects.edits(i).texts())
                .isCloseTo(expected, within(tolerance));
    }

    private static double[] logSoftmax(float[] logits) {
        double max = IntStream.range(0, logits.length).mapToDouble(v -> logits[v]).max().orElseThrow();
        double sum = max
                + Math.log(IntStream.range(0, logits.length).mapToDouble(v -> Math.exp(logits[v] - max)).sum());
        return IntStream.range(0, logits.length).mapToDouble(v -> logits[v] - sum).toArray();
    }
}
