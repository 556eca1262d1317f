package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.model.Prompt;

/** A prompt of a sweep and its target. */
record SweepPrompt(Prompt prompt, Target target) {
    /** A line of JSON: a text or ids, and the tokens that its measures are of. */
    private record Line(String prompt, List<Integer> ids, String target, String against) {
        SweepPrompt read() {
            if ((prompt == null) == (ids == null)) {
                throw new IllegalArgumentException("prompt: %s (expected: either prompt, a text, or ids, a list)"
                        .formatted(prompt == null ? "missing" : "beside ids"));
            }
            if (ids != null && ids.contains(null)) {
                throw new IllegalArgumentException("ids: null among them (expected: whole numbers)");
            }
            return new SweepPrompt(prompt == null ? new Prompt.Ids(ids) : Prompt.of(prompt),
                    new Target(token(target), token(against)));
        }

        private static Optional<Token.Fixed> token(String text) {
            return Optional.ofNullable(text).map(Token::ofTextOrId);
        }
    }

    static SweepPrompt of(String text) {
        return new SweepPrompt(Prompt.of(text), Target.NONE);
    }

    /** Returns the prompts of a file: JSON Lines if its name ends so, else a text on each line. */
    static List<SweepPrompt> read(Path file) {
        boolean json = file.toString().toLowerCase(Locale.ROOT).endsWith(".jsonl");
        return Lines.read(file, line -> json ? JsonReader.readLine(line, Line.class).read() : of(line)).list();
    }
}
