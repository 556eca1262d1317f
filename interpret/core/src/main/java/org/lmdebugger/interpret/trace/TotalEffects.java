package org.lmdebugger.interpret.trace;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.SweepEngine;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** Total effects of a traced position's dominant sub-updates: a sweep switches each off by itself. */
public final class TotalEffects {
    private TotalEffects() {
    }

    /** Returns the same positions with total effects; {@code progress} is called after each chunk of their sweeps. */
    public static List<Trace.Position> add(Gpt2 model, int[] ids, List<Trace.Position> positions, Progress progress) {
        return IntStream.range(0, positions.size())
                .mapToObj(i -> add(model, ids, positions.get(i), () -> progress.report(i, positions.size()))).toList();
    }

    /** Sweeps the prompt up to the position, which later tokens cannot change. */
    private static Trace.Position add(Gpt2 model, int[] ids, Trace.Position position, Runnable afterChunk) {
        var neurons = position.layers().stream().flatMap(layer -> layer.dominant().stream())
                .map(update -> new Neuron(update.layer(), update.neuron())).toArray(Neuron[]::new);
        var measure = Measure.of(Measure.Quantity.LOG_PROBABILITY, position.target().id());
        var sweep = Sweep.ofIds(Arrays.copyOf(ids, position.position() + 1)).neurons(NeuronSelection.of(neurons)).off()
                .atLast().measure(measure);
        var totals = new HashMap<Neuron, Float>();
        SweepEngine.run(model, SweepPlan.of(model, sweep), 0, effects -> {
            for (int i = 0; i < effects.size(); i++) {
                totals.put(new Neuron(effects.layers()[i], effects.neurons()[i]),
                        effects.clean(measure) - effects.values(measure)[i]);
            }
            afterChunk.run();
            return true;
        });
        return new Trace.Position(position.position(), position.target(),
                position.layers().stream().map(layer -> add(layer, totals)).toList());
    }

    private static Trace.Layer add(Trace.Layer layer, Map<Neuron, Float> totals) {
        return new Trace.Layer(layer.layer(), layer.before(), layer.after(),
                layer.dominant().stream()
                        .map(update -> new Trace.SubUpdate(update.layer(), update.neuron(), update.coefficient(),
                                update.score(), update.direct(),
                                OptionalDouble.of(totals.get(new Neuron(update.layer(), update.neuron())))))
                        .toList(),
                layer.chosen());
    }
}
