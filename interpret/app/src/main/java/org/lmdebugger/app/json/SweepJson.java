package org.lmdebugger.app.json;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.text.Shown;

/**
 * A sweep as JSON that is read as the same sweep: its parts in their text forms.
 *
 * @param neurons null for other parts, or interventions alone
 * @param sites   the other parts; null for neurons, or interventions alone
 * @param mode    of the operations
 * @param edits   that hold in every run
 * @param memory  bytes of a chunk; null for as many as suit the device
 */
@JsonInclude(NON_NULL)
public record SweepJson(List<PromptLine> prompts, String neurons, String sites, String mode, List<String> operations,
        List<List<String>> interventions, List<String> edits, String at, List<String> measures, Long memory) {
    /** @throws IllegalArgumentException if something of it has no text form, such as a measure of a program's own */
    public static SweepJson of(Sweep sweep) {
        var mode = sweep.operations().stream().anyMatch(each -> each.isSwitch()) ? Mode.LM_DEBUGGER : Mode.EXACT;
        var json = new SweepJson(
                IntStream.range(0, sweep.prompts().size())
                        .mapToObj(i -> PromptLine.of(sweep.prompts().get(i), sweep.targets().get(i))).toList(),
                sweep.parts() instanceof NeuronSelection chosen ? chosen.toString() : null,
                sweep.parts() == null || sweep.parts() instanceof NeuronSelection ? null : sweep.parts().toString(),
                mode.toString(),
                sweep.operations().stream().map(Mode::text).toList(),
                sweep.interventions().stream().map(Intervention::texts).toList(), sweep.base().texts(),
                sweep.positions().toString(), sweep.measures().stream().map(Measure::toString).toList(),
                sweep.memory() == Sweep.AS_SUITS ? null : sweep.memory());
        if (!json.read().equals(sweep)) {
            throw new IllegalArgumentException("sweep: %s (expected: one that is written as text)"
                    .formatted(Shown.of(Json.line(json))));
        }
        return json;
    }

    /** Returns the same sweep of other prompts. */
    public SweepJson prompts(List<PromptLine> others) {
        return new SweepJson(others, neurons, sites, mode, operations, interventions, edits, at, measures, memory);
    }

    /** Returns the sweep. @throws IllegalArgumentException naming what is missing or is not a text form */
    public Sweep read() {
        var read = Sweep.of(given("prompts", prompts).stream().map(PromptLine::read).toList())
                .targets(prompts.stream().map(PromptLine::readTarget).toList())
                .base(Intervention.parse(Mode.EXACT, given("edits", edits)))
                .interventions(given("interventions", interventions).stream()
                        .map(texts -> Intervention.parse(Mode.EXACT, texts)).toList())
                .at(Positions.parse(Objects.requireNonNullElse(at, "last")))
                .measure(given("measures", measures).stream().map(Measure::parse).toArray(Measure[]::new))
                .memory(memory == null ? Sweep.AS_SUITS : memory);
        if (neurons != null && sites != null) {
            throw new IllegalArgumentException(
                    "sites: %s beside neurons (expected: one of them)".formatted(Shown.of(sites)));
        }
        if (neurons != null || sites != null) {
            read = read.parts(sites == null ? NeuronSelection.parse(neurons) : PartSelection.parse(sites));
        }
        var reader = Mode.parse(Objects.requireNonNullElse(mode, Mode.EXACT.toString()));
        for (var operation : given("operations", operations)) {
            read = read.operation(reader.operation(operation));
        }
        return read;
    }

    private static <T> List<T> given(String name, List<T> list) {
        if (list == null || list.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("%s: %s (expected: a list)".formatted(name,
                    list == null ? "missing" : "null among them"));
        }
        return list;
    }
}
