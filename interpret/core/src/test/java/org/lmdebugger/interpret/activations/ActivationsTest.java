package org.lmdebugger.interpret.activations;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.TokenLogit;

/** The activations of a run: as edits set them, read by the lens, closed to writing. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ActivationsTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int LENGTH = 8;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Device device = sample.device();
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    @Test
    void whatIsSetIsWhatTheNetworkUses() {
        try (var clean = debugger.run(PROMPT);
                var edited = debugger.run(PROMPT, Intervention.parse("L1D5=2.5", "L1D6*=2@last", "L1D6+=1@last"))) {
            var before = clean.coefficients(1);
            var after = edited.coefficients(1);
            assertThat(after.columns(5, 1).toFloats()).containsOnly(2.5f);
            float last = before.row(LENGTH - 1).columns(6, 1).toFloats()[0];
            assertThat(after.row(LENGTH - 1).columns(6, 1).toFloats()[0]).isEqualTo(2 * last + 1);
            assertThat(after.rows(0, LENGTH - 1).columns(6, 1).toFloats())
                    .isEqualTo(before.rows(0, LENGTH - 1).columns(6, 1).toFloats());
            assertThat(edited.residualMid(1).toFloats()).isEqualTo(clean.residualMid(1).toFloats());
            assertThat(edited.residualPost(1).toFloats()).isNotEqualTo(clean.residualPost(1).toFloats());
        }
    }

    @Test
    void switchesOfLmDebuggerHoldWhereTheyAreSaidToAndInOrderWithOtherEdits() {
        try (var clean = debugger.run(PROMPT); var on = debugger.run(PROMPT, Intervention.parse("L1D5=on"));
                var mixed = debugger.run(PROMPT,
                        Intervention.parse("L1D5+=1", "L1D5=on@last", "L1D5*=2@last", "L1D6=off@0"))) {
            var untouched = clean.coefficients(1).columns(5, 1).toFloats();
            var switchedOn = on.coefficients(1).columns(5, 1).toFloats();
            var edited = mixed.coefficients(1).columns(5, 1).toFloats();
            assertThat(switchedOn).containsOnly(switchedOn[0]).doesNotContain(0);
            for (int position = 0; position < LENGTH - 1; position++) {
                assertThat(edited[position]).isEqualTo(untouched[position] + 1);
            }
            assertThat(edited[LENGTH - 1]).isEqualTo(2 * switchedOn[0]);
            assertThat(mixed.coefficients(1).columns(6, 1).toFloats()[0]).isZero();
            assertThat(mixed.coefficients(1).columns(6, 1).toFloats()[1]).isNotZero();
        }
    }

    @Test
    void coefficientsOfAnotherPromptAreTakenFromItsRun() {
        var other = "Once upon a time there was a big";
        try (var run = debugger.run(other);
                var edited = debugger.run(PROMPT, Intervention.parse("L2D9=from:\"" + other + "\""))) {
            assertThat(edited.coefficients(2).columns(9, 1).toFloats())
                    .isEqualTo(run.coefficients(2).columns(9, 1).toFloats());
        }
        assertThatThrownBy(() -> debugger.run(PROMPT, Intervention.parse("L2D9=from:\"Once upon\"")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("position 2").hasMessageContaining("one of the 2 that \"Once upon\" has");
        debugger.run(PROMPT, Intervention.parse("L2D9=from:\"Once upon\"@0,1")).close();
    }

    /** Every index by itself would take hours, and more memory than there is. */
    @Test
    void rangesOfPositionsAreHeldAgainstThePromptAsRanges() {
        var ranges = "0..999999999,".repeat(100_000) + "0";
        refused(() -> debugger.trace(PROMPT, Intervention.parse("L0D0=0@" + ranges)),
                "edit: L0D0=0@0..999999999: position 999999999 (expected: at most 7)");
        var apart = IntStream.range(0, 100_000).mapToObj(i -> String.valueOf(2 * i)).collect(Collectors.joining(","));
        refused(() -> debugger
                .plan(Sweep.of(PROMPT).allNeurons().off().at(Positions.parse(apart)).measure(Measure.kl())),
                "edit: L0D0=0@0,2,4,", "characters): position 199998 (expected: at most 7)");
        refused(() -> debugger.run(PROMPT, Intervention.parse("L0D0=from:\"Once\"", "L0D1=0@8")).close(),
                "edit: L0D1=0@8: position 8");
    }

    /** LayerNorm leaves of a residual stream that one value vector rules its direction alone, whatever its length. */
    @ParameterizedTest
    @ValueSource(strings = {"1e18", "1e19", "1e25", "1e37"})
    void hugeEditsAreComputedRightly(String value) {
        var tokens = TraceOptions.DEFAULT.atAllPositions().top(1).following(301, 17);
        var large = debugger.trace(PROMPT, Intervention.parse("L1D5=1e12"), tokens).edited().orElseThrow();
        var huge = debugger.trace(PROMPT, Intervention.parse("L1D5=" + value), tokens).edited().orElseThrow();
        for (int position = 0; position < LENGTH; position++) {
            for (int l = 1; l < 4; l++) {
                var expected = large.get(position).layer(l);
                var found = huge.get(position).layer(l);
                assertThat(found.after().getFirst().id()).isEqualTo(expected.after().getFirst().id());
                for (int token = 0; token < 2; token++) {
                    assertThat(found.chosen().get(token).after().probability())
                            .isCloseTo(expected.chosen().get(token).after().probability(), withinPercentage(0.1));
                }
            }
        }
    }

    @Test
    void aNetworkThatOverflowsIsRefusedByItsFirstLayerAndEdits() {
        var edits = Intervention.parse("L1D5=1e38", "L1D5*=1e30@3", "L2D7=0");
        var message = "edits: L1D5=1.0E38; L1D5*=1.0E30@3; L2D7=0: the network's numbers are not finite from layer 1 on (expected: ";
        refused(() -> debugger.trace(PROMPT, edits), message);
        refused(() -> debugger.trace(PROMPT, edits, TraceOptions.DEFAULT.at(0, 3).top(1)), message);
        for (float temperature : new float[] {0, 1}) {
            for (int topK : new int[] {0, 5}) {
                var options = new GenerationOptions(3, new Sampling(temperature, topK, 1));
                refused(() -> debugger.generate(PROMPT, List.of(Continuation.CLEAN, Continuation.of(edits)), options,
                        (c, token) -> true), message);
            }
        }
        var later = Intervention.parse("L2D5=1e38@10", "L2D5*=1e30@10"); // the third token's
        var before = new ArrayList<Generation.Token>();
        refused(() -> debugger.generate(PROMPT, List.of(Continuation.of(later)), GenerationOptions.greedy(9),
                (c, token) -> before.add(token)),
                "edits: L2D5=1.0E38@10; L2D5*=1.0E30@10: the network's numbers are not finite from layer 2 on");
        assertThat(before).isEqualTo(debugger.generate(PROMPT, 3).tokens());
    }

    /** Nobody's mistake changes what others compute. */
    @Test
    void weightsAndActivationsAreNotOverwritten() {
        try (var run = debugger.run(PROMPT)) {
            var tensors = List.of(run.coefficients(1), run.residualPost(2), run.residualMid(0), run.keys(1),
                    run.values(1), model.head(),
                    model.layer(1).ffnOut(), model.layer(1).valueNorms());
            for (var tensor : tensors) {
                refused(() -> device.call(session -> {
                    session.upload(tensor, new float[Math.toIntExact(tensor.rows() * tensor.columns())]);
                    return null;
                }), "to: " + tensor + ", read-only (expected: a tensor of your own)");
            }
            run.residualPost(2).close(); // the run's own
            assertThat(run.residualPost(2).toFloats()).isNotEmpty();
        }
    }

    @Test
    void aClosedRunIsNotRead() {
        var run = debugger.run(PROMPT);
        run.close();
        run.close();
        assertThatThrownBy(() -> run.residualPost(0).toFloats()).isInstanceOf(IllegalStateException.class);
    }

    /** The same tokens, as none of the four best logits is nearer to another than 0.003. */
    @Test
    void theLensReadsWhatATraceShows() {
        var trace = debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.atAllPositions().top(3));
        try (var run = debugger.run(PROMPT)) {
            for (int l = 0; l < model.config().layers(); l++) {
                var top = debugger.lens().top(run.residualPost(l), 3);
                for (int p = 0; p < LENGTH; p++) {
                    var shown = trace.position(p).layer(l).after();
                    var sum = top.logSumExp()[p];
                    assertThat(top.tokens(p, model.tokenizer()).stream().map(TokenLogit::id))
                            .isEqualTo(shown.stream().map(Trace.Prediction::id).toList());
                    for (int i = 0; i < 3; i++) {
                        assertThat((float) Math.exp(top.logits()[3 * p + i] - sum))
                                .isCloseTo(shown.get(i).probability(), within(2e-6f));
                    }
                }
                assertThat(debugger.lens().tokens(run.residualPost(l), 3)).isEqualTo(IntStream.range(0, LENGTH)
                        .mapToObj(p -> top.tokens(p, model.tokenizer())).toList());
                var ids = Arrays.copyOf(top.ids(), 3); // of position 0
                var logProbabilities = debugger.lens().logProbabilities(run.residualPost(l), ids);
                for (int i = 0; i < 3; i++) {
                    assertThat(logProbabilities[i]).isCloseTo(top.logits()[i] - top.logSumExp()[0], within(1e-5f));
                }
                assertThat(logProbabilities).hasSize(3 * LENGTH);
            }
            refused(() -> debugger.lens().top(run.coefficients(0), 3), "");
            refused(() -> debugger.lens().top(run.residualPost(0), 0), "k: 0");
            refused(() -> debugger.lens().logProbabilities(run.residualPost(0), 8192),
                    "token: 8192 (expected: 0 to 8191)");
        }
    }

    /** More rows than a tile of logits has. */
    @Test
    void theLensReadsManyRowsAsItReadsEach() {
        try (var run = debugger.run(PROMPT); var rows = device.allocate(ElementType.F32, 300, model.config().width())) {
            device.call(session -> {
                for (int r = 0; r < 300; r++) {
                    session.copy(rows.row(r), run.residualPost(1).row(r % LENGTH));
                }
                return null;
            });
            var few = debugger.lens().top(run.residualPost(1), 2);
            var many = debugger.lens().top(rows, 2);
            for (int r = 0; r < 300; r++) {
                assertThat(many.tokens(r, model.tokenizer()).getFirst().id()).isEqualTo(few.ids()[2 * (r % LENGTH)]);
                assertThat(many.logSumExp()[r]).isCloseTo(few.logSumExp()[r % LENGTH], within(1e-5f));
            }
        }
    }

    private static void refused(ThrowingCallable call, String... parts) {
        assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).message().contains(parts);
    }
}
