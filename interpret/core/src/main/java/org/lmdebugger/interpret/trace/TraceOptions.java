package org.lmdebugger.interpret.trace;

import java.util.List;

/**
 * What a trace looks at.
 *
 * @param positions indices from 0; negative ones count from the end (−1 is the last); null means all
 * @param top       how many tokens and sub-updates are listed
 * @param tokens    ids whose rank and probability are followed
 * @param verdict   whether to measure what each listed sub-update of the clean run causes ({@link Trace.SubUpdate#verdict})
 */
public record TraceOptions(List<Integer> positions, int top, List<Integer> tokens, boolean verdict) {
    /** The last position, ten of each, no chosen tokens. */
    public static final TraceOptions DEFAULT = new TraceOptions(List.of(-1), 10, List.of());

    /** Without verdict. */
    public TraceOptions(List<Integer> positions, int top, List<Integer> tokens) {
        this(positions, top, tokens, false);
    }

    public TraceOptions {
        positions = positions == null ? null : List.copyOf(positions);
        tokens = List.copyOf(tokens);
    }

    public TraceOptions at(Integer... indices) {
        return new TraceOptions(List.of(indices), top, tokens, verdict);
    }

    public TraceOptions atAllPositions() {
        return new TraceOptions(null, top, tokens, verdict);
    }

    public TraceOptions top(int count) {
        return new TraceOptions(positions, count, tokens, verdict);
    }

    public TraceOptions following(Integer... ids) {
        return new TraceOptions(positions, top, List.of(ids), verdict);
    }

    public TraceOptions withVerdict() {
        return new TraceOptions(positions, top, tokens, true);
    }
}
