package org.lmdebugger.interpret.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;

/** Generation beside repeated prediction and the traced distribution. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GenerationTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int LENGTH = 8;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    /** With a cache, token by token, is what it is without one, all at once: the best logit leads by 0.02 or more. */
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
        var resolver = new Resolver(model, References.NONE, model.tokenizer().encode(PROMPT), LENGTH + steps);
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
}
