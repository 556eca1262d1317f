package org.lmdebugger.interpret.sweep;

import java.util.Optional;

/**
 * The tokens of one prompt of a sweep that measures such as {@code logit:target} and {@code difference:target/against}
 * are of: for example the right continuation, and a wrong one.
 *
 * @param token   that {@link Measure.Token#TARGET} stands for
 * @param against the one that {@link Measure.Token#AGAINST} stands for
 */
public record Target(Optional<Measure.Token.Fixed> token, Optional<Measure.Token.Fixed> against) {
    /** No token: for prompts of which no measure needs one. */
    public static final Target NONE = new Target(Optional.empty(), Optional.empty());

    /** Returns the target of a text that is exactly one token. */
    public static Target of(String token) {
        return of(Measure.Token.of(token));
    }

    /** Returns the target of two texts that are exactly one token each. */
    public static Target of(String token, String against) {
        return of(Measure.Token.of(token), Measure.Token.of(against));
    }

    public static Target of(Measure.Token.Fixed token) {
        return new Target(Optional.of(token), Optional.empty());
    }

    public static Target of(Measure.Token.Fixed token, Measure.Token.Fixed against) {
        return new Target(Optional.of(token), Optional.of(against));
    }
}
