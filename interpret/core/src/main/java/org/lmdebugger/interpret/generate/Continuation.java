package org.lmdebugger.interpret.generate;

import org.lmdebugger.interpret.edit.Intervention;

/**
 * One way to go on from a prompt.
 *
 * @param edits the intervention, in force at the positions that it names, prompt and generated
 * @param seed  of its random numbers; without effect where tokens are chosen greedily
 */
public record Continuation(Intervention edits, long seed) {
    /** Unedited. */
    public static final Continuation CLEAN = new Continuation(Intervention.NONE, 0);

    public static Continuation of(Intervention edits) {
        return new Continuation(edits, 0);
    }
}
