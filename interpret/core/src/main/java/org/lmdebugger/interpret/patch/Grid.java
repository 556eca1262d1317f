package org.lmdebugger.interpret.patch;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SweepEngine;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The results of patching one pair: parts × columns.
 *
 * @param baseline the pair without patching
 * @param parts    the rows, by layer and number
 * @param columns  names of the columns: indices of positions, {@code all}, or roles
 * @param cells    of each part, of each column
 */
public record Grid(Patching patching, Baseline baseline, List<Part> parts, List<String> columns,
        List<List<Cell>> cells) {
    /** Parts of one kind, as they are numbered. */
    private static final Comparator<Part> ORDER = Comparator.comparingInt(Part::layer).thenComparingInt(Grid::number);

    /**
     * The result of patching one part at the positions of one column.
     *
     * @param difference the logit difference, mean of the answers − mean of the wrong tokens
     * @param effect     that less the logit difference of the same prompt without patching; exactly 0 where patching can
     *                   change nothing, as where the two prompts agree so far
     * @param normalised (difference − corrupted) ÷ (clean − corrupted), in both directions: 1 is the clean prompt's
     *                   logit difference, 0 the corrupted one's. NaN where that divisor is too small
     *                   ({@link Baseline#SMALLEST_DIVISOR})
     * @param kl         KL(without patching ‖ patched) of the next token's distribution, in nats
     */
    public record Cell(double difference, double effect, double normalised, double kl) {
    }

    /** Patches a pair as {@link #of(Gpt2, Pair, List, Progress)} does. */
    public static Grid of(Gpt2 model, Pair pair, Patching patching, Progress progress) {
        return of(model, pair, List.of(patching), progress).getFirst();
    }

    /**
     * Patches a pair in several ways, which differ in the parts. They are computed together, so that equal interventions
     * are computed once: the residual stream after a layer is the one before the next.
     *
     * @param progress of the cells
     * @return a grid for each patching
     * @throws IllegalArgumentException if the pair or the parts do not fit the model, if roles are asked for and the pair
     *     has none, or if the patchings differ in direction or columns, or share a kind of parts
     */
    public static List<Grid> of(Gpt2 model, Pair pair, List<Patching> patchings, Progress progress) {
        var ids = pair.ids(model);
        var patching = together(patchings);
        if (patching.columns() == Patching.Columns.ROLES && pair.roles().isEmpty()) {
            throw new IllegalArgumentException("roles: none (expected: positions by name, such as subject)");
        }
        var baseline = Baseline.of(model, ids);
        var measures = Stream.concat(IntStream.concat(IntStream.of(ids.answers()), IntStream.of(ids.wrong()))
                .mapToObj(Grid::logit), Stream.of(Measure.kl())).toArray(Measure[]::new);
        var plans = patching.sweeps(pair).stream().map(sweep -> SweepPlan.of(model, sweep.measure(measures))).toList();
        var columns = patching.names(pair, ids.length());
        var kinds = patchings.stream().map(Grid::kind).toList();
        var cells = patchings.stream().map(each -> new TreeMap<Part, Cell[]>(ORDER)).toList();
        long total = plans.stream().mapToLong(SweepPlan::effects).sum();
        var done = new AtomicLong();
        for (int s = 0; s < plans.size(); s++) {
            int sweep = s;
            SweepEngine.run(model, plans.get(s), 0, effects -> {
                double unpatched = ids.difference(token -> effects.clean(logit(token)));
                for (int i = 0; i < effects.size(); i++) {
                    int row = i;
                    var edit = effects.edits(i).list().getFirst();
                    int column = plans.size() > 1 ? sweep : column(edit.positions(), patching);
                    double difference = ids.difference(token -> effects.values(logit(token))[row]);
                    cells.get(kinds.indexOf(PartSelection.Kind.of(edit.part())))
                            .computeIfAbsent(edit.part(), part -> new Cell[columns.size()])[column] = cell(patching,
                                    baseline, difference, difference - unpatched, effects.values(Measure.kl())[i]);
                }
                progress.report(done.addAndGet(effects.size()), total);
                return true;
            });
        }
        return IntStream.range(0, patchings.size())
                .mapToObj(p -> new Grid(patchings.get(p), baseline, List.copyOf(cells.get(p).keySet()), columns,
                        cells.get(p).values().stream().map(List::of).toList()))
                .toList();
    }

    private static Patching together(List<Patching> patchings) {
        if (patchings.isEmpty() || patchings.stream().map(Patching::direction).distinct().count() > 1
                || patchings.stream().map(Patching::columns).distinct().count() > 1
                || patchings.stream().map(Grid::kind).distinct().count() < patchings.size()) {
            throw new IllegalArgumentException("patchings: " + patchings
                    + " (expected: at least one; of one direction, with the same columns, each kind of parts once)");
        }
        var first = patchings.getFirst();
        return patchings.size() == 1 ? first
                : new Patching(new PartSelection.Several(patchings.stream().map(Patching::parts).toList()),
                        first.direction(), first.columns());
    }

    private static Optional<PartSelection.Kind> kind(Patching patching) {
        return patching.parts() instanceof PartSelection.OfKind of ? Optional.of(of.kind()) : Optional.empty();
    }

    private static int column(Positions positions, Patching patching) {
        return patching.columns() == Patching.Columns.POSITIONS ? ((Positions.Ranges) positions).last() : 0;
    }

    private static Cell cell(Patching patching, Baseline baseline, double difference, double effect, double kl) {
        double unpatched = patching.direction() == Patching.Direction.DENOISE ? 0 : 1;
        return new Cell(difference, effect, unpatched + effect / baseline.divisor(), kl);
    }

    private static Measure logit(int token) {
        return Measure.of(Measure.Quantity.LOGIT, token);
    }

    private static int number(Part part) {
        return switch (part) {
            case Head head -> head.head();
            case Neuron neuron -> neuron.neuron();
            default -> 0;
        };
    }
}
