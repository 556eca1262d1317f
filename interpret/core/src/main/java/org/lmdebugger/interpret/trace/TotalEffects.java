package org.lmdebugger.interpret.trace;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.SweepEngine;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** Total effects at a traced position: a sweep switches each part off by itself. */
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
        var measure = measure(Measure.Quantity.LOG_PROBABILITY, position.target(), position.against());
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
        return new Trace.Position(position.position(), position.target(), position.against(),
                position.layers().stream().map(layer -> add(layer, totals)).toList());
    }

    /**
     * Returns the attribution with the total effects of heads and feed-forward layers. In an edited run, edits may name
     * their positions by the prompt's end: only at its last position there are total effects.
     *
     * @param runs that may have the run already
     */
    public static Attribution add(Gpt2 model, References references, int[] ids, Intervention edits,
            Attribution attribution, CleanRuns runs, Progress progress) {
        int length = attribution.position() + 1;
        if (!edits.isEmpty() && length < ids.length) {
            return attribution;
        }
        var parts = new LinkedHashMap<Attribution.Component, Part>();
        for (var contribution : attribution.contributions()) {
            var component = contribution.component();
            switch (component.kind()) {
                case HEAD -> parts.put(component, new Head(component.layer(), component.head(), Head.Vector.Z));
                case FFN -> parts.put(component, new Residual(component.layer(), Residual.Point.FFN));
                default -> {}
            }
        }
        var measure = measure(Measure.Quantity.LOGIT, attribution.target(), attribution.against());
        var sweep = Sweep.ofIds(Arrays.copyOf(ids, length)).base(edits).off().atLast().measure(measure)
                .parts(new PartSelection.Named(parts.values().stream().map(List::of).toList()));
        var totals = new HashMap<Part, Double>();
        var plan = SweepPlan.of(model, references, sweep);
        SweepEngine.run(model, plan, 0, plan.chunks().size(), runs, effects -> {
            for (int i = 0; i < effects.size(); i++) {
                totals.put(effects.edits(i).list().getLast().part(),
                        (double) effects.clean(measure) - effects.values(measure)[i]);
            }
            progress.report(effects.chunk() + 1L, plan.chunks().size());
            return true;
        });
        return new Attribution(attribution.position(), attribution.target(), attribution.against(),
                attribution.logit(), attribution.contributions().stream()
                        .map(each -> parts.containsKey(each.component())
                                ? each.withTotal(totals.get(parts.get(each.component())))
                                : each)
                        .toList());
    }

    /** Returns the difference of two logits, or without a second token a quantity of the first. */
    private static Measure measure(Measure.Quantity alone, Trace.Token target, Optional<Trace.Token> against) {
        return against
                .map(other -> Measure.difference(Measure.Token.ofId(target.id()), Measure.Token.ofId(other.id())))
                .orElseGet(() -> Measure.of(alone, target.id()));
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
