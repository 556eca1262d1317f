package org.lmdebugger.interpret.patch;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.text.Shown;

/**
 * Activation patching of a pair: each of some parts of the network, by itself, becomes in the run of one prompt what it is
 * in the run of the other.
 *
 * @param parts   the rows of the grid: all parts of a kind, or neurons
 * @param columns the columns of the grid
 * @param edits   hold in every run: those of both prompts, whose logit differences are the baseline, the one that
 *                activations are taken from, and each patched one, where they come before the patch
 */
public record Patching(PartSelection parts, Direction direction, Columns columns, Intervention edits) {
    /** Which of the two prompts runs, and which gives the activations. */
    public enum Direction {
        /** The corrupted prompt runs, activations are the clean prompt's: which of them restore the answer? */
        DENOISE,
        /** The clean prompt runs, activations are the corrupted prompt's: which of them break the answer? */
        NOISE;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The positions at which a part is patched. */
    public enum Columns {
        /** Every position by itself. */
        POSITIONS,
        /** The position of each of the pair's roles by itself. */
        ROLES,
        /** All positions at once. */
        ALL
    }

    public Patching {
        if (parts instanceof PartSelection.Named
                || parts instanceof PartSelection.OfKind kind && kind.kind() == PartSelection.Kind.LINKS) {
            throw new IllegalArgumentException("sites: " + Shown.of(parts)
                    + " (expected: neurons, heads, q, k, v, pattern, pre, mid, post, attention or ffn)");
        }
    }

    /** A patching without edits. */
    public Patching(PartSelection parts, Direction direction, Columns columns) {
        this(parts, direction, columns, Intervention.NONE);
    }

    /** Returns the patching of all parts of a kind, the clean prompt's into the corrupted run, at each position. */
    public static Patching denoise(PartSelection.Kind kind) {
        return new Patching(new PartSelection.OfKind(kind), Direction.DENOISE, Columns.POSITIONS);
    }

    /** Returns the same with other columns. */
    public Patching by(Columns others) {
        return new Patching(parts, direction, others, edits);
    }

    /** Returns the same with edits that hold in every run. */
    public Patching under(Intervention others) {
        return new Patching(parts, direction, columns, others);
    }

    /** Returns the same with other parts. */
    Patching of(PartSelection others) {
        return new Patching(others, direction, columns, edits);
    }

    /** Returns the names of a pair's columns: positions, {@code all}, or roles. */
    List<String> names(Pair pair, int length) {
        return switch (columns) {
            case POSITIONS -> IntStream.range(0, length).mapToObj(String::valueOf).toList();
            case ROLES -> List.copyOf(pair.roles().keySet());
            case ALL -> List.of("all");
        };
    }

    /** Returns the sweeps, without measures, that compute a pair's columns; each of them one column, or all. */
    List<Sweep> sweeps(Pair pair) {
        boolean denoise = direction == Direction.DENOISE;
        var sweep = Sweep.of(List.of(denoise ? pair.corrupted() : pair.clean())).parts(parts)
                .operation(new Operation.From(denoise ? pair.clean() : pair.corrupted(), edits)).base(edits);
        return switch (columns) {
            case POSITIONS -> List.of(sweep.at(Positions.EACH));
            case ROLES -> pair.roles().values().stream().map(position -> sweep.at(Positions.at(position))).toList();
            case ALL -> List.of(sweep.at(Positions.ALL));
        };
    }
}
