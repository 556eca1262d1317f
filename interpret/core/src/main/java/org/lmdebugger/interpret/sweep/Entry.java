package org.lmdebugger.interpret.sweep;

import java.util.Comparator;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Site;

/**
 * The place where the rows of an intervention enter the computation: before it, all is as in the clean run. Entries are
 * ordered by position, then as the computation goes.
 *
 * @param position the position from which rows are computed again, at most the first that is changed; the prompt's
 *                 length if the intervention cannot change the prediction
 * @param layer    the lowest layer that is edited
 * @param site     the site of that layer where the rows enter, as they are in the clean run before the edits. Edits of
 *                 neurons enter at {@link Site#RESIDUAL_POST}, where they are a shift by (m' − m)·v, and edits of
 *                 queries, keys, values and attention at {@link Site#QUERY}
 */
record Entry(int position, int layer, Site site) implements Comparable<Entry> {
    private static final Comparator<Entry> ORDER = Comparator.comparingInt(Entry::position)
            .thenComparingInt(Entry::layer).thenComparingInt(entry -> entry.site().ordinal());

    /** An edit that changes something, and the first position where it does. */
    private record Effective(Edit edit, int position) {
    }

    /**
     * Returns where an intervention of a sweep enters.
     *
     * @param length of the prompt
     * @param agree  the number of positions from the first on where the clean run is that which the operation reads
     */
    static Entry of(Gpt2Config config, Sweep sweep, Intervention edits, int length,
            ToIntFunction<Operation.From> agree) {
        boolean alone = edits.list().size() == 1;
        var effective = edits.list().stream()
                .map(edit -> first(config, edit,
                        alone && edit.operation() instanceof Operation.From from ? agree.applyAsInt(from) : 0,
                        length)
                                .map(position -> new Effective(edit, position)))
                .flatMap(Optional::stream).toList();
        int layer = effective.stream().mapToInt(each -> each.edit().layer()).min().orElse(0);
        boolean shift = isNotEdited(edits, layer, Site.FFN_OUT) && isNotEdited(sweep.base(), layer, Site.FFN_OUT)
                && isNotEdited(sweep.base(), layer, Site.RESIDUAL_POST);
        return new Entry(effective.stream().mapToInt(Effective::position).min().orElse(length), layer,
                effective.stream().map(Effective::edit).filter(edit -> edit.layer() == layer)
                        .map(edit -> site(edit.part(), shift)).min(Comparator.naturalOrder())
                        .orElse(Site.RESIDUAL_POST));
    }

    private static boolean isNotEdited(Intervention edits, int layer, Site site) {
        return edits.list().stream().noneMatch(edit -> edit.layer() == layer && edit.part().site() == site);
    }

    private static Site site(Part part, boolean shift) {
        return switch (part) {
            case Neuron _ -> shift ? Site.RESIDUAL_POST : Site.COEFFICIENTS;
            case Link _ -> Site.QUERY;
            case Head head -> head.vector() == Head.Vector.Z ? Site.Z : Site.QUERY;
            default -> part.site();
        };
    }

    /**
     * Returns the first position where an edit changes anything that the last position's prediction depends on.
     *
     * @param from the first position where it can: an edit alone changes nothing while the prompt from whose run it
     *             takes a part agrees
     */
    private static Optional<Integer> first(Gpt2Config config, Edit edit, int from, int length) {
        boolean lastOnly = edit.layer() == config.layers() - 1 && !isReadByLaterRows(edit.part());
        OptionalInt first = IntStream.range(lastOnly ? Math.max(from, length - 1) : from, length)
                .filter(p -> edit.positions().contains(p, length)).findFirst();
        return first.isPresent() ? Optional.of(first.getAsInt()) : Optional.empty();
    }

    /** Returns whether rows after the edited one depend on the part within its own layer. */
    private static boolean isReadByLaterRows(Part part) {
        return part.site() == Site.RESIDUAL_PRE || part.site() == Site.KEY || part.site() == Site.VALUE;
    }

    /** Returns the same place, with rows computed from another, earlier position on. */
    Entry from(int earlier) {
        return new Entry(earlier, layer, site);
    }

    @Override
    public int compareTo(Entry other) {
        return ORDER.compare(this, other);
    }
}
