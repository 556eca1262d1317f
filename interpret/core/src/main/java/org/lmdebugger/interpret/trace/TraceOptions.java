package org.lmdebugger.interpret.trace;

import java.util.List;
import java.util.OptionalInt;

/**
 * The scope of a trace: positions, number of entries, tokens.
 *
 * @param positions    the traced positions
 * @param top          how many tokens and sub-updates are listed
 * @param tokens       ids whose rank and probability are followed; effects are on the first
 * @param against      id of the token whose logit is subtracted from that of the token that effects are on, if any
 * @param totalEffects whether to measure each listed sub-update of the clean run ({@link Trace.SubUpdate#total()})
 * @param clean        whether the clean run is traced too; where it is not, there are edits and no total effects
 */
public record TraceOptions(Where positions, int top, List<Integer> tokens, OptionalInt against,
        boolean totalEffects, boolean clean) {
    /** Options for the last position, ten of each, no chosen tokens. */
    public static final TraceOptions DEFAULT = new TraceOptions(Where.at(-1), 10, List.of(), OptionalInt.empty(),
            false, true);

    public TraceOptions {
        tokens = List.copyOf(tokens);
    }

    /** Positions of a prompt of any length. */
    public sealed interface Where {
        /** All positions. */
        Where ALL = new All();

        /** All positions. */
        record All() implements Where {
        }

        /** Some positions: indices from 0; negative ones count from the end (−1 is the last). */
        record Indices(List<Integer> indices) implements Where {
            public Indices {
                indices = List.copyOf(indices);
            }
        }

        static Where at(Integer... indices) {
            return new Indices(List.of(indices));
        }
    }

    public TraceOptions at(Integer... indices) {
        return new TraceOptions(Where.at(indices), top, tokens, against, totalEffects, clean);
    }

    public TraceOptions atAllPositions() {
        return new TraceOptions(Where.ALL, top, tokens, against, totalEffects, clean);
    }

    public TraceOptions top(int count) {
        return new TraceOptions(positions, count, tokens, against, totalEffects, clean);
    }

    public TraceOptions following(Integer... ids) {
        return new TraceOptions(positions, top, List.of(ids), against, totalEffects, clean);
    }

    public TraceOptions against(int id) {
        return new TraceOptions(positions, top, tokens, OptionalInt.of(id), totalEffects, clean);
    }

    public TraceOptions withTotalEffects() {
        return new TraceOptions(positions, top, tokens, against, true, clean);
    }

    /** Returns the same of the edited run alone, to compare with a clean trace that is there already. */
    public TraceOptions withoutClean() {
        return new TraceOptions(positions, top, tokens, against, totalEffects, false);
    }
}
