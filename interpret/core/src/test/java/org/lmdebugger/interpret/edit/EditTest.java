package org.lmdebugger.interpret.edit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.edit.Edit.Operation;

class EditTest {
    @Test
    void textForms() {
        assertThat(Edit.parse("L12D345=0")).isEqualTo(Edit.off(12, 345));
        assertThat(Edit.parse("L1D2*=2")).isEqualTo(new Edit(1, 2, new Operation.Scale(2), Positions.ALL));
        assertThat(Edit.parse("L1D2+=-1.5@last")).isEqualTo(new Edit(1, 2, new Operation.Add(-1.5f), Positions.LAST));
        assertThat(Edit.parse(" L0D0 = 1e-3 @generated "))
                .isEqualTo(new Edit(0, 0, new Operation.Set(1e-3f), Positions.GENERATED));
        assertThat(Edit.parse("L1D2=3@1,4")).isEqualTo(new Edit(1, 2, new Operation.Set(3), Positions.at(1, 4)));
        assertThat(Edit.parse("L1D2=3@2..5,0"))
                .isEqualTo(new Edit(1, 2, new Operation.Set(3), Positions.at(0, 2, 3, 4, 5)));
        assertThat(Edit.parse("L1D2=from:\"a \"quoted\" @last prompt\"@prompt"))
                .isEqualTo(new Edit(1, 2, new Operation.From("a \"quoted\" @last prompt"), Positions.PROMPT));
        assertThat(Edit.parse("L1D2=on")).isEqualTo(new Edit(1, 2, new Operation.On(), Positions.ALL));
        assertThat(Edit.parse(" L1D2 = off @1,4")).isEqualTo(new Edit(1, 2, new Operation.Off(), Positions.at(1, 4)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"L12D345=0", "L1D2*=2.5", "L1D2+=-1.5@last", "L1D2=3@1,4", "L1D2=3@0,1", "L1D2=3@0,2..5",
            "L1D2=from:\"other\"@prompt",
            "L0D0=1.0E10", "L1D2=on", "L1D2=off@last"})
    void anEditPrintsAsItIsWritten(String text) {
        assertThat(Edit.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "L1", "L1D2", "L1D2=", "l1d2=0", "L-1D2=0", "L1D2=x", "L1D2=0@", "L1D2=0@nowhere",
            "L1D2=0@5..2", "L1D2=0@-1",
            "L1D2==0", "L1D2-=1", "L1D2=1f", "L1D2=0x1p3", "L1D2=\0001", "L1D2=from:other", "L12345678901D2=0",
            "L1D2=0 L1D3=0", "L1D2*=on",
            "L1D2=ON", "L1D2=onn"})
    void whatIsNoEditIsRefusedWithTheFormsThatAre(String text) {
        assertThatThrownBy(() -> Edit.parse(text)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"NaN", "Infinity", "-Infinity", "1e39"})
    void aValueThatIsNotFiniteIsRefused(String value) {
        assertThatThrownBy(() -> Edit.parse("L1D2=" + value)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("edit: L1D2=%s: %s (expected: a finite number)", value, value);
        assertThatThrownBy(() -> new Operation.Scale(Float.NaN)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"all", "prompt", "generated", "last", "each", "3", "0,2..5", "1,4", "4..9,11"})
    void positionsAreCountedAsTheyAreContained(String text) {
        var positions = Positions.parse(text);
        for (int from = 0; from < 12; from++) {
            for (int to = from; to < 12; to++) {
                assertThat(positions.count(from, to, 6)).as("%s from %d to %d", text, from, to)
                        .isEqualTo(IntStream.range(from, to).filter(p -> positions.contains(p, 6)).count());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"ALL, true, true, true", "PROMPT, true, true, false", "GENERATED, false, false, true",
            "LAST, false, true, false"})
    void namedPositions(Positions.Named named, boolean first, boolean last, boolean generated) {
        assertThat(named.contains(0, 5)).isEqualTo(first);
        assertThat(named.contains(4, 5)).isEqualTo(last);
        assertThat(named.contains(5, 5)).isEqualTo(generated);
    }

    @Test
    void theLastSwitchOfANeuronCounts() {
        var edits = Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D2=on", "L3D4=off", "L1D2=off"));
        assertThat(edits.texts()).containsExactly("L1D2=off", "L3D4=off");
        assertThatThrownBy(() -> Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D2=3")))
                .hasMessageContaining("L12D345=on");
    }

    @ParameterizedTest
    @ValueSource(strings = {"L1D2=3", "L1D2=on@last", "L1D2=off@all", "L1D2*=on", "L1D2"})
    void lmDebuggersModeTakesOnAndOffAlone(String text) {
        assertThatThrownBy(() -> Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D2=on", text)))
                .hasMessage("edit: %s (expected: L12D345=on or L12D345=off in this mode)", text);
    }

    @Test
    void switchesStandAmongOtherEdits() {
        var texts = new String[] {"L1D2=on@last", "L1D2*=2", "L0D1=off", "L1D2=off@0"};
        var edits = Intervention.parse(texts);
        assertThat(edits.texts()).containsExactly(texts);
        assertThat(edits.neurons()).containsExactly(new Neuron(1, 2), new Neuron(0, 1));
        assertThat(Intervention.parse("L1D2=on", "L0D1=off"))
                .isEqualTo(Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D2=on", "L0D1=off")));
    }

    /** Folding several edits into one is what applying them in order would be. */
    @Test
    void editsOfOneCoefficientApplyInOrder() {
        var intervention = new CompiledIntervention(4);
        intervention.add(0, 7, Positions.ALL, p -> new CompiledIntervention.Affine(2, 0));
        intervention.add(0, 7, Positions.LAST, p -> new CompiledIntervention.Affine(1, 3));
        intervention.add(0, 7, Positions.at(1), p -> new CompiledIntervention.Affine(0, 5));
        intervention.add(0, 7, Positions.ALL, p -> new CompiledIntervention.Affine(10, 0));
        assertThat(intervention.at(0, 7, 0)).isEqualTo(new CompiledIntervention.Affine(20, 0));
        assertThat(intervention.at(0, 7, 3)).isEqualTo(new CompiledIntervention.Affine(20, 30));
        assertThat(intervention.at(0, 7, 1)).isEqualTo(new CompiledIntervention.Affine(0, 50));
        assertThat(intervention.neurons(0)).containsExactly(7);
        assertThat(intervention.neurons(1)).isEmpty();
    }
}
