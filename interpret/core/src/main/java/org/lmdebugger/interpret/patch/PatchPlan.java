package org.lmdebugger.interpret.patch;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.patch.Grid.Cell;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SweepEngine;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The work of patching a pair in several ways, which differ in the parts: checked and counted before it is done. Equal
 * interventions are computed once: the residual stream after a layer is the one before the next.
 */
public final class PatchPlan {
    private final Gpt2 model;
    private final References references;
    private final Pair.Ids ids;
    private final List<Patching> patchings;
    private final Patching together;
    private final List<String> columns;
    private final List<SweepPlan> sweeps; // one for each column, or one for all

    private PatchPlan(Gpt2 model, References references, Pair pair, List<Patching> patchings, long memory) {
        this.model = model;
        this.references = references;
        this.patchings = List.copyOf(patchings);
        together = together(patchings);
        ids = pair.ids(model);
        if (together.columns() == Patching.Columns.ROLES && pair.roles().isEmpty()) {
            throw new IllegalArgumentException("roles: none (expected: positions by name, such as subject)");
        }
        columns = together.names(pair, ids.length());
        var measures = Stream.concat(IntStream.concat(IntStream.of(ids.answers()), IntStream.of(ids.wrong()))
                .mapToObj(PatchPlan::logit), Stream.of(Measure.kl())).toArray(Measure[]::new);
        sweeps = together.sweeps(pair).stream()
                .map(sweep -> SweepPlan.of(model, references, sweep.measure(measures).memory(memory))).toList();
    }

    /**
     * Plans to patch a pair.
     *
     * @param references that edits take means and samples from
     * @param memory bytes of device memory that may be taken at a time, as of {@link
     *     org.lmdebugger.interpret.sweep.Sweep#memory()}
     * @throws IllegalArgumentException if the pair or the parts do not fit the model, if roles are asked for and the pair
     *     has none, or if the patchings differ in direction, columns or edits, or share a kind of parts
     */
    public static PatchPlan of(Gpt2 model, References references, Pair pair, List<Patching> patchings, long memory) {
        return new PatchPlan(model, references, pair, patchings, memory);
    }

    private static Patching together(List<Patching> patchings) {
        if (patchings.stream().map(patching -> patching.of(NeuronSelection.ALL)).distinct().count() != 1
                || patchings.stream().map(PatchPlan::kind).distinct().count() < patchings.size()) {
            throw new IllegalArgumentException("patchings: " + patchings
                    + " (expected: at least one; of one direction, with the same columns and edits, each kind of parts once)");
        }
        var first = patchings.getFirst();
        return patchings.size() == 1 ? first
                : first.of(new PartSelection.Several(patchings.stream().map(Patching::parts).toList()));
    }

    private static Optional<PartSelection.Kind> kind(Patching patching) {
        return patching.parts() instanceof PartSelection.OfKind of ? Optional.of(of.kind()) : Optional.empty();
    }

    /** Returns the number of cells of all grids. */
    public long cells() {
        return sweeps.stream().mapToLong(SweepPlan::effects).sum();
    }

    /**
     * Does the work.
     *
     * @param progress of the cells, between parts of the work: it may do other work of the model, and end this by an
     *                 exception
     * @return a grid for each patching
     */
    public List<Grid> grids(Progress progress) {
        try (var runs = new CleanRuns(model)) {
            return grids(progress, runs);
        }
    }

    private List<Grid> grids(Progress progress, CleanRuns runs) {
        var baseline = new ArrayList<Baseline>(1); // read once the sweep has kept what it needs of the two runs
        var cells = patchings.stream().map(each -> new TreeMap<Part, Cell[]>(Grid.ORDER)).toList();
        var kinds = patchings.stream().map(PatchPlan::kind).toList();
        var done = new AtomicLong();
        for (int s = 0; s < sweeps.size(); s++) {
            int sweep = s;
            var plan = sweeps.get(s);
            SweepEngine.run(model, plan, 0, plan.chunks().size(), runs, effects -> {
                if (baseline.isEmpty()) {
                    baseline.add(Baseline.of(model, ids, together.edits(), references, runs));
                }
                for (int i = 0; i < effects.size(); i++) {
                    var edit = effects.edits(i).list().getFirst();
                    int column = sweeps.size() > 1 ? sweep : column(edit.positions());
                    cells.get(kinds.indexOf(PartSelection.Kind.of(edit.part())))
                            .computeIfAbsent(edit.part(), part -> new Cell[columns.size()])[column] = cell(
                                    baseline.getFirst(), effects, i);
                }
                progress.report(done.addAndGet(effects.size()), cells());
                return true;
            });
        }
        return IntStream.range(0, patchings.size())
                .mapToObj(p -> new Grid(patchings.get(p), baseline.getFirst(), List.copyOf(cells.get(p).keySet()),
                        columns,
                        cells.get(p).values().stream().map(List::of).toList()))
                .toList();
    }

    private int column(Positions positions) {
        return together.columns() == Patching.Columns.POSITIONS ? ((Positions.Ranges) positions).last() : 0;
    }

    private Cell cell(Baseline baseline, Effects effects, int index) {
        double unpatched = ids.difference(token -> effects.clean(logit(token)));
        double difference = ids.difference(token -> effects.values(logit(token))[index]);
        return Cell.of(together.direction(), baseline, difference, difference - unpatched,
                effects.values(Measure.kl())[index]);
    }

    private static Measure logit(int token) {
        return Measure.of(Measure.Quantity.LOGIT, token);
    }
}
