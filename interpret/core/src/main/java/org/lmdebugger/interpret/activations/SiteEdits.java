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
        groups(site, layer, interventions).forEach(group -> apply(group, rows, interventions, first, n));
    }

    /** Edits of rows that a device may apply at once: with vectors of one matrix, and of one width. */
    public record Group(Tensor vectors, int width, List<Member> members) {
    }

    /** An edit of the rows of a sequence. */
    public record Member(int sequence, RowStep step) {
    }

    private record Kind(Tensor vectors, int width) {
    }

    private record Entry(int row, int position, RowChange change) {
    }

    /**
     * Returns the edits of rows at a site of a layer, in groups that are applied one after the other.
     *
     * @param interventions one for each sequence
     */
    public static List<Group> groups(Site site, int layer, List<CompiledIntervention> interventions) {
        var groups = new ArrayList<Group>();
        boolean more = true;
        for (int k = 0; more; k++) { // the k-th edit of each intervention
            more = false;
            var kinds = new LinkedHashMap<Kind, List<Member>>();
            for (int s = 0; s < interventions.size(); s++) {
                var own = interventions.get(s).rows(site, layer);
                if (k < own.size()) {
                    var change = own.get(k).change();
                    kinds.computeIfAbsent(new Kind(change.vectors(), change.width()), kind -> new ArrayList<>())
                            .add(new Member(s, own.get(k)));
                    more |= k + 1 < own.size();
                }
            }
            kinds.forEach((kind, members) -> groups.add(new Group(kind.vectors(), kind.width(), members)));
        }
        return groups;
    }

    private void apply(Group group, Tensor rows, List<CompiledIntervention> interventions, int first, int n) {
        var entries = new ArrayList<Entry>();
        for (var member : group.members()) {
            for (int r = 0; r < n; r++) {
                if (interventions.get(member.sequence()).holds(member.step(), first + r)) {
                    entries.add(new Entry(member.sequence() * n + r, first + r, member.step().change()));
                }
            }
        }
        if (!entries.isEmpty()) {
            var table = new RowTable(scope, group.vectors(), group.width(), entries.size());
            table.set(session, entries.stream().mapToInt(Entry::row).toArray(),
                    entries.stream().map(Entry::change).toArray(RowChange[]::new),
                    entries.stream().mapToInt(Entry::position).toArray());
            table.apply(session, rows);
        }
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
