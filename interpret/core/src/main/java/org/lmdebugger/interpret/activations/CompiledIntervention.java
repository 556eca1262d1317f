package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.model.Site;

/**
 * Edits made ready for one prompt. Of each neuron and position there is one affine map of its coefficient: edits of one
 * coefficient are folded in the order given, so that a device never sees two of them. Edits of other parts are changes
 * of windows of rows at a {@link Site}, and of attention weights, each in the order given.
 */
public final class CompiledIntervention {
    public static final CompiledIntervention NONE = new CompiledIntervention(0);

    private static final int SITES = Site.values().length;

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

    /** The change of the coefficients of a layer by one operation. */
    @FunctionalInterface
    public interface LayerChange {
        /** Returns the map of a neuron's coefficient at a position. */
        Affine at(int position, int neuron);
    }

    private record Step(Positions positions, IntFunction<Affine> change) {
    }

    /**
     * A change of the window w = x[column … column + width) of a row x: scale·w + (amount + norm·‖w‖ + projection·w·v)·v.
     *
     * @param vectors what v is a part of, [any, any]
     * @param from    row of v in {@code vectors}, by position
     * @param first   first column of v
     */
    public record RowChange(int column, int width, float scale, float amount, float norm, float projection,
            Tensor vectors, IntFunction<Integer> from, int first) {
    }

    /** A change of rows at some positions. */
    public record RowStep(Positions positions, RowChange change) {
    }

    /**
     * A change of a head's attention at some positions: one key that is taken away before the softmax, or all weights.
     *
     * @param key     the key; −1 if the weights are replaced
     * @param weights the weights of a position that replace the head's, over positions from 0 on
     */
    record PatternStep(int head, Positions positions, int key, IntFunction<float[]> weights) {
    }

    private final int promptLength;
    private final Map<Integer, Map<Integer, List<Step>>> layers = new TreeMap<>(); // by layer, then neuron
    private final Map<Site, Map<Integer, List<RowStep>>> rows = new EnumMap<>(Site.class); // by layer
    private final Map<Integer, List<PatternStep>> patterns = new HashMap<>(); // by layer
    private int last = -1;

    public CompiledIntervention(int promptLength) {
        this.promptLength = promptLength;
    }

    public void add(int layer, int neuron, Positions positions, IntFunction<Affine> change) {
        layers.computeIfAbsent(layer, l -> new TreeMap<>()).computeIfAbsent(neuron, n -> new ArrayList<>())
                .add(new Step(positions, change));
        last = Math.max(last, place(Site.COEFFICIENTS, layer));
    }

    void add(Site site, int layer, RowStep step) {
        rows.computeIfAbsent(site, s -> new HashMap<>()).computeIfAbsent(layer, l -> new ArrayList<>()).add(step);
        last = Math.max(last, place(site, layer));
    }

    void add(int layer, PatternStep step) {
        patterns.computeIfAbsent(layer, l -> new ArrayList<>()).add(step);
        last = Math.max(last, place(Site.Z, layer));
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

    /** Returns the changes of rows at a site of a layer, in order. */
    public List<RowStep> rows(Site site, int layer) {
        return rows.isEmpty() ? List.of() : rows.getOrDefault(site, Map.of()).getOrDefault(layer, List.of());
    }

    /** Returns the heads of a layer whose attention is changed. */
    public List<Integer> heads(int layer) {
        var steps = patterns(layer);
        return steps.isEmpty() ? List.of() : steps.stream().map(PatternStep::head).distinct().sorted().toList();
    }

    /** Returns the weights that replace those of a head at a position, if any: the last in order. */
    Optional<float[]> weights(int layer, int head, int position) {
        float[] weights = null;
        for (var step : patterns(layer)) {
            if (step.head() == head && step.key() < 0 && step.positions().contains(position, promptLength)) {
                weights = step.weights().apply(position);
            }
        }
        return Optional.ofNullable(weights);
    }

    /** Returns the keys that a head's query at a position does not attend to. */
    Set<Integer> keysOff(int layer, int head, int position) {
        var keys = new HashSet<Integer>();
        for (var step : patterns(layer)) {
            if (step.head() == head && step.key() >= 0 && step.positions().contains(position, promptLength)) {
                keys.add(step.key());
            }
        }
        return keys;
    }

    /**
     * Sets the bias of the keys that a head's query at a position does not attend to, to −∞.
     *
     * @param bias of the scores
     * @param at   place of the bias of key 0
     * @return whether there are such keys
     */
    boolean takeAway(float[] bias, int at, int layer, int head, int position) {
        var keys = keysOff(layer, head, position);
        for (int key : keys) {
            bias[at + key] = Float.NEGATIVE_INFINITY;
        }
        return !keys.isEmpty();
    }

    private List<PatternStep> patterns(int layer) {
        return patterns.getOrDefault(layer, List.of());
    }

    public boolean holds(RowStep step, int position) {
        return step.positions().contains(position, promptLength);
    }

    /** Returns the last {@link #place} where anything changes; −1 if nothing does. */
    public int last() {
        return last;
    }

    /** Returns the number of a site of a layer, in the order of the computation. */
    public static int place(Site site, int layer) {
        return layer * SITES + site.ordinal();
    }

    /** Returns whether anything changes at positions from … to−1. */
    public boolean touches(int from, int to) {
        var positions = Stream.of(
                layers.values().stream().flatMap(neurons -> neurons.values().stream()).flatMap(List::stream)
                        .map(Step::positions),
                rows.values().stream().flatMap(steps -> steps.values().stream()).flatMap(List::stream)
                        .map(RowStep::positions),
                patterns.values().stream().flatMap(List::stream).map(PatternStep::positions)).flatMap(s -> s);
        return positions.anyMatch(at -> IntStream.range(from, to).anyMatch(p -> at.contains(p, promptLength)));
    }
}
