package org.lmdebugger.app.server;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.stream.Collectors;
import org.lmdebugger.app.Said;
import org.lmdebugger.app.TraceJson;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.Debugger.TokenLogit;
import org.lmdebugger.interpret.Edits;
import org.lmdebugger.interpret.Effects;
import org.lmdebugger.interpret.Measure;

/** What the effects of a sweep look like: the strongest as a table, all of them as a map of layers × neurons. */
final class SweepResults {
    private static final int SAID = 6; // tokens of a value vector beside its effect

    private final List<Measure> measures; // of one number each
    private final List<Effects> chunks;

    SweepResults(SweepJob job) {
        measures = job.plan().sweep().measures().stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
        chunks = job.chunks();
    }

    private record Row(Effects effects, int index, float strength) {
        int layer() {
            return effects.layers()[index];
        }

        int neuron() {
            return effects.neurons()[index];
        }
    }

    /** The measure of that name; the first without one. */
    private Measure measure(String name) {
        return measures.stream().filter(each -> name == null || each.toString().equals(name)).findFirst()
                .orElseThrow(() -> Problem.badRequest("measure: not one of this sweep's numbers (expected: one of %s)"
                        .formatted(measures.stream().map(Measure::toString).collect(Collectors.joining(", ")))));
    }

    /** The {@code top} effects that move the measure farthest from the unedited prompt's. */
    Map<String, Object> strongest(Debugger debugger, String measureName, int top) {
        var measure = measure(measureName);
        var strongest = new PriorityQueue<>(Comparator.comparingDouble(Row::strength)); // the weakest first
        for (var effects : chunks) {
            var values = effects.values(measure);
            for (int i = 0; i < values.length; i++) {
                float strength = Math.abs(values[i] - effects.clean(measure));
                strength = Float.isNaN(strength) ? Float.POSITIVE_INFINITY : strength; // an edit that broke it is the first to see
                if (strongest.size() < top || strength > strongest.peek().strength()) {
                    strongest.add(new Row(effects, i, strength));
                    if (strongest.size() > top) {
                        strongest.remove();
                    }
                }
            }
        }
        var rows = strongest.stream().sorted(Comparator.comparingDouble(Row::strength).reversed()).toList();
        var said = Said.of(debugger, rows.stream().filter(row -> row.layer() >= 0)
                .map(row -> new Edits.Neuron(row.layer(), row.neuron())).toList(), SAID);
        return TraceJson.object("measures", measures.stream().map(Measure::toString).toList(), "sorted_by", measure.toString(),
                "clean", chunks.isEmpty() ? List.of() : measures.stream().map(each -> chunks.getFirst().clean(each)).toList(),
                "effects", rows.stream().map(row -> json(row, said)).toList());
    }

    private Map<String, Object> json(Row row, Map<Edits.Neuron, List<TokenLogit>> said) {
        return TraceJson.object("prompt", row.effects().prompt(), "edits", row.effects().edits(row.index()).texts(),
                "layer", row.layer(), "neuron", row.neuron(),
                "values", measures.stream().map(each -> row.effects().values(each)[row.index()]).toList(),
                "says", said.getOrDefault(new Edits.Neuron(row.layer(), row.neuron()), List.of()).stream().map(TokenLogit::token).toList());
    }

    /**
     * For each layer a list of all neurons: how far one measure is from the unedited prompt's, the farthest if a neuron
     * has several effects; null where there is none.
     */
    Map<String, Object> map(Debugger debugger, String measureName) {
        var measure = measure(measureName);
        var config = debugger.model().config();
        var map = new Float[config.layers()][config.feedForwardWidth()];
        for (var effects : chunks) {
            var values = effects.values(measure);
            var layers = effects.layers();
            var neurons = effects.neurons();
            for (int i = 0; i < values.length; i++) {
                float change = values[i] - effects.clean(measure);
                if (layers[i] >= 0 && (map[layers[i]][neurons[i]] == null || Math.abs(change) > Math.abs(map[layers[i]][neurons[i]]))) {
                    map[layers[i]][neurons[i]] = change;
                }
            }
        }
        return TraceJson.object("measure", measure.toString(), "changes", map);
    }
}
