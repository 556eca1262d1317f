package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.CompiledIntervention.RowChange;
import org.lmdebugger.interpret.activations.CompiledIntervention.RowStep;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * The edits of the sequences of a forward pass, applied to its rows at each {@link Site}. The rows of sequence s are n
 * consecutive ones, from s·n on. Edits of attention come first at {@link Site#Z}; edits of one site are applied in the
 * order given.
 */
public final class SiteEdits {
    private final Gpt2 model;
    private final Operations session;
    private final TensorScope scope;

    /** @param scope of the tables, which must outlive the pass */
    public SiteEdits(Gpt2 model, Operations session, TensorScope scope) {
        this.model = model;
        this.session = session;
        this.scope = scope;
    }

    /**
     * Applies the edits at a site, but for those of attention.
     *
     * @param interventions one for each sequence
     * @param first         position of a sequence's first row
     */
    public void apply(Site site, int layer, Tensor rows, List<CompiledIntervention> interventions, int first) {
        if (interventions.isEmpty()) {
            return;
        }
        int n = Math.toIntExact(rows.rows() / interventions.size());
        if (site == Site.COEFFICIENTS) {
            var entries = EditTable.entries(interventions, layer, first, n);
            if (!entries.isEmpty()) {
                new EditTable(scope, session, entries).apply(session, rows);
            }
            return;
        }
        for (int step = 0; step < steps(site, layer, interventions); step++) {
            apply(site, layer, rows, interventions, first, n, step);
        }
    }

    private static int steps(Site site, int layer, List<CompiledIntervention> interventions) {
        return interventions.stream().mapToInt(each -> each.rows(site, layer).size()).max().orElse(0);
    }

    /** Edits that a device may apply at once: with vectors of one matrix, and of one width. */
    public record Kind(Tensor vectors, int width) {
        public static Kind of(RowStep step) {
            return new Kind(step.change().vectors(), step.change().width());
        }
    }

    private record Entry(int row, int position, RowChange change) {
    }

    private void apply(Site site, int layer, Tensor rows, List<CompiledIntervention> interventions, int first, int n,
            int step) {
        var kinds = new LinkedHashMap<Kind, List<Entry>>();
        for (int s = 0; s < interventions.size(); s++) {
            var steps = interventions.get(s).rows(site, layer);
            for (int r = 0; r < n && step < steps.size(); r++) {
                if (interventions.get(s).holds(steps.get(step), first + r)) {
                    var change = steps.get(step).change();
                    kinds.computeIfAbsent(Kind.of(steps.get(step)), key -> new ArrayList<>())
                            .add(new Entry(s * n + r, first + r, change));
                }
            }
        }
        kinds.forEach((kind, entries) -> {
            var table = new RowTable(scope, kind.vectors(), kind.width(), entries.size());
            table.set(session, entries.stream().mapToInt(Entry::row).toArray(),
                    entries.stream().map(Entry::change).toArray(RowChange[]::new),
                    entries.stream().mapToInt(Entry::position).toArray());
            table.apply(session, rows);
        });
    }

    /**
     * Applies the edits of attention to the mixed values of a block's first sequences.
     *
     * @param first position of a sequence's first query
     * @param n     queries of a sequence
     */
    public void applyToAttention(int layer, BlockRows rows, List<CompiledIntervention> interventions, int first,
            int n) {
        var at = new ArrayList<int[]>(); // sequence, head, row, position
        for (int s = 0; s < interventions.size(); s++) {
            for (int head : interventions.get(s).heads(layer)) {
                for (int r = 0; r < n; r++) {
                    at.add(new int[] {s, head, s * n + r, first + r});
                }
            }
        }
        if (at.isEmpty()) {
            return;
        }
        var context = rows.context();
        long keys = context.prefixKeys().rows() + context.keys().rows() / context.sequences();
        var table = new PatternTable(scope, session, at.stream().mapToInt(each -> each[1]).toArray(),
                Math.toIntExact(keys));
        table.set(session, layer, column(at, 2), column(at, 3),
                at.stream().map(each -> interventions.get(each[0])).toArray(CompiledIntervention[]::new));
        table.apply(session, rows, model.config().attentionDivisor(layer));
    }

    private static int[] column(List<int[]> rows, int column) {
        return IntStream.range(0, rows.size()).map(i -> rows.get(i)[column]).toArray();
    }
}
