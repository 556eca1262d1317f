package org.lmdebugger.interpret;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** What the dominant sub-updates of a traced position cause: each is switched off by itself, by a sweep. */
final class Verdicts {
    private Verdicts() {
    }

    /** The same position with verdicts. What comes after it cannot change it, so that it is the last of the sweep. */
    static Trace.Position add(Debugger debugger, int[] ids, Trace.Position position, Runnable between) {
        var neurons = position.layers().stream().flatMap(layer -> layer.dominant().stream())
                .map(update -> new Edits.Neuron(update.layer(), update.neuron())).toArray(Edits.Neuron[]::new);
        var measure = Measure.of(Measure.Quantity.LOG_PROBABILITY, position.contributionTo().id());
        var sweep = Sweep.ofIds(Arrays.copyOf(ids, position.position() + 1)).neurons(Neurons.of(neurons)).off().atLast().measure(measure);
        var verdicts = new HashMap<Edits.Neuron, Float>();
        debugger.sweep(sweep, effects -> {
            for (int i = 0; i < effects.size(); i++) {
                verdicts.put(new Edits.Neuron(effects.layers()[i], effects.neurons()[i]),
                        effects.values(measure)[i] - effects.clean(measure));
            }
            between.run();
            return true;
        });
        return new Trace.Position(position.position(), position.contributionTo(),
                position.layers().stream().map(layer -> add(layer, verdicts)).toList());
    }

    private static Trace.Layer add(Trace.Layer layer, Map<Edits.Neuron, Float> verdicts) {
        return new Trace.Layer(layer.layer(), layer.before(), layer.after(), layer.dominant().stream().map(update ->
                new Trace.SubUpdate(update.layer(), update.neuron(), update.coefficient(), update.score(), update.contribution(),
                        verdicts.get(new Edits.Neuron(update.layer(), update.neuron())))).toList(), layer.chosen());
    }
}
