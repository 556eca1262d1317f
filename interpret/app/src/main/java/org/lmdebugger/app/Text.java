package org.lmdebugger.app;

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

    /** {@code text} in exactly {@code width} columns, cut with an ellipsis if it is longer. */
    static String fit(String text, int width) {
        int length = text.codePointCount(0, text.length());
        if (length > width) {
            return text.substring(0, text.offsetByCodePoints(0, width - 1)) + "…";
        }
        return text + " ".repeat(width - length);
    }
}
