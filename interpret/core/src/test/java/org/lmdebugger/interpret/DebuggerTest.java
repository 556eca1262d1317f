package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** The facade: prompts as texts and ids, repeated and concurrent calls, and bad input. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DebuggerTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int LENGTH = 8;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
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
        assertThat(debugger.trace(PROMPT).edited()).isEmpty(); // nothing was left behind
        assertThat(debugger.trace(PROMPT).positions()).isEqualTo(alone.getFirst().positions());
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
}
