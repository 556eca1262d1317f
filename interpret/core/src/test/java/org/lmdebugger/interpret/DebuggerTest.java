package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
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
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;

/** What {@link Debugger} promises beyond the golden values. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DebuggerTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int LENGTH = 8;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Device device = sample.device();
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    @Test
    void theSameInputGivesTheSameBits() {
        var edits = Intervention.parse("L1D5=2", "L2D7*=3@last");
        var options = TraceOptions.DEFAULT.atAllPositions().following(301, 17);
        assertThat(debugger.trace(PROMPT, edits, options)).isEqualTo(debugger.trace(PROMPT, edits, options));
        assertThat(debugger.generate(PROMPT, edits, 20)).isEqualTo(debugger.generate(PROMPT, edits, 20));
    }

    @Test
    void threadsWithDifferentEditsGetWhatTheyGetAlone() throws Exception {
        var edits = IntStream.range(0, 6).mapToObj(i -> Intervention.parse("L%dD%d=%d".formatted(i % 4, 31 * i, i)))
                .toList();
        var alone = edits.stream().map(e -> debugger.trace(PROMPT, e)).toList();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int round = 0; round < 10; round++) {
                var together = edits.stream().map(e -> threads.submit(() -> debugger.trace(PROMPT, e))).toList();
                for (int i = 0; i < edits.size(); i++) {
                    assertThat(together.get(i).get()).isEqualTo(alone.get(i));
                }
            }
        }
        assertThat(debugger.trace(PROMPT).edited()).isNull(); // nothing was left behind
        assertThat(debugger.trace(PROMPT).positions()).isEqualTo(alone.getFirst().positions());
    }

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
    void aTraceIsOfLmDebuggersModeIfAnEditIsASwitch() {
        assertThat(debugger.trace(PROMPT, Intervention.parse("L1D5=2", "L1D6=off")).mode()).isEqualTo("lm-debugger");
        assertThat(debugger.trace(PROMPT, Intervention.parse("L1D5=2")).mode()).isEqualTo("exact");
    }

    @Test
    void idsAreTakenWhereTextIs() {
        var ids = Prompt.ofIds(model.encode(PROMPT));
        var text = Prompt.of(PROMPT);
        var edits = Intervention.of(new Edit(2, 9, new Edit.Operation.From(ids), Positions.LAST));
        var options = GenerationOptions.greedy(5);
        try (var ofText = debugger.run(text, Intervention.NONE); var ofIds = debugger.run(ids, edits)) {
            assertThat(ofIds.ids()).isEqualTo(ofText.ids());
            assertThat(ofIds.coefficients(3).toFloats()).isEqualTo(ofText.coefficients(3).toFloats());
        }
        assertThat(debugger.trace(ids, Intervention.NONE, TraceOptions.DEFAULT, Progress.NONE))
                .isEqualTo(debugger.trace(PROMPT));
        assertThat(debugger.generate(ids, List.of(Continuation.CLEAN), options, (c, token) -> true))
                .isEqualTo(debugger.generate(text, List.of(Continuation.CLEAN), options, (c, token) -> true));
        assertThat(edits.texts()).containsExactly("L2D9=from:" + ids + "@last");
        assertThat(Prompt.ofIds(620, 17)).hasToString("#620,17");
        refused(() -> debugger.run(Prompt.ofIds(), Intervention.NONE), "prompt: empty (expected: at least one token)");
        refused(() -> debugger.run(Prompt.ofIds(9000), Intervention.NONE), "token: 9000");
        refused(() -> debugger.run(Prompt.ofIds(new int[129]), Intervention.NONE),
                "prompt: 129 tokens (expected: at most 128 in this model)");
    }

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
    void coefficientsOfAnotherPrompt() {
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

    /** With a cache, token by token, is what it is without one, all at once. */
    @ParameterizedTest
    @ValueSource(strings = {"", "L1D5=6", "L1D5=6@generated", "L0D3*=4@last", "L2D7=5@8..10,12", "L1D5=6@prompt",
            "L3D1+=3@9", "L1H3=0", "L1H3*=2@generated", "L2H1.q=0@9..12", "L0H2.k*=3", "L2H*.v=0@8..11",
            "L1H2.link=off@9->2", "L1H2.link=off@generated->1",
            "L2H0.pattern=from:\"One day a cat sat on the mat\"@0..3",
            "L2.mid+=3*L3D42@generated", "L1.pre-=L2D7", "L2.attention=0@10", "L3.ffn*=2@generated",
            "L1.post+=0.1*norm*token:\" girl\"@7..9"})
    void generationIsRepeatedPrediction(String edit) {
        var edits = edit.isEmpty() ? Intervention.NONE : Intervention.parse(edit);
        int steps = 8;
        var generation = debugger.generate(PROMPT, edits, steps);
        var ids = new ArrayList<>(IntStream.of(model.tokenizer().encode(PROMPT)).boxed().toList());
        var resolver = new Resolver(model, model.tokenizer().encode(PROMPT), LENGTH + steps);
        var intervention = resolver.resolve(edits);
        for (int s = 0; s < steps; s++) {
            try (var run = Activations.forward(model, ids.stream().mapToInt(i -> i).toArray(), intervention,
                    Activations.Keep.ALL); var logits = run.logits()) {
                var row = logits.row(ids.size() - 1).toFloats();
                int best = IntStream.range(0, row.length).reduce((a, b) -> row[b] > row[a] ? b : a).orElseThrow();
                assertThat(generation.tokens().get(s).id()).as("token %d", s).isEqualTo(best);
                double sum = IntStream.range(0, row.length).mapToDouble(i -> Math.exp((double) row[i] - row[best]))
                        .sum();
                // a sum over 8,192 logits whose own errors are about 1e-5
                assertThat((double) generation.tokens().get(s).logProbability()).isCloseTo(-Math.log(sum),
                        within(1e-4));
                ids.add(best);
            }
        }
        resolver.close();
    }

    @Test
    void aBatchIsWhatEachContinuationIsAlone() {
        var continuations = List.of(Continuation.CLEAN, new Continuation(Intervention.NONE, 7),
                new Continuation(Intervention.parse("L1D5=6@generated"), 7),
                new Continuation(Intervention.parse("L1D5=6"), 7),
                new Continuation(Intervention.parse("L2D8=3@9..11"), 8), new Continuation(Intervention.NONE, 9),
                new Continuation(Intervention.parse("L1H2=0@generated", "L0.mid+=2*L1D3@generated"), 9),
                new Continuation(Intervention.parse("L1H2.link=off@generated->3", "L0H1*=2@generated"), 10));
        var options = new GenerationOptions(12, new Sampling(1, 0, 1));
        var together = debugger.generate(PROMPT, continuations, options, (c, token) -> true);
        for (int c = 0; c < continuations.size(); c++) {
            var alone = debugger.generate(PROMPT, List.of(continuations.get(c)), options, (x, token) -> true)
                    .getFirst();
            assertThat(together.get(c).tokens().stream().map(Generation.Token::id).toList()).as("continuation %d", c)
                    .isEqualTo(alone.tokens().stream().map(Generation.Token::id).toList());
        }
        assertThat(together.get(1))
                .isEqualTo(debugger.generate(PROMPT, continuations, options, (c, token) -> true).get(1));
        assertThat(together.stream().map(Generation::continuation).distinct()).hasSizeGreaterThan(3);
    }

    /** Pearson's χ² of 2,000 first tokens, each of another seed, against the traced distribution. */
    @Test
    void drawnTokensFollowTheTracedDistribution() {
        int draws = 2000;
        var traced = debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.top(12)).position(-1).layers()
                .getLast().after();
        var continuations = IntStream.range(0, draws).mapToObj(seed -> new Continuation(Intervention.NONE, seed))
                .toList();
        var counts = new int[traced.size() + 1];
        debugger.generate(PROMPT, continuations, new GenerationOptions(1, new Sampling(1, 0, 1)), (c, token) -> {
            int at = traced.stream().map(Trace.Prediction::id).toList().indexOf(token.id());
            counts[at < 0 ? traced.size() : at]++;
            return true;
        });
        double rest = 1 - traced.stream().mapToDouble(Trace.Prediction::probability).sum();
        double chiSquare = IntStream.rangeClosed(0, traced.size()).mapToDouble(i -> {
            double expected = draws * (i < traced.size() ? traced.get(i).probability() : rest);
            return Math.pow(counts[i] - expected, 2) / expected;
        }).sum();
        assertThat(chiSquare).as("counts %s", counts).isLessThan(32.9); // 12 degrees of freedom, p = 0.001
    }

    @Test
    void tokensComeOneByOneAndTheListenerEndsThem() {
        var pieces = new StringBuilder();
        var generation = debugger.generate(PROMPT, List.of(Continuation.CLEAN, Continuation.CLEAN),
                GenerationOptions.greedy(20), (c, token) -> {
                    pieces.append(c == 0 ? token.text() : "");
                    return pieces.length() < 10;
                });
        assertThat(generation.getFirst().end()).isEqualTo(Generation.End.CANCELLED);
        assertThat(generation.getFirst().continuation()).isEqualTo(pieces.toString()).hasSizeLessThan(20);
        assertThat(generation.get(1).end()).isEqualTo(Generation.End.CANCELLED);
    }

    @Test
    void researchCodeReadsAndProjects() {
        try (var run = debugger.run(PROMPT); var logits = run.logits()) {
            assertThat(run.keys(0).rows()).isEqualTo(LENGTH);
            var last = logits.row(LENGTH - 1).toFloats();
            var prediction = debugger.trace(PROMPT).position(-1).layers().getLast().after().getFirst();
            assertThat(IntStream.range(0, last.length).allMatch(i -> last[i] <= last[prediction.id()])).isTrue();
            var projected = debugger.project(model.layer(2).ffnOut().rows(5, 2), 3);
            var value = model.layer(2).ffnOut().row(6).toFloats();
            var embedding = model.head().row(projected.get(1).getFirst().id()).toFloats();
            double dot = IntStream.range(0, value.length).mapToDouble(i -> value[i] * embedding[i]).sum();
            assertThat((double) projected.get(1).getFirst().logit()).isCloseTo(dot, within(1e-4));
        }
    }

    @Test
    void chosenTokensAreFollowed() {
        int boy = model.tokenizer().single(" boy");
        var trace = debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.following(boy, 0));
        var last = trace.position(-1).layers().getLast();
        assertThat(trace.position(-1).target().text()).isEqualTo(" boy");
        var listed = last.after().stream().filter(p -> p.id() == boy).findFirst().orElseThrow();
        assertThat(last.chosen().getFirst().after())
                .isEqualTo(new Trace.Standing(listed.probability(), last.after().indexOf(listed)));
        assertThat(last.chosen().get(1).after().rank()).isGreaterThan(9);
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
        var large = debugger.trace(PROMPT, Intervention.parse("L1D5=1e12"), tokens).edited();
        var huge = debugger.trace(PROMPT, Intervention.parse("L1D5=" + value), tokens).edited();
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
        refused(() -> debugger.trace(PROMPT, edits, new TraceOptions(List.of(0, 3), 1, List.of(), false)), message);
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

    @Test
    void badInputIsNamed() {
        refused(() -> debugger.trace(""), "prompt: empty");
        refused(() -> debugger.trace("a ".repeat(200)), "prompt: ", " tokens (expected: at most 128 in this model)");
        refused(() -> debugger.generate(PROMPT, 121),
                "tokens: 121 after a prompt of 8 (expected: at most 128 together in this model)");
        refused(() -> debugger.generate(PROMPT, Integer.MAX_VALUE), "tokens: 2147483647 after a prompt of 8");
        refused(() -> debugger.generate(PROMPT, 0), "tokens: 0");
        refused(() -> debugger.trace("a ".repeat(100_000_000)),
                "prompt: 200,000,000 characters (expected: at most 128 tokens in this model)");
        refused(() -> debugger.trace(PROMPT, Intervention.parse("L0D0=from:\"" + "a ".repeat(100_000_000) + "\"")),
                "prompt: 200,000,000 characters");
        refused(() -> debugger.trace(PROMPT, Intervention.parse("L4D0=0")),
                "edit: L4D0 (expected: L0 to L3 and D0 to D767 in this model)");
        refused(() -> debugger.trace(PROMPT, Intervention.parse("L0D768=0")), "edit: L0D768");
        refused(() -> debugger.trace(PROMPT, Intervention.parse(Mode.LM_DEBUGGER, List.of("L9D0=on"))), "edit: L9D0");
        refused(() -> debugger.trace(PROMPT, Intervention.parse("L0D0=0@8")),
                "edit: L0D0=0@8: position 8 (expected: at most 7)");
        refused(() -> debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.at(8)),
                "position: 8 (expected: 0 to 7, or -8 to -1 from the end)");
        refused(() -> debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.top(0)),
                "top: 0 (expected: 1 to 768)");
        refused(() -> debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.following(8192)),
                "token: 8192 (expected: 0 to 8191)");
        refused(() -> debugger.trace(PROMPT).position(3), "position: 3 (expected: one of [7])");
        refused(() -> new Sampling(-1, 0, 1), "temperature: -1.0");
        refused(() -> new Sampling(1, -1, 1), "topK: -1");
        refused(() -> new Sampling(1, 0, 0), "topP: 0.0");
        assertThat(debugger.generate(PROMPT, 120).tokens()).isNotEmpty(); // exactly as many as fit
    }

    private static void refused(ThrowingCallable call, String... parts) {
        assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).message().contains(parts);
    }

    @Test
    void aClosedRunIsNotRead() {
        var run = debugger.run(PROMPT);
        run.close();
        run.close();
        assertThatThrownBy(() -> run.residualPost(0).toFloats()).isInstanceOf(IllegalStateException.class);
    }
}
