package org.lmdebugger.interpret;

import java.util.Locale;

/** A way to read the texts of edits. */
public enum Mode {
    /** Every text form of an {@link Edit}. */
    EXACT,
    /**
     * LM-Debugger's switches alone, at all positions: {@code L12D345=on} or {@code L12D345=off}. The last switch of a
     * neuron counts.
     */
    LM_DEBUGGER;

    /** As on the command line: {@code exact}, {@code lm-debugger}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
