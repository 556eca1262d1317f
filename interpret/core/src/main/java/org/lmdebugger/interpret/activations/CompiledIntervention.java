package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Positions;

/**
 * Edits made ready for one prompt: for each neuron and position, one affine map of its coefficient. Edits of one
 * coefficient are folded in the order given, so that a device never sees two of them.
 */
public final class CompiledIntervention {
    public static final CompiledIntervention NONE = new CompiledIntervention(0);

    /** The map from m to scale·m + shift; exactly shift if scale is 0. */
    public record Affine(float scale, float shift) {
        public static final Affine IDENTITY = new Affine(1, 0);

        public float apply(float m) {
            return scale == 0 ? shift : scale * m + shift;
        }

        Affine then(Affine next) {
            return next.scale == 0 ? next : new Affine(next.scale * scale, next.scale * shift + next.shift);
        }
    }

    private record Step(Positions positions, IntFunction<Affine> change) {
    }

    private final int promptLength;
    private final Map<Integer, Map<Integer, List<Step>>> layers = new TreeMap<>(); // by layer, then neuron

    public CompiledIntervention(int promptLength) {
        this.promptLength = promptLength;
    }

    public void add(int layer, int neuron, Positions positions, IntFunction<Affine> change) {
        layers.computeIfAbsent(layer, l -> new TreeMap<>()).computeIfAbsent(neuron, n -> new ArrayList<>())
                .add(new Step(positions, change));
    }

    boolean isEmpty() {
        return layers.isEmpty();
    }

    /** Returns the edited neurons of a layer. */
    public List<Integer> neurons(int layer) {
        return List.copyOf(layers.getOrDefault(layer, Map.of()).keySet());
    }

    /** Returns the change of a neuron of {@link #neurons} at a position; null if there is none. */
    public Affine at(int layer, int neuron, int position) {
        Affine folded = null;
        for (var step : layers.get(layer).get(neuron)) {
            if (step.positions().contains(position, promptLength)) {
                var change = step.change().apply(position);
                folded = folded == null ? change : folded.then(change);
            }
        }
        return folded;
    }

    /** Returns whether anything changes at positions from … to−1. */
    public boolean touches(int from, int to) {
        return layers.values().stream().flatMap(neurons -> neurons.values().stream()).flatMap(List::stream)
                .anyMatch(step -> IntStream.range(from, to).anyMatch(p -> step.positions().contains(p, promptLength)));
    }
}
