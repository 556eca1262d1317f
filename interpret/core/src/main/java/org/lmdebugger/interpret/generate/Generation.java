package org.lmdebugger.interpret.generate;

import java.util.List;

/**
 * A generated continuation.
 *
 * @param prompt       the text it goes on from
 * @param tokens       the generated tokens, the end-of-text token included if it came
 * @param continuation their text, without special tokens
 * @param end          why it ended
 */
public record Generation(String prompt, List<Token> tokens, String continuation, End end) {
    /**
     * @param text           what the text grew by: empty while a character's bytes are incomplete
     * @param logProbability natural logarithm of the token's probability in the model's distribution (at temperature 1,
     *                       of all tokens)
     */
    public record Token(int id, String text, float logProbability) {
    }

    /** Why a generation ended. */
    public enum End {
        /** As many tokens as asked for. */
        LENGTH,
        /** The model's end-of-text token. */
        END_OF_TEXT,
        /** Its listener said so. */
        CANCELLED
    }

    /** Takes tokens as they come, on the thread that generates. */
    @FunctionalInterface
    public interface Listener {
        /**
         * @param continuation index of the continuation, from 0
         * @return whether to go on; false ends all continuations
         */
        boolean token(int continuation, Token token);
    }

    /** Prompt and continuation. */
    public String text() {
        return prompt + continuation;
    }
}
