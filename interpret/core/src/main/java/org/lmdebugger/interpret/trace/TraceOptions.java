package org.lmdebugger.interpret.trace;

import java.util.List;

/**
 * The scope of a trace: positions, number of entries, tokens.
 *
 * @param positions    indices from 0; negative ones count from the end (−1 is the last); null means all
 * @param top          how many tokens and sub-updates are listed
 * @param tokens       ids whose rank and probability are followed
 * @param totalEffects whether to measure each listed sub-update of the clean run ({@link Trace.SubUpdate#total()})
 */
public record TraceOptions(List<Integer> positions, int top, List<Integer> tokens, boolean totalEffects) {
    /** Options for the last position, ten of each, no chosen tokens. */
    public static final TraceOptions DEFAULT = new TraceOptions(List.of(-1), 10, List.of());

    /** Without total effects. */
    public TraceOptions(List<Integer> positions, int top, List<Integer> tokens) {
        this(positions, top, tokens, false);
    }

    public TraceOptions {
        positions = positions == null ? null : List.copyOf(positions);
        tokens = List.copyOf(tokens);
    }

    public TraceOptions at(Integer... indices) {
        return new TraceOptions(List.of(indices), top, tokens, totalEffects);
    }

    public TraceOptions atAllPositions() {
        return new TraceOptions(null, top, tokens, totalEffects);
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
