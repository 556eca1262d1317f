package org.lmdebugger.interpret;

import java.util.Locale;

/** What an edit writes into a coefficient. */
public enum Mode {
    /** What it says. */
    EXACT,
    /**
     * What LM-Debugger (Geva et al., 2022) writes: before the activation and at every position, 0 for off, and for on
     * the largest score of the layer at the last position of the clean prompt, plus 0.01. Edits read
     * {@code L12D345=on} or {@code L12D345=off}.
     */
    LM_DEBUGGER;

    /** As on the command line: {@code exact}, {@code lm-debugger}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
