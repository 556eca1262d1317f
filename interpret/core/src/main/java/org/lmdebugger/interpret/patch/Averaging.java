package org.lmdebugger.interpret.patch;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.IntFunction;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.text.Shown;

/**
 * Averages over a data set of pairs in the making: grids are added one after the other, and only sums are kept. The same
 * grids in the same order give the same bits. It is for one thread.
 */
public final class Averaging {
    private final Patching patching;
    private final List<String> columns;
    private final long cells;
    private final List<Baseline> baselines = new ArrayList<>();
    private List<Part> parts = List.of();
    private List<List<CellSums>> sums = List.of();

    /**
     * Checks the pairs; none is computed.
     *
     * @param references that edits take means and samples from
     * @param names      of the pairs by index, for messages
     * @throws IllegalArgumentException if there is none, a pair, the parts or an edit do not fit the model, the pairs differ
     *     in length and columns are positions, or one lacks a role
     */
    public Averaging(Gpt2 model, References references, List<Pair> pairs, Patching patching,
            IntFunction<String> names) {
        this.patching = patching;
        columns = columns(model, references, pairs, patching, names);
        var parts = patching.by(Patching.Columns.ALL).sweeps(pairs.getFirst()).getFirst().measure(Measure.kl());
        cells = SweepPlan.of(model, references, parts).effects() * columns.size();
    }

    /** Returns how many cells each pair's grid has. */
    public long cells() {
        return cells;
    }

    /** Adds the grid of the next pair. */
    public void add(Grid grid) {
        if (baselines.isEmpty()) {
            parts = grid.parts();
            sums = parts.stream().map(part -> columns.stream().map(column -> new CellSums()).toList()).toList();
        }
        for (int r = 0; r < sums.size(); r++) {
            for (int c = 0; c < columns.size(); c++) {
                sums.get(r).get(c).add(grid.cells().get(r).get(grid.columns().indexOf(columns.get(c))));
            }
        }
        baselines.add(grid.baseline());
    }

    /** Returns the averages over the pairs so far. */
    public Averages averages() {
        return new Averages(patching, List.copyOf(baselines), parts, columns,
                sums.stream().map(row -> row.stream().map(CellSums::cell).toList()).toList());
    }

    private static List<String> columns(Gpt2 model, References references, List<Pair> pairs, Patching patching,
            IntFunction<String> names) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("pairs: none (expected: at least one)");
        }
        var lengths = new int[pairs.size()];
        var columns = new LinkedHashSet<String>();
        for (int p = 0; p < lengths.length; p++) {
            lengths[p] = length(model, references, pairs.get(p), patching.edits(), names.apply(p));
            if (patching.columns() == Patching.Columns.POSITIONS && lengths[p] != lengths[0]) {
                throw new IllegalArgumentException(
                        "%s: %d tokens, where %s has %d (expected: pairs of one length, or averages by role)"
                                .formatted(names.apply(p), lengths[p], names.apply(0), lengths[0]));
            }
            columns.addAll(patching.names(pairs.get(p), lengths[p]));
        }
        for (int p = 0; p < lengths.length; p++) {
            var own = patching.names(pairs.get(p), lengths[p]);
            for (var column : columns) {
                if (!own.contains(column)) {
                    throw new IllegalArgumentException(
                            "%s: no position of the role %s (expected: one, as in other pairs)"
                                    .formatted(names.apply(p), Shown.of(column)));
                }
            }
        }
        return List.copyOf(columns);
    }

    private static int length(Gpt2 model, References references, Pair pair, Intervention edits, String name) {
        try {
            var ids = pair.ids(model);
            try (var resolver = new Resolver(model, references, ids.clean(), ids.length())) {
                resolver.check(edits);
            }
            return ids.length();
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(name + ": " + wrong.getMessage(), wrong);
        }
    }
}
