package org.lmdebugger.interpret.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.TestModels;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;

/** What sweeps promise beside the right numbers. */
@OnEveryDevice
class SweepTest {
    private static final String PROMPT = "Once upon a time there was a little";
    @AutoClose
    private static final TestModel sample = TestModel.open("sample");
    private final Device device = sample.device();
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    private static Sweep someNeurons() {
        return Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-9")).off().atLast().measure(Measure.kl(),
                Measure.logit(" girl"));
    }

    private static List<Effects> run(Debugger by, Sweep sweep) {
        var all = new ArrayList<Effects>();
        by.sweep(sweep, effects -> all.add(effects));
        return all;
    }

    private static float[] values(List<Effects> all, Measure measure) {
        var list = all.stream()
                .flatMapToDouble(e -> IntStream.range(0, e.size()).mapToDouble(i -> e.values(measure)[i])).toArray();
        var values = new float[list.length];
        IntStream.range(0, list.length).forEach(i -> values[i] = (float) list[i]);
        return values;
    }

    @Test
    void theSameSweepGivesTheSameBits() {
        var sweep = someNeurons().atAll();
        assertThat(values(run(debugger, sweep), Measure.kl())).isEqualTo(values(run(debugger, sweep), Measure.kl()));
    }

    /** Logits are about 10; the sums of a product of few rows may be rounded otherwise than those of many. */
    @ParameterizedTest
    @ValueSource(longs = {1, 400_000, 1_000_000})
    void otherChunksAgree(long memory) {
        for (var sweep : List.of(someNeurons(), someNeurons().atAll())) {
            var whole = run(debugger, sweep);
            var parts = run(debugger, sweep.memory(memory));
            assertThat(parts).hasSizeGreaterThan(whole.size());
            assertThat(values(parts, Measure.logit(" girl"))).usingComparatorWithPrecision(2e-4f)
                    .containsExactly(values(whole, Measure.logit(" girl")));
            var expected = values(whole, Measure.kl());
            var kl = values(parts, Measure.kl());
            for (int i = 0; i < kl.length; i++) {
                assertThat((double) kl[i]).isCloseTo(expected[i], within(1e-7 + 1e-3 * expected[i]));
            }
        }
    }

    /** More rows than there are logits at a time. Ranks and the best tokens agree, as their logits are 0.3 apart or more. */
    @Test
    void aTallChunkIsReadTileByTile() {
        var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L3D0-299")).off().atLast()
                .measure(Measure.kl(), Measure.logit(" girl"), Measure.rank(" girl"), Measure.top(2));
        var tall = run(debugger, sweep);
        var parts = run(debugger, sweep.memory(4_000_000));
        assertThat(tall).hasSize(1);
        assertThat(parts).hasSizeGreaterThan(2);
        assertThat(values(tall, Measure.kl())).usingComparatorWithPrecision(1e-6f)
                .containsExactly(values(parts, Measure.kl()));
        assertThat(values(tall, Measure.logit(" girl"))).usingComparatorWithPrecision(2e-4f)
                .containsExactly(values(parts, Measure.logit(" girl")));
        assertThat(values(tall, Measure.rank(" girl"))).containsExactly(values(parts, Measure.rank(" girl")));
        assertThat(tall.getFirst().topIds())
                .containsExactly(parts.stream().flatMapToInt(e -> IntStream.of(e.topIds())).toArray());
        var justLogits = run(debugger,
                new Sweep(sweep.prompts(), sweep.targets(), sweep.parts(), sweep.operations(), List.of(), sweep.base(),
                        sweep.positions(),
                        List.of(Measure.logit(" girl")), sweep.memory()));
        assertThat(values(justLogits, Measure.logit(" girl"))).usingComparatorWithPrecision(2e-4f)
                .containsExactly(values(tall, Measure.logit(" girl")));
    }

    @Test
    void aChunkByItselfHasTheSameBits() {
        var plan = debugger.plan(someNeurons().memory(500_000));
        var whole = run(debugger, plan.sweep());
        assertThat(whole).hasSameSizeAs(plan.chunks()).hasSizeGreaterThan(2);
        for (int chunk = whole.size() - 1; chunk >= 0; chunk--) {
            var alone = debugger.effects(plan, chunk);
            assertThat(alone.chunk()).isEqualTo(chunk);
            assertThat(alone.neurons()).isEqualTo(whole.get(chunk).neurons());
            assertThat(alone.values(Measure.kl())).isEqualTo(whole.get(chunk).values(Measure.kl()));
        }
        assertThatThrownBy(() -> debugger.effects(plan, whole.size())).isInstanceOf(IndexOutOfBoundsException.class);
    }

    /** More rows than there are logits at a time, alone and beside others. */
    @Test
    void aMeasureOfAProgramsOwnGetsTheLogitsOfEachRow() {
        int girl = debugger.model().tokenizer().single(" girl");
        var own = Measure.own("own logit", logits -> logits[girl]);
        var neurons = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L3D0-299")).off();
        var both = run(debugger, neurons.measure(own, Measure.logit(" girl"), Measure.kl())).getFirst();
        assertThat(both.values(own)).containsExactly(both.values(Measure.logit(" girl")));
        assertThat(both.clean(own)).isEqualTo(both.clean(Measure.logit(" girl")));
        assertThat(run(debugger, neurons.measure(own)).getFirst().values(own)).containsExactly(both.values(own));
        assertThat(own).hasToString("own logit");
    }

    /** The same numbers, to the bit, as of a sweep of each prompt with its tokens in the measures. */
    @Test
    void eachPromptHasItsOwnTarget() {
        var prompts = List.of(PROMPT, "The king", "Once upon a time");
        var targets = List.of(Target.of(" girl", " boy"), Target.of(Measure.Token.ofId(17), Measure.Token.of(" girl")),
                Target.of(" girl", " girl"));
        for (var quantities : List.of(List.of(Measure.Quantity.values()), List.of(Measure.Quantity.LOGIT))) {
            var measures = quantities.stream().map(quantity -> Measure.of(quantity, Measure.Token.TARGET)).toList();
            var difference = Measure.difference(Measure.Token.TARGET, Measure.Token.AGAINST);
            var neurons = NeuronSelection.parse("L0-3D0-9");
            var all = run(debugger, Sweep.of(prompts.toArray(String[]::new)).targets(targets).neurons(neurons).off()
                    .measure(measures.toArray(Measure[]::new)).measure(difference));
            assertThat(all).extracting(Effects::target).isEqualTo(targets);
            for (int p = 0; p < 3; p++) {
                var token = targets.get(p).token().orElseThrow();
                var expected = run(debugger, Sweep.of(prompts.get(p)).neurons(neurons).off()
                        .measure(quantities.stream().map(quantity -> Measure.of(quantity, token))
                                .toArray(Measure[]::new))
                        .measure(Measure.difference(token, targets.get(p).against().orElseThrow()))).getFirst();
                for (var quantity : quantities) {
                    assertThat(all.get(p).values(Measure.of(quantity, Measure.Token.TARGET)))
                            .as("%s of %d", quantity, p)
                            .isEqualTo(expected.values(Measure.of(quantity, token)));
                }
                assertThat(all.get(p).values(difference)).isEqualTo(expected.values(
                        Measure.difference(token, targets.get(p).against().orElseThrow())));
                assertThat(all.get(p).clean(difference) == 0).isEqualTo(p == 2);
            }
        }
    }

    @Test
    void aTargetThatIsMissingIsNamed() {
        var two = Sweep.of(PROMPT, "The king").allNeurons().off();
        var logit = Measure.of(Measure.Quantity.LOGIT, Measure.Token.TARGET);
        refused(two.measure(logit), "measure: logit:target: prompt 1, \"" + PROMPT
                + "\", has no target (expected: one for each prompt)");
        refused(two.measure(logit).targets(Target.of(" girl"), Target.NONE),
                "measure: logit:target: prompt 2, \"The king\", has no target (expected: one for each prompt)");
        refused(two.measure(Measure.parse("difference:target/against")).targets(Target.of(" girl"), Target.of(" girl")),
                "measure: difference:target/against: prompt 1", "has no against");
        refused(two.measure(logit).targets(Target.of(" girl"), Target.of(" xylophonist")), "token: \" xylophonist\"");
        refused(two.measure(logit).targets(Target.of(" girl"), Target.of(Measure.Token.ofId(8192))), "token: 8192");
        assertThatThrownBy(() -> two.targets(Target.of(" girl"))).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("targets: 1 for 2 prompts (expected: one for each)");
    }

    /** Sums of 8,192 products of up to about 20, by another order of additions. More rows than a tile. */
    @Test
    void anOwnMeasureOnTheDeviceIsWhatItIsOnTheHost() {
        int v = model.config().vocabularySize();
        var weights = new float[v];
        IntStream.range(0, v).forEach(i -> weights[i] = (i % 7 - 3) / 100f);
        try (var onDevice = device.allocate(ElementType.F32, 1, v)) {
            device.call(session -> {
                session.upload(onDevice, weights);
                return null;
            });
            var weighted = Measure.ownOnDevice("weighted",
                    (session, logits, values) -> session.multiplyTransposed(values, logits, onDevice));
            var first = Measure.ownOnDevice("first",
                    (session, logits, values) -> session.copy(values, logits.columns(0, 1)));
            var host = Measure.own("host", logits -> (float) IntStream.range(0, v)
                    .mapToDouble(i -> (double) logits[i] * weights[i]).sum());
            var neurons = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L3D0-299")).off();
            var both = run(debugger, neurons.measure(weighted, host, first, Measure.of(Measure.Quantity.LOGIT, 0)))
                    .getFirst();
            assertThat(both.values(weighted)).usingComparatorWithPrecision(1e-3f).containsExactly(both.values(host));
            assertThat(both.clean(weighted)).isCloseTo(both.clean(host), within(1e-3f));
            assertThat(both.values(first)).containsExactly(both.values(Measure.of(Measure.Quantity.LOGIT, 0)));
            assertThat(IntStream.range(0, 300).mapToDouble(i -> both.values(host)[i]).distinct().count())
                    .isGreaterThan(100);
            assertThat(run(debugger, neurons.measure(first)).getFirst().values(first))
                    .containsExactly(both.values(first));
            assertThat(weighted).hasToString("weighted");
        }
    }

    /** Neither what is left in the memory nor a result of another row. */
    @Test
    void anOwnMeasureOnTheDeviceThatWritesNothingOrToTheLogitsIsRefused() {
        var nothing = Measure.ownOnDevice("nothing", (session, logits, values) -> {});
        assertThatThrownBy(() -> run(debugger, someNeurons().measure(nothing)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not finite");
        var written = Measure.ownOnDevice("written", (session, logits, values) -> session.copy(logits.columns(0, 1),
                values));
        assertThatThrownBy(() -> run(debugger, someNeurons().measure(written)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("read-only");
        var failing = Measure.ownOnDevice("failing", (session, logits, values) -> {
            throw new IllegalStateException("on purpose");
        });
        assertThatThrownBy(() -> run(debugger, someNeurons().measure(failing))).hasMessage("on purpose");
    }

    /** What an operation does to the neurons of a layer is looked up once for those that differ in nothing else. */
    @Test
    void neuronsAtEachPositionAreWhatTheyAreAtThatPositionAlone() {
        var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-1")).scale(3).off()
                .from("A boy saw that there was one big").measure(Measure.kl());
        var each = new HashMap<Intervention, Float>();
        run(debugger, sweep.at(Positions.EACH))
                .forEach(effects -> effects.rows()
                        .forEach(row -> each.put(row.intervention(), row.value(Measure.kl()))));
        assertThat(each).hasSize(8 * 3 * 8);
        for (int position : TestDevice.isEmulated() ? new int[] {0, 4, 7} : new int[] {0, 1, 2, 3, 4, 5, 6, 7}) {
            for (var effects : run(debugger, sweep.at(Positions.at(position)))) {
                effects.rows().forEach(row -> assertThat(each.get(row.intervention())).as("%s", row.intervention())
                        .isCloseTo(row.value(Measure.kl()), within(1e-7f + 1e-3f * row.value(Measure.kl()))));
            }
        }
    }

    @Test
    void effectsAreRowsToo() {
        var effects = run(debugger, someNeurons()).getFirst();
        var rows = effects.rows().toList();
        assertThat(rows).hasSize(effects.size());
        assertThat(rows.get(3).prompt()).isEqualTo(effects.prompt());
        assertThat(rows.get(3).intervention()).isEqualTo(effects.edits(3));
        assertThat(rows.get(3).neuron()).contains(new Neuron(effects.layers()[3], effects.neurons()[3]));
        assertThat(rows.get(3).value(Measure.kl())).isEqualTo(effects.values(Measure.kl())[3]);
        var several = run(debugger,
                Sweep.of(PROMPT).measure(Measure.kl()).interventions(List.of(Intervention.parse("L1D2=0", "L2D3=0"))))
                        .getFirst();
        assertThat(several.rows().findFirst().orElseThrow().neuron()).isEmpty();
    }

    @Test
    void effectsComeByLayerAndNeuron() {
        var effects = run(debugger, someNeurons().set(3)).getFirst();
        assertThat(effects.layers()).isSorted().hasSize(80);
        assertThat(Arrays.copyOf(effects.neurons(), 6)).containsExactly(0, 0, 1, 1, 2, 2);
        assertThat(effects.edits(3).texts()).containsExactly("L0D1=3@last");
        assertThat(effects.clean(Measure.kl())).isZero();
        var several = run(debugger,
                Sweep.of(PROMPT).measure(Measure.kl())
                        .interventions(List.of(Intervention.parse("L1D2=0", "L2D3=0"), Intervention.parse("L1D9=0"))))
                                .getFirst();
        assertThat(several.layers()).containsExactly(-1, 1);
        assertThat(several.neurons()).containsExactly(-1, 9).isSameAs(several.neurons());
    }

    @Test
    void promptsOfDifferentLengthsAreMeasuredEach() {
        var sweep = someNeurons();
        var both = run(debugger,
                Sweep.of(PROMPT, "The king").parts(sweep.parts()).off().atLast()
                        .measure(Measure.kl(), Measure.logit(" girl")));
        assertThat(both.stream().map(Effects::prompt)).containsExactly(0, 1);
        assertThat(both.getFirst().values(Measure.kl())).isEqualTo(values(run(debugger, sweep), Measure.kl()));
        assertThat(both.getLast().values(Measure.kl())).isNotEqualTo(both.getFirst().values(Measure.kl()));
    }

    @Test
    void aSweepIsResumedAndCancelled() {
        var plan = debugger.plan(someNeurons().memory(500_000));
        var whole = new ArrayList<Effects>();
        debugger.sweep(plan, 0, whole::add);
        assertThat(whole).hasSizeGreaterThan(3).hasSameSizeAs(plan.chunks());
        var parts = new ArrayList<Effects>();
        debugger.sweep(plan, 0, effects -> parts.add(effects) && parts.size() < 2);
        assertThat(parts).hasSize(2);
        debugger.sweep(plan, 2, parts::add);
        assertThat(values(parts, Measure.kl())).isEqualTo(values(whole, Measure.kl()));
    }

    @Test
    void aPlanSaysWhatWillBeDone() {
        var last = debugger.plan(someNeurons());
        assertThat(last.effects()).isEqualTo(40);
        assertThat(last.rows()).isEqualTo(40);
        int d = 192;
        double row = 24.0 * d * d + 4 * d * 8; // of a layer
        int each = last.hasUnedited() ? 11 : 10; // of a layer
        assertThat(last.flop()).isCloseTo(each * (3 + 2 + 1) * row + 4.0 * each * 2 * d * 8192, within(1.0));
        var all = debugger.plan(someNeurons().atAll());
        assertThat(all.rows()).isEqualTo(30 * 8 + 10); // an edit in the top layer matters at the last position alone
        assertThat(all.bytes()).isGreaterThan(last.bytes());
        assertThat(debugger.plan(someNeurons().allNeurons()).effects()).isEqualTo(4 * 768);
    }

    /** Four of each position of eight: with at most twice the rows that each needs. */
    @Test
    void interventionsOfFewRowsAreComputedTogether() {
        var plan = debugger.plan(Sweep.of(PROMPT).parts(new PartSelection.OfKind(PartSelection.Kind.PRE)).off()
                .at(Positions.EACH).measure(Measure.kl()));
        assertThat(plan.chunks()).extracting(SweepPlan.Chunk::firstPosition).containsExactly(0, 5, 7);
        assertThat(plan.chunks()).extracting(SweepPlan.Chunk::count).containsExactly(5 * 4, 2 * 4, 4);
    }

    static Stream<Sweep> sweepsOfManyEdits() {
        var prompt = "Once upon a time there was a little girl who had a cat. One day the cat was very sad. Then";
        var patterns = Intervention.parse(IntStream.range(0, 3)
                .mapToObj(l -> "L%dH*.pattern=from:\"%s\"".formatted(l, prompt.replace("girl", "bird")))
                .toArray(String[]::new));
        var rows = Intervention.parse(IntStream.range(0, 2).boxed()
                .flatMap(l -> Stream.of("L%d.pre*=2", "L%dH*.q*=2", "L%dH*.k*=2", "L%dH*.v*=2", "L%dH0*=2", "L%dH1*=2",
                        "L%d.attention*=2", "L%d.mid*=2@5..9", "L%dD5=1", "L%dD6+=1@last", "L%d.ffn*=2@1,3")
                        .map(edit -> edit.formatted(l)))
                .toArray(String[]::new));
        var sweep = Sweep.of(prompt).measure(Measure.logit(" girl")).memory(200_000);
        return Stream.of(sweep.base(patterns).parts(PartSelection.parse("pre:L0")).off().at(Positions.EACH),
                sweep.interventions(IntStream.range(0, 12)
                        .mapToObj(i -> patterns.and(Intervention.parse("L2D%d=0".formatted(i)))).toList()),
                sweep.parts(PartSelection.parse("links:L1")).off().at(Positions.at(20)),
                sweep.interventions(IntStream.range(0, 12)
                        .mapToObj(i -> rows.and(Intervention.parse("L1D%d=0".formatted(7 + i)))).toList()));
    }

    /** Of what is allocated for one chunk alone, the tables of edits are by far the most. */
    @ParameterizedTest
    @MethodSource("sweepsOfManyEdits")
    void tablesOfEditsCountAsMemoryOfAChunk(Sweep sweep, @TempDir Path directory) throws IOException {
        var allocated = new long[1];
        var watched = new DelegatingDevice(device) {
            @Override
            public <T> T call(Function<Operations, T> work) {
                return super.call(session -> {
                    allocated[0] = 0;
                    return work.apply(session);
                });
            }

            @Override
            public Tensor allocate(ElementType type, long rows, long columns) {
                allocated[0] += rows * columns * type.bytes();
                return super.allocate(type, rows, columns);
            }
        };
        var files = ModelFiles.of(new RandomCheckpoint(3, 4, 16, 64, 8192).write(directory, 17));
        try (var loaded = Gpt2.load(files, watched)) {
            var plan = SweepPlan.of(loaded, sweep);
            int length = plan.prompts().getFirst().length;
            var bytes = new ArrayList<Long>();
            SweepEngine.run(loaded, plan, 0, effects -> {
                int positions = length - plan.chunks().get(effects.chunk()).firstPosition();
                bytes.add(SweepBuffers.bytes(loaded.config(), effects.size(), positions) + allocated[0]);
                return true;
            });
            assertThat(bytes).hasSizeGreaterThan(1)
                    .allSatisfy(each -> assertThat(each).isLessThan(sweep.memory() + sweep.memory() / 50));
            assertThat(Collections.max(bytes)).isGreaterThan(sweep.memory() / 2).isCloseTo(plan.bytes(),
                    withinPercentage(2));
        }
    }

    @Test
    void dominantNeuronsAreThoseOfTheTrace() {
        var effects = run(debugger, Sweep.of(PROMPT).dominant(10).off().measure(Measure.kl())).getFirst();
        var expected = debugger.trace(PROMPT).position(-1).layers().stream()
                .flatMapToInt(layer -> layer.dominant().stream().mapToInt(Trace.SubUpdate::neuron).sorted()).toArray();
        assertThat(effects.neurons()).isEqualTo(expected);
    }

    /** Of the last position and of one in the middle, against whole forwards. */
    @Test
    void totalEffectsOfATraceAreLogProbabilitiesWithASubUpdateMinusThoseWithoutIt() {
        var trace = debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.at(4, -1).top(3).withTotalEffects());
        for (var position : trace.positions()) {
            double clean = logProbability(Intervention.NONE, position);
            for (var layer : position.layers()) {
                for (var update : layer.dominant()) {
                    var off = Intervention
                            .parse("L%dD%d=0@%d".formatted(update.layer(), update.neuron(), position.position()));
                    // sums of 8,192 logits whose own errors are about 1e-5
                    assertThat(update.total().getAsDouble()).isCloseTo(clean - logProbability(off, position),
                            within(1e-4));
                }
            }
        }
        assertThat(trace.positions().stream().flatMap(p -> p.layers().stream()).flatMap(l -> l.dominant().stream())
                .mapToDouble(u -> Math.abs(u.total().getAsDouble())).max().orElseThrow()).isGreaterThan(0.01);
        assertThat(debugger.trace(PROMPT).position(-1).layer(0).dominant().getFirst().total()).isEmpty();
    }

    private double logProbability(Intervention edits, Trace.Position position) {
        try (var run = debugger.run(PROMPT, edits); var logits = run.logits()) {
            var row = logits.row(position.position()).toFloats();
            double sum = IntStream.range(0, row.length).mapToDouble(v -> Math.exp(row[v])).sum();
            return row[position.target().id()] - Math.log(sum);
        }
    }

    @Test
    void operationsOfOtherPromptsAndOfLmDebugger() {
        var other = "Once upon a time there was a big";
        var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L1D5,L3D7")).from(other).lmDebugger(true)
                .lmDebugger(false).atLast().measure(Measure.logit(" girl"));
        for (var effects : run(debugger, sweep)) {
            for (int i = 0; i < effects.size(); i++) {
                try (var run = debugger.run(PROMPT, effects.edits(i)); var logits = run.logits()) {
                    float expected = logits.row(7).toFloats()[model.tokenizer().single(" girl")];
                    assertThat(effects.values(Measure.logit(" girl"))[i]).as("%s", effects.edits(i).texts())
                            .isCloseTo(expected, within(2e-4f));
                }
            }
        }
    }

    /** A device that refuses large allocations: chunks are halved, and the numbers stay. */
    @Test
    void tooLittleMemoryHalvesAChunk() {
        var refused = new int[1];
        var small = new DelegatingDevice(device) {
            @Override
            public Tensor allocate(ElementType type, long rows, long columns) {
                if (columns == 8192 && rows > 12) {
                    refused[0]++;
                    throw new OutOfDeviceMemoryException("memory: too little", null);
                }
                return super.allocate(type, rows, columns);
            }
        };
        try (var loaded = TestModels.load("sample", small)) {
            var effects = run(new Debugger(loaded), someNeurons());
            assertThat(effects).hasSize(1);
            assertThat(refused[0]).isEqualTo(2); // 40, 20; 10 fit
            assertThat(values(effects, Measure.logit(" girl"))).usingComparatorWithPrecision(2e-4f)
                    .containsExactly(values(run(debugger, someNeurons()), Measure.logit(" girl")));
        }
    }

    @Test
    @SuppressWarnings("try") // closes a model too early, on purpose
    void severalDevicesShareASweep() {
        var others = Sweep.of(PROMPT, "Once upon").neurons(NeuronSelection.parse("L0-3D0-9")).off().atLast()
                .measure(Measure.kl()).memory(1);
        try (var second = TestDevice.open(); var loaded = TestModels.load("sample", second)) {
            var both = List.of(debugger, new Debugger(loaded));
            var plan = debugger.plan(others);
            assertThat(plan.chunks()).hasSize(80); // an intervention each
            var shared = new ArrayList<Effects>();
            Debugger.sweep(both, plan, 0, shared::add);
            assertThat(values(shared, Measure.kl())).isEqualTo(values(run(debugger, others), Measure.kl()));
            assertThat(shared).extracting(Effects::chunk).isEqualTo(IntStream.range(0, 80).boxed().toList());

            var few = new ArrayList<Effects>();
            Debugger.sweep(both, plan, 70, effects -> few.add(effects) && few.size() < 3);
            assertThat(few).extracting(Effects::chunk).containsExactly(70, 71, 72);

            assertThatThrownBy(() -> Debugger.sweep(both, plan, 0, effects -> {
                throw new IllegalStateException("on purpose");
            })).hasMessage("on purpose");
            loaded.close();
            assertThatThrownBy(() -> Debugger.sweep(both, plan, 0, effects -> true))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void textFormsAreReadAndWritten() {
        for (var text : List.of("kl", "entropy", "logit:\" king\"", "probability:\"a\"", "log-probability:\" king\"",
                "rank:\" king\"", "rank:#620", "difference:#1/\" king\"",
                "difference:\" king\"/\" queen\"", "top:5", "logit:target", "rank:against", "difference:target/against",
                "difference:target/\"/\"", "difference:\"/\"/target", "difference:#5/target", "logit:\"target\"")) {
            assertThat(Measure.parse(text)).hasToString(text);
        }
        for (var text : List.of("all", "L0-3", "L2D5,L3D7", "L1D2-9", "dominant:20")) {
            assertThat(NeuronSelection.parse(text)).hasToString(text);
        }
        for (var text : List.of("", "D3", "L", "L3-", "L1D5,", "dominant:", "most:3")) {
            assertThatThrownBy(() -> NeuronSelection.parse(text)).hasMessageStartingWith("neurons: " + text);
        }
        for (var text : List.of("kl:target", "logit:other", "logit:target/against", "difference:target",
                "difference:/target", "difference:target/", "difference:target/against/against", "logit:#target")) {
            assertThatThrownBy(() -> Measure.parse(text)).hasMessageStartingWith("measure: " + text + " (expected: kl")
                    .hasMessageEndingWith("a text in quotation marks, an id such as #620, target or against)");
        }
        assertThatThrownBy(() -> Measure.parse("logit: king"))
                .hasMessageStartingWith("measure: logit: king (expected: kl, entropy");
    }

    /** The sweep goes on; what it cannot tell is NaN, and no rank or token is made up. */
    @Test
    void anInterventionThatOverflowsHasNoNumbers() {
        var measures = List.of(Measure.kl(), Measure.entropy(), Measure.logit(" girl"), Measure.rank(" girl"),
                Measure.probability(" girl"),
                Measure.logProbability(" girl"), Measure.difference(" girl", " boy"));
        for (var asked : Stream.concat(measures.stream().map(List::of), Stream.of(measures)).toList()) {
            var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D5")).scale(2)
                    .interventions(List.of(Intervention.parse("L1D5=3e38", "L1D5*=9"),
                            Intervention.parse("L3D7=3e38", "L3D7*=9"), Intervention.parse("L1D5=1e30")))
                    .measure(asked.toArray(Measure[]::new)).measure(Measure.top(2));
            for (var effects : run(debugger, sweep)) {
                for (int i = 0; i < effects.size(); i++) {
                    boolean overflows = effects.edits(i).list().size() == 2;
                    for (var measure : asked) {
                        assertThat(Float.isFinite(effects.values(measure)[i])).as("%s of %s", measure, effects.edits(i))
                                .isNotEqualTo(overflows);
                    }
                    assertThat(effects.topIds()[2 * i] == -1).isEqualTo(overflows);
                    assertThat(Float.isNaN(effects.topProbabilities()[2 * i])).isEqualTo(overflows);
                }
            }
        }
    }

    /** From the clean stream and its shift, or from all coefficients at once. */
    @Test
    void aHugeSweptValueIsWhatAWholeForwardMakesOfIt() {
        var measure = Measure.probability(" girl");
        var swept = run(debugger,
                Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D5")).set(1e25f).measure(measure));
        var expected = IntStream.range(0, 4)
                .mapToDouble(l -> debugger.trace(PROMPT, Intervention.parse("L" + l + "D5=1e25@last"),
                        TraceOptions.DEFAULT.following(model.tokenizer().single(" girl"))).editedPosition(-1).layer(3)
                        .chosen().getFirst().after().probability())
                .toArray();
        var found = values(swept, measure);
        for (int l = 0; l < 4; l++) {
            assertThat((double) found[l]).isCloseTo(expected[l], withinPercentage(0.1));
        }
    }

    @Test
    void badInputIsNamed() {
        refused(Sweep.of().allNeurons().off().measure(Measure.kl()), "prompts: none");
        refused(Sweep.of("").allNeurons().off().measure(Measure.kl()), "prompt: empty");
        refused(Sweep.ofIds(new int[] {9000}).allNeurons().off().measure(Measure.kl()), "token: 9000");
        refused(Sweep.of(PROMPT).measure(Measure.kl()), "sweep: nothing selected");
        refused(Sweep.of(PROMPT).allNeurons().measure(Measure.kl()), "operations: none");
        refused(Sweep.of(PROMPT).allNeurons().off(), "measures: none");
        refused(someNeurons().measure(Measure.kl()), "each once");
        refused(someNeurons().measure(Measure.logit(" xylophonist")), "token: \" xylophonist\"", "expected: one token");
        refused(someNeurons().measure(Measure.top(9000)), "top:9000 (expected: at most 8192");
        refused(someNeurons().at(Positions.at(8)), "position 8 (expected: at most 7)");
        refused(someNeurons().at(Positions.GENERATED), "positions: generated");
        refused(someNeurons().neurons(NeuronSelection.parse("L4")), "neurons: L4 (expected: L0 to L3");
        refused(someNeurons().neurons(NeuronSelection.parse("L0D768")), "neurons: L0D768");
        refused(someNeurons().dominant(769), "dominant:769");
        refused(someNeurons().parts(PartSelection.parse("L0D1,L0D768")), "edit: L0D768 (expected: L0 to L3");
        refused(someNeurons().atAll().from("Once"), "position 1");
        refused(someNeurons().interventions(List.of(Intervention.parse("L9D0=0"))), "edit: L9D0");
        assertThatThrownBy(() -> someNeurons().set(Float.NaN)).hasMessageContaining("finite");
        assertThatThrownBy(() -> someNeurons().memory(0)).hasMessageContaining("memory: 0");
        assertThatThrownBy(() -> run(debugger, someNeurons()).getFirst().values(Measure.entropy()))
                .hasMessageContaining("measure: entropy");
    }

    private void refused(Sweep sweep, String... parts) {
        assertThatThrownBy(() -> debugger.plan(sweep)).isInstanceOf(IllegalArgumentException.class).message()
                .contains(parts);
    }
}
