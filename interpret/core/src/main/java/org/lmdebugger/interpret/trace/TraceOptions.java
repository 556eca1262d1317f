package org.lmdebugger.interpret.trace;

import java.util.List;

/**
 * The scope of a trace: positions, number of entries, tokens.
 *
 * @param positions    the traced positions
 * @param top          how many tokens and sub-updates are listed
 * @param tokens       ids whose rank and probability are followed
 * @param totalEffects whether to measure each listed sub-update of the clean run ({@link Trace.SubUpdate#total()})
 */
public record TraceOptions(Where positions, int top, List<Integer> tokens, boolean totalEffects) {
    /** Options for the last position, ten of each, no chosen tokens. */
    public static final TraceOptions DEFAULT = new TraceOptions(Where.at(-1), 10, List.of(), false);

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
        return new TraceOptions(Where.at(indices), top, tokens, totalEffects);
    }

    public TraceOptions atAllPositions() {
        return new TraceOptions(Where.ALL, top, tokens, totalEffects);
    }

    public TraceOptions top(int count) {
        return new TraceOptions(positions, count, tokens, totalEffects);
    }

    public TraceOptions following(Integer... ids) {
        return new TraceOptions(positions, top, List.of(ids), totalEffects);
    }

    public TraceOptions withTotalEffects() {
        return new TraceOptions(positions, top, tokens, true);
    }
}
