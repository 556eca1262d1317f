package org.lmdebugger.interpret;

/**
 * One way to go on from a prompt.
 *
 * @param edits the intervention, in force at the positions that it names, prompt and generated
 * @param seed  of its random numbers; without effect where tokens are chosen greedily
 */
public record Continuation(Edits edits, long seed) {
    /** Unedited. */
    public static final Continuation CLEAN = new Continuation(Edits.NONE, 0);

    public static Continuation of(Edits edits) {
        return new Continuation(edits, 0);
    }
}
