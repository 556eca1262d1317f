package org.lmdebugger.app.server.routes;

import java.time.Duration;
import java.util.Collection;
import java.util.Objects;
import org.lmdebugger.app.store.Names;
import org.lmdebugger.interpret.edit.Direction;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.model.Prompt;

/** The bounds of a request. */
public final class Limits {
    public static final int CONNECTIONS = 512;
    public static final Duration HEADERS = Duration.ofSeconds(10); // of a request, from the first byte to the last
    public static final int BODY = 4 << 20; // bytes
    public static final int BODY_RATE = 256; // bytes a second, at least; a slower request is refused
    public static final int PROMPT = 32_768; // characters; the model bounds the tokens
    public static final int EDITS = 256;
    static final int TOKENS = 512; // generated
    static final int CONTINUATIONS = 8;
    static final int TOP = 100;
    static final int FOLLOWED = 32; // chosen tokens
    static final int CELLS = 300_000; // positions × layers × listed tokens of a trace
    static final int TOTAL_EFFECTS = 10_000; // positions × layers × listed sub-updates of a trace with total effects
    static final int WEIGHTS = 1_000_000; // of a layer's attention
    static final double LEAST_SHARE = 0.01; // of a link that a flow follows
    static final int INTERVENTIONS = 256; // whose effects are measured in one request
    static final int PROMPTS = 64; // of a sweep, and so on
    static final int OPERATIONS = 8;
    static final int EFFECTS = 1_000_000;
    static final int NUMBERS = 4_000_000; // effects × numbers of each, which the server keeps
    static final int PATCHED = 100_000; // cells of grids, of four numbers each
    static final int WORDS = 1000; // characters of a search
    public static final int QUEUE = 128; // requests that wait
    static final int SWEEPS = 32; // that are kept

    private Limits() {
    }

    /** The limits as the server answers them. */
    record Answer(int bodyBytes, int promptCharacters, int edits, int generatedTokens, int continuations, int top,
            int followedTokens, int traceCells, int traceTotalEffects, int attentionWeights, int interventions,
            int sweepPrompts, int sweepOperations, int sweepEffects, int sweepNumbers, int patchCells,
            int searchCharacters, int nameCharacters, int queuedRequests, int sweeps) {
        Answer() {
            this(BODY, PROMPT, EDITS, TOKENS, CONTINUATIONS, TOP, FOLLOWED, CELLS, TOTAL_EFFECTS, WEIGHTS,
                    INTERVENTIONS, PROMPTS, OPERATIONS, EFFECTS, NUMBERS, PATCHED, WORDS, Names.LENGTH, QUEUE, SWEEPS);
        }
    }

    static void check(String name, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException("%s: %d (expected: %d to %d)".formatted(name, value, least, most));
        }
    }

    static void check(String name, Collection<?> values, int most) {
        if (values.size() > most) {
            throw new IllegalArgumentException("%s: %d of them (expected: at most %d)"
                    .formatted(name, values.size(), most));
        }
        if (values.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException(name + ": null among them (expected: a value)");
        }
    }

    /**
     * Checks the prompt that {@code operation} takes numbers from, if it does; a request names no file of this machine.
     */
    static void from(Edit.Operation operation) {
        if (operation instanceof Edit.Operation.AddDirection(_, _, Direction.FileRow _)
                || operation instanceof Edit.Operation.ProjectOut(Direction.FileRow _)) {
            throw new IllegalArgumentException(
                    "direction: a file (expected: a value vector or a token, as in L3D42; files "
                            + "are read by lmdebug on the command line)");
        }
        if (operation instanceof Edit.Operation.From(Prompt.Text(var prompt), _)) {
            prompt(prompt);
        }
    }

    /** Returns keywords if they are there and not too long. */
    static String words(String words) {
        if (words == null || words.length() > WORDS) {
            throw new IllegalArgumentException(
                    "words: %s (expected: keywords of at most %d characters, separated by commas)"
                            .formatted(words == null ? "missing" : words.length() + " characters", WORDS));
        }
        return words;
    }

    /** Returns {@code prompt} if it is there and not too long. */
    static String prompt(String prompt) {
        return prompt("prompt", prompt);
    }

    /** Returns the prompt of that name if it is there and not too long. */
    static String prompt(String name, String prompt) {
        if (prompt == null) {
            throw new IllegalArgumentException(name + ": missing (expected: a text)");
        }
        if (prompt.length() > PROMPT) {
            throw new IllegalArgumentException("%s: %,d characters (expected: at most %,d)"
                    .formatted(name, prompt.length(), PROMPT));
        }
        return prompt;
    }
}
