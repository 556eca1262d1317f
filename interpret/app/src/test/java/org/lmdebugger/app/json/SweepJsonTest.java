package org.lmdebugger.app.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.model.Prompt;

/** A sweep is written as JSON and read as the same sweep. */
class SweepJsonTest {
    private static Sweep read(String json) {
        return JsonReader.read(json.getBytes(StandardCharsets.UTF_8), SweepJson.class).read();
    }

    private static void checkReadAsWritten(Sweep sweep) {
        assertThat(read(Json.print(SweepJson.of(sweep)))).isEqualTo(sweep);
    }

    @Test
    void aSweepIsReadAsItIsWritten() {
        var sweep = Sweep.of("The king", "A \"queen\"\n").measure(Measure.kl());
        checkReadAsWritten(sweep.allNeurons().off());
        checkReadAsWritten(sweep.dominant(3).lmDebugger(true).lmDebugger(false).atAll());
        checkReadAsWritten(sweep.parts(PartSelection.parse("heads:L2-4,L5D1+L5D7,pre")).set(-0.1f).scale(1e-9f).add(3)
                .from("other \"prompt\"").operation(new Operation.Mean("stories", true))
                .operation(new Operation.Resample("stories", 12)).at(Positions.EACH).memory(1 << 20));
        checkReadAsWritten(Sweep.of(List.of(Prompt.ofIds(1, 2, 3), Prompt.of("a")))
                .targets(Target.NONE, new Target(Optional.of(Token.of(" king")), Optional.of(Token.ofId(7))))
                .base(Intervention.parse("L1H2=0", "L0.mid+=4*L3D42@1"))
                .interventions(List.of(Intervention.parse("L1D2=0@last", "L3D4*=2"), Intervention.parse("L1D2=off")))
                .measure(Measure.top(5), Measure.parse("difference:target/against"), Measure.parse("rank:\" king\"")));
    }

    @Test
    void aSweepWithoutATextFormIsRefused() {
        var sweep = Sweep.of("The king").allNeurons();
        assertThatThrownBy(() -> SweepJson.of(sweep.off().measure(Measure.own("mine", logits -> 0))))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> SweepJson.of(sweep.operation(new Operation.From(Prompt.ofIds(1, 2)))
                .measure(Measure.kl()))).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"{} | prompts: missing (expected: a list)",
            "{\"prompts\":[null]} | prompts: null among them",
            "{\"prompts\":[{}],\"edits\":[],\"interventions\":[],\"measures\":[],\"operations\":[]} | prompt: missing",
            "{\"prompts\":[{\"prompt\":\"a\"}],\"edits\":[],\"interventions\":[],\"measures\":[\"x\"],\"operations\":[]} | measure: x",
            "{\"prompts\":[{\"prompt\":\"a\"}],\"edits\":[\"x\"],\"interventions\":[],\"measures\":[],\"operations\":[]} | edit: x",
            "{\"prompts\":[],\"edits\":[],\"interventions\":[],\"measures\":[],\"operations\":[\"x\"]} | operation: x"})
    void mistakesAreNamed(String json, String message) {
        assertThatThrownBy(() -> read(json)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
