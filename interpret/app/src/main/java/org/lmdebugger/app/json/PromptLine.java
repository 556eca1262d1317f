package org.lmdebugger.app.json;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.model.Prompt;

/** A prompt of a sweep, a text or ids, and the tokens that its measures are of; null for none. */
@JsonInclude(NON_NULL)
public record PromptLine(String prompt, List<Integer> ids, String target, String against) {
    /** Returns the line of a prompt. */
    static PromptLine of(Prompt prompt, Target target) {
        return new PromptLine(prompt instanceof Prompt.Text(var text) ? text : null,
                prompt instanceof Prompt.Ids(var ids) ? ids : null, text(target.token()), text(target.against()));
    }

    private static String text(Optional<Token.Fixed> token) {
        return token.map(Targets::text).orElse(null);
    }

    /** Returns the prompt. @throws IllegalArgumentException if it is neither a text nor ids, or both */
    public Prompt read() {
        if ((prompt == null) == (ids == null)) {
            throw new IllegalArgumentException("prompt: %s (expected: either prompt, a text, or ids, a list)"
                    .formatted(prompt == null ? "missing" : "beside ids"));
        }
        if (ids != null && ids.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException("ids: null among them (expected: whole numbers)");
        }
        return prompt == null ? new Prompt.Ids(ids) : Prompt.of(prompt);
    }

    /** Returns the tokens that measures are of. */
    public Target readTarget() {
        return new Target(token(target), token(against));
    }

    private static Optional<Token.Fixed> token(String text) {
        return Optional.ofNullable(text).map(Token::ofTextOrId);
    }
}
