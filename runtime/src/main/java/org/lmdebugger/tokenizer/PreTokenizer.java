package org.lmdebugger.tokenizer;

import java.util.List;
import java.util.function.Consumer;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * A pre-tokenizer, which splits text into the pieces within which bytes are merged.
 *
 * @param digits      how numbers are split off, before GPT-2's pattern is applied
 * @param prefixSpace whether a space is put before a text that begins with none
 */
record PreTokenizer(Digits digits, boolean prefixSpace) {
    /** GPT-2's pattern, with Unicode's character classes as in the original. */
    private static final Pattern PIECES = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);

    /** The ways in which numbers are split off from the rest of the text. */
    enum Digits {
        TOGETHER, RUNS, SINGLE;

        private static final Pattern RUN = Pattern.compile("\\p{N}+|\\P{N}+");
        private static final Pattern ONE = Pattern.compile("\\p{N}|\\P{N}+");

        private List<String> cut(String text) {
            var pattern = this == RUNS ? RUN : ONE;
            return this == TOGETHER ? List.of(text)
                    : pattern.matcher(text).results().map(MatchResult::group).toList();
        }
    }

    PreTokenizer withoutPrefixSpace() {
        return new PreTokenizer(digits, false);
    }

    void split(String text, Consumer<String> piece) {
        for (var part : digits.cut(text)) {
            var matcher = PIECES.matcher(prefixSpace && !part.startsWith(" ") ? " " + part : part);
            while (matcher.find()) {
                piece.accept(matcher.group());
            }
        }
    }
}
