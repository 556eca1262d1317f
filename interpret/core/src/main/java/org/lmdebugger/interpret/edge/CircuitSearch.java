package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.progress.Progress;

/** Ways to find a circuit: the edges with the strongest effects, or removal of one edge after the other. */
public final class CircuitSearch {
    private CircuitSearch() {
    }

    /** Returns the circuits of the edges with the largest absolute effects, one of each size. */
    public static List<Circuit> strongest(EdgeEffects effects, List<Integer> sizes) {
        var order = IntStream.range(0, effects.edges().size()).boxed()
                .sorted(Comparator.comparingDouble(e -> -Math.abs(effects.cells().get(e).effect())))
                .map(effects.edges()::get).toList();
        return sizes.stream().map(size -> Circuit.of(order.subList(0, Math.min(size, order.size())))).toList();
    }

    /**
     * Removes edges greedily, as ACDC does (Conmy et al., 2023, arXiv 2304.14997): receivers from the logits down, of each
     * its senders from the last one on. An edge is removed for good if that moves the circuit's logit difference by less than
     * a threshold, which is computed exactly each time. Several steps are computed at once, as if each edge before were
     * removed; those after one that is kept are computed again.
     *
     * @param from      where to begin, such as the whole model
     * @param threshold in logits, positive
     * @param progress  of the edges
     */
    public static Circuit remove(CircuitEngine engine, Circuit from, double threshold, Progress progress) {
        if (!(threshold > 0)) {
            throw new IllegalArgumentException("threshold: %s (expected: a positive number)".formatted(threshold));
        }
        var order = new ArrayList<>(from.edges()).reversed();
        var circuit = from;
        double difference = engine.scores(List.of(circuit)).getFirst().difference();
        for (int next = 0; next < order.size();) {
            int count = Math.min(engine.batch(), order.size() - next);
            var candidates = order.subList(next, next + count);
            var present = circuit;
            var steps = IntStream.rangeClosed(1, count)
                    .mapToObj(removed -> present.without(candidates.subList(0, removed))).toList();
            var scores = engine.scores(steps);
            int removed = 0;
            while (removed < count && Math.abs(scores.get(removed).difference() - difference) < threshold) {
                difference = scores.get(removed).difference();
                circuit = steps.get(removed++);
            }
            next += Math.min(removed + 1, count); // the one after these is kept
            progress.report(next, order.size());
        }
        return circuit;
    }
}
