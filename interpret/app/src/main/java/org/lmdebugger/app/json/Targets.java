package org.lmdebugger.app.json;

import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.sweep.Target;

/** Tokens of a sweep's prompts as people give them: texts that are exactly one token, or ids as {@code #620}. */
public final class Targets {
    private Targets() {
    }

    /**
     * Returns a token for each prompt.
     *
     * @param name  of the list, for messages
     * @param given none, one for all prompts, or one for each
     * @throws IllegalArgumentException if they are more or fewer
     */
    public static List<Optional<Token.Fixed>> each(String name, List<String> given, int prompts) {
        if (given.size() > 1 && given.size() != prompts) {
            throw new IllegalArgumentException("%s: %d for %d prompt%s (expected: one for all, or one for each)"
                    .formatted(name, given.size(), prompts, prompts == 1 ? "" : "s"));
        }
        return IntStream.range(0, prompts).mapToObj(prompt -> given.isEmpty() ? Optional.<Token.Fixed>empty()
                : Optional.of(Token.ofTextOrId(given.get(given.size() == 1 ? 0 : prompt)))).toList();
    }

    /** Returns the target token of each prompt, null for one that has none; nothing if none of them has. */
    public static List<String> tokens(List<Target> targets) {
        return texts(targets.stream().map(Target::token).toList());
    }

    /** Returns the token that each prompt's target is measured against, as {@link #tokens} returns targets. */
    public static List<String> against(List<Target> targets) {
        return texts(targets.stream().map(Target::against).toList());
    }

    private static List<String> texts(List<Optional<Token.Fixed>> tokens) {
        return tokens.stream().allMatch(Optional::isEmpty) ? List.of()
                : tokens.stream().map(token -> token.map(Targets::text).orElse(null)).toList();
    }

    static String text(Token.Fixed token) {
        return token instanceof Token.OfText(var text) ? text : token.toString();
    }
}
