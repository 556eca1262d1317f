package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The effects of edges of one pair, each edge by itself.
 *
 * @param baseline the pair without patching
 * @param edges    each once
 * @param cells    of each edge; {@link Grid.Cell} defines the numbers
 */
public record EdgeEffects(Direction direction, Baseline baseline, List<Edge> edges, List<Grid.Cell> cells) {
    /** Takes the effects of a plan, chunk by chunk, in the plan's order, on the thread that asked for them. */
    @FunctionalInterface
    public interface Listener {
        /** @return whether to go on */
        boolean take(int chunk, EdgeEffects effects);
    }

    /**
     * Patches edges of a pair, each by itself.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the edges
     * @throws IllegalArgumentException if the pair or an edge does not fit the model
     */
    public static EdgeEffects of(Gpt2 model, Pair pair, Direction direction, Collection<Edge> edges,
            Progress progress) {
        return of(model, EdgePlan.of(model, pair, direction, edges), progress);
    }

    /** Computes a plan. @param progress of the edges */
    public static EdgeEffects of(Gpt2 model, EdgePlan plan, Progress progress) {
        var parts = new ArrayList<EdgeEffects>();
        EdgeEngine.run(model, plan, 0, (chunk, effects) -> {
            parts.add(effects);
            progress.report(parts.stream().mapToLong(part -> part.edges().size()).sum(), plan.edges().size());
            return true;
        });
        return join(parts);
    }

    /** Returns the effects of several chunks of a plan as one, by the order of edges. */
    public static EdgeEffects join(List<EdgeEffects> chunks) {
        var cells = new TreeMap<Edge, Grid.Cell>();
        for (var chunk : chunks) {
            for (int e = 0; e < chunk.edges.size(); e++) {
                cells.put(chunk.edges.get(e), chunk.cells.get(e));
            }
        }
        return new EdgeEffects(chunks.getFirst().direction, chunks.getFirst().baseline, List.copyOf(cells.keySet()),
                List.copyOf(cells.values()));
    }
}
