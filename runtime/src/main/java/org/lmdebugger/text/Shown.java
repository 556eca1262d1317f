package org.lmdebugger.text;

/** The form in which messages quote values. */
public final class Shown {
    private static final int MOST = 100; // characters
    private static final int NON_JOINER = 0x200c; // part of Persian words
    private static final int JOINER = 0x200d; // part of emoji

    private Shown() {
    }

    /**
     * Returns the text of {@code value} on one line. Characters that control a terminal or are invisible (controls,
     * line breaks, marks of text direction, halves of surrogate pairs) are written as escapes such as {@code \n} or
     * {@code \u005cu202e}. A long text is cut, and its length added.
     */
    public static String of(Object value) {
        var text = String.valueOf(value);
        var shown = new StringBuilder();
        int end = 0;
        while (end < text.length() && shown.length() < MOST) {
            int character = text.codePointAt(end);
            append(shown, character);
            end += Character.charCount(character);
        }
        return end == text.length() ? shown.toString()
                : shown.append("… (%,d characters)".formatted(text.length())).toString();
    }

    private static void append(StringBuilder shown, int character) {
        switch (character) {
            case '\n' -> shown.append("\\n");
            case '\r' -> shown.append("\\r");
            case '\t' -> shown.append("\\t");
            default -> {
                if (isVisible(character)) {
                    shown.appendCodePoint(character);
                } else {
                    for (char unit : Character.toChars(character)) {
                        shown.append("\\u%04x".formatted((int) unit));
                    }
                }
            }
        }
    }

    private static boolean isVisible(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL, Character.SURROGATE, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR ->
                    false;
            case Character.FORMAT -> character == NON_JOINER || character == JOINER;
            default -> true;
        };
    }
}
