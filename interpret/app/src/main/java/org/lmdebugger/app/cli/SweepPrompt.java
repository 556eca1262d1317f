package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.json.PromptLine;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.model.Prompt;

/** A prompt of a sweep and its target. */
record SweepPrompt(Prompt prompt, Target target) {
    static SweepPrompt of(String text) {
        return new SweepPrompt(Prompt.of(text), Target.NONE);
    }

    private static SweepPrompt of(PromptLine line) {
        return new SweepPrompt(line.read(), line.readTarget());
    }

    /** Returns the prompts of a file: JSON Lines if its name ends so, else a text on each line. */
    static List<SweepPrompt> read(Path file) {
        boolean json = file.toString().toLowerCase(Locale.ROOT).endsWith(".jsonl");
        return Lines.read(file, line -> json ? of(JsonReader.readLine(line, PromptLine.class)) : of(line)).list();
    }
}
