package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.CellSums;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The effects of edges over a data set of pairs, each averaged. Pairs may differ in length, as an edge is patched at all
 * positions.
 *
 * @param baselines the pairs without patching
 * @param edges     in order
 * @param cells     of each edge
 */
public record EdgeAverages(Direction direction, List<Baseline> baselines, List<Edge> edges,
        List<Averages.Cell> cells) {
    /** Averages in the making: the effects of one pair after the other are added, and only sums are kept. */
    public static final class Builder {
        private final Direction direction;
        private final List<Baseline> baselines = new ArrayList<>();
        private final TreeMap<Edge, CellSums> sums = new TreeMap<>();

        public Builder(Direction direction) {
            this.direction = direction;
        }

        /** Adds the effects of the next pair. */
        public void add(EdgeEffects effects) {
            baselines.add(effects.baseline());
            for (int e = 0; e < effects.edges().size(); e++) {
                sums.computeIfAbsent(effects.edges().get(e), edge -> new CellSums()).add(effects.cells().get(e));
            }
        }

        /** Returns the averages over the pairs so far. */
        public EdgeAverages build() {
            return new EdgeAverages(direction, List.copyOf(baselines), List.copyOf(sums.keySet()),
                    sums.values().stream().map(CellSums::cell).toList());
        }
    }

    /**
     * Patches edges of each pair, each by itself; all pairs are checked before the first is computed.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the pairs
     * @throws IllegalArgumentException if there is no pair, or one, or an edge, does not fit the model
     */
    public static EdgeAverages of(Gpt2 model, List<Pair> pairs, Direction direction, Collection<Edge> edges,
            Progress progress) {
        return of(model, pairs, direction, edges, Optional.empty(), progress);
    }

    /** Patches edges likewise. @param measure the number that is measured, as of {@link EdgePlan#of} */
    public static EdgeAverages of(Gpt2 model, List<Pair> pairs, Direction direction, Collection<Edge> edges,
            Optional<Measure> measure, Progress progress) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("pairs: none (expected: at least one)");
        }
        for (int p = 0; p < pairs.size(); p++) {
            try {
                pairs.get(p).length(model);
            } catch (IllegalArgumentException wrong) {
                throw new IllegalArgumentException("pair %d: %s".formatted(p + 1, wrong.getMessage()), wrong);
            }
        }
        var averages = new Builder(direction);
        for (int p = 0; p < pairs.size(); p++) {
            averages.add(EdgeEffects.of(model, EdgePlan.of(model, pairs.get(p), direction, edges, measure),
                    Progress.NONE));
            progress.report(p + 1, pairs.size());
        }
        return averages.build();
    }
}
