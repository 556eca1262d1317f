package org.lmdebugger.app.cli;

import java.util.List;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Example;
import org.lmdebugger.tokenizer.Tokenizer;

/** An example as a line for people: the coefficient, and the text around the token, which is in brackets. */
final class ExampleLine {
    private static final int WIDTH = 69; // of the text

    private ExampleLine() {
    }

    static String of(Example example, Tokenizer tokenizer) {
        return "%+9.4f  %s".formatted(example.coefficient(), text(example, tokenizer));
    }

    /** Returns as much of the text as the line takes: two thirds before the token, or more if there is little after it. */
    private static String text(Example example, Tokenizer tokenizer) {
        var before = text(example.ids().subList(0, example.at()), tokenizer);
        var token = "[" + text(example.ids().subList(example.at(), example.at() + 1), tokenizer) + "]";
        var after = text(example.ids().subList(example.at() + 1, example.ids().size()), tokenizer);
        int room = Math.max(0, WIDTH - token.length());
        int left = Math.min(before.length(), Math.max(room * 2 / 3, room - after.length()));
        var shown = left < before.length() ? "…" + before.substring(before.length() - Math.max(0, left - 1)) : before;
        return Text.fit(shown + token + after, WIDTH).stripTrailing();
    }

    private static String text(List<Integer> ids, Tokenizer tokenizer) {
        return tokenizer.decode(ids.stream().mapToInt(id -> id).toArray()).replaceAll("\\p{Cntrl}", "⏎");
    }
}
