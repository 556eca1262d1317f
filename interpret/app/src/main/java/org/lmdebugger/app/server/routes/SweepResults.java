package org.lmdebugger.app.server.routes;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.ranking.StrongestEffects;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.work.SweepJob;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.TokenLogit;

/** What the effects of a sweep look like: the strongest as a table, all of them as a map of layers × neurons. */
final class SweepResults {
    private static final int SAID = 6; // tokens of a value vector beside its effect

    private final List<Measure> measures; // of one number each
    private final List<Effects> chunks;

    SweepResults(SweepJob job) {
        measures = job.plan().sweep().measures().stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
        chunks = job.chunks();
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
        var strongest = new StrongestEffects(top, measure);
        chunks.forEach(strongest::add);
        var effects = strongest.effects();
        var said = TopTokens.of(debugger, effects.stream().filter(effect -> effect.layer() >= 0)
                .map(effect -> new Neuron(effect.layer(), effect.neuron())).toList(), SAID);
        return Json.object("measures", measures.stream().map(Measure::toString).toList(), "sorted_by",
                measure.toString(),
                "clean",
                chunks.isEmpty() ? List.of() : measures.stream().map(each -> chunks.getFirst().clean(each)).toList(),
                "effects", effects.stream().map(effect -> json(effect, said)).toList());
    }

    private Map<String, Object> json(StrongestEffects.Effect effect, Map<Neuron, List<TokenLogit>> said) {
        return Json.object("prompt", effect.chunk().prompt(), "edits", effect.chunk().edits(effect.index()).texts(),
                "layer", effect.layer(), "neuron", effect.neuron(), "values",
                measures.stream().map(effect::value).toList(),
                "says", said.getOrDefault(new Neuron(effect.layer(), effect.neuron()), List.of()).stream()
                        .map(TokenLogit::token).toList());
    }

    /**
     * For each layer a list of all neurons: how far one measure is from the unedited prompt's, the farthest if a neuron
     * has several effects; null where there is none, or none that is finite.
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
                if (layers[i] >= 0 && Float.isFinite(change)
                        && (map[layers[i]][neurons[i]] == null
                                || Math.abs(change) > Math.abs(map[layers[i]][neurons[i]]))) {
                    map[layers[i]][neurons[i]] = change;
                }
            }
        }
        return Json.object("measure", measure.toString(), "changes", map);
    }
}
