package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/** Ways to find a circuit: the edges with the strongest effects, or removal of one edge after the other. */
public final class CircuitSearch {
    private CircuitSearch() {
    }

    /** Returns the circuits of the edges with the largest absolute effects, one of each size. */
    public static List<Circuit> strongest(EdgeEffects effects, List<Integer> sizes) {
        return strongest(effects.edges(), e -> effects.cells().get(e).effect(), sizes);
    }

    /** Returns the circuits of the edges with the largest absolute mean effects likewise. */
    public static List<Circuit> strongest(EdgeAverages averages, List<Integer> sizes) {
        return strongest(averages.edges(), e -> averages.cells().get(e).effect().mean(), sizes);
    }

    private static List<Circuit> strongest(List<Edge> edges, IntToDoubleFunction effect, List<Integer> sizes) {
        var order = IntStream.range(0, edges.size()).boxed()
                .sorted(Comparator.comparingDouble(e -> -Math.abs(effect.applyAsDouble(e)))).map(edges::get).toList();
        return sizes.stream().map(size -> Circuit.of(order.subList(0, Math.min(size, order.size())))).toList();
    }

    /**
     * A removal of edges as far as it has come. From the same point on it goes on to the same circuit, bit for bit.
     *
     * @param tried      how many edges it has tried to remove
     * @param circuit    the edges that are left
     * @param difference the circuit's mean logit difference
     */
    public record Removal(int tried, Circuit circuit, double difference) {
        /** Returns the beginning of a removal. */
        public static Removal of(CircuitAverages scores, Circuit from) {
            return new Removal(0, from, scores.scores(List.of(from)).getFirst().difference().mean());
        }
    }

    /**
     * Removes edges greedily, as ACDC does (Conmy et al., 2023, arXiv 2304.14997): receivers from the logits down, of each
     * its senders from the last one on. An edge is removed for good if that moves the circuit's logit difference, of a data
     * set the mean, by less than a threshold, which is computed exactly each time. Several steps are computed at once, as if
     * each edge before were removed; those after one that is kept are computed again.
     *
     * @param from      the circuit where the removal began, such as the whole model
     * @param threshold in logits, positive
     * @param reached   the point from which it goes on: {@link Removal#of}, or a later one of the same removal
     * @param listener  takes each point that the removal reaches; an exception ends it
     */
    public static Circuit remove(CircuitAverages scores, Circuit from, double threshold, Removal reached,
            Consumer<Removal> listener) {
        if (!(threshold > 0)) {
            throw new IllegalArgumentException("threshold: %s (expected: a positive number)".formatted(threshold));
        }
        var order = new ArrayList<>(from.edges()).reversed();
        var removal = reached;
        while (removal.tried() < order.size()) {
            int count = Math.min(scores.batch(), order.size() - removal.tried());
            removal = step(scores, order.subList(removal.tried(), removal.tried() + count), threshold, removal);
            listener.accept(removal);
        }
        return removal.circuit();
    }

    private static Removal step(CircuitAverages scores, List<Edge> candidates, double threshold, Removal before) {
        var circuits = IntStream.rangeClosed(1, candidates.size())
                .mapToObj(count -> before.circuit().without(candidates.subList(0, count))).toList();
        var differences = scores.scores(circuits).stream().mapToDouble(score -> score.difference().mean()).toArray();
        var circuit = before.circuit();
        double difference = before.difference();
        int removed = 0;
        while (removed < candidates.size() && Math.abs(differences[removed] - difference) < threshold) {
            difference = differences[removed];
            circuit = circuits.get(removed++);
        }
        return new Removal(before.tried() + Math.min(removed + 1, candidates.size()), circuit, difference); // the one after these is kept
    }
}
