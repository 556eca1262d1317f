package org.lmdebugger.app.cli;

import java.util.List;
import picocli.CommandLine.Help.Ansi;

/** Tokens for people to read in columns. */
final class Text {
    private Text() {
    }

    /** A token with its spaces and controls visible: {@code " girl"} becomes {@code ␣girl}, a line feed {@code ⏎}. */
    static String visible(String token) {
        var visible = new StringBuilder();
        token.codePoints().forEach(c -> {
            switch (c) {
                case ' ' -> visible.append('␣');
                case '\n' -> visible.append('⏎');
                case '\t' -> visible.append('⇥');
                default -> visible.append(Character.isISOControl(c) ? "\\x%02x".formatted(c) : Character.toString(c));
            }
        });
        return visible.toString();
    }

    /** Returns the tokens of a value vector, after its name if it has one. */
    static String named(String name, String tokens) {
        return name == null ? tokens : "[" + name + "] " + tokens;
    }

    /** {@code words} with two spaces between, in lines of at most {@code width} columns where the words allow it. */
    static String wrap(List<String> words, int width) {
        var text = new StringBuilder();
        int column = 0;
        for (var word : words) {
            int length = word.codePointCount(0, word.length());
            if (column > 0 && column + 2 + length > width) {
                text.append(System.lineSeparator());
                column = 0;
            } else if (column > 0) {
                text.append("  ");
                column += 2;
            }
            text.append(word);
            column += length;
        }
        return text.toString();
    }

    /** {@code text} in exactly {@code width} columns, cut with an ellipsis if it is longer. */
    static String fit(String text, int width) {
        int length = text.codePointCount(0, text.length());
        if (length > width) {
            return text.substring(0, text.offsetByCodePoints(0, width - 1)) + "…";
        }
        return text + " ".repeat(width - length);
    }

    /** {@code text} in bold where {@code ansi} allows it. */
    static String bold(Ansi ansi, String text) {
        return ansi.enabled() ? "\u001b[1m" + text + "\u001b[0m" : text;
    }
}
