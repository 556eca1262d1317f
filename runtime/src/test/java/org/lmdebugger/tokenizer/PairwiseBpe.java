package org.lmdebugger.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Byte-level BPE as the paper has it, to compare with: searches all pairs for each merge, and cuts the text by hand,
 * without a regular expression.
 */
final class PairwiseBpe {
    private static final List<String> CONTRACTIONS = List.of("'s", "'t", "'re", "'ve", "'m", "'ll", "'d");

    private enum Kind { SPACE, LETTER, NUMBER, OTHER }

    private final Map<String, Integer> ids;
    private final Map<Vocabulary.Merge, Integer> ranks = new HashMap<>();

    PairwiseBpe(Vocabulary vocabulary) {
        ids = vocabulary.ids();
        vocabulary.merges().forEach(merge -> ranks.putIfAbsent(merge, ranks.size()));
    }

    int[] encode(String text) {
        return pieces(text).stream().map(PairwiseBpe::spelled).flatMap(piece -> merge(piece).stream())
                .mapToInt(ids::get).toArray();
    }

    private static String spelled(String piece) {
        var spelled = new StringBuilder();
        for (byte b : piece.getBytes(StandardCharsets.UTF_8)) {
            spelled.append(ByteAlphabet.spell(b));
        }
        return spelled.toString();
    }

    /** The tokens of one piece in the byte alphabet. */
    List<String> merge(String piece) {
        var parts = new ArrayList<>(List.of(piece.split("")));
        while (true) {
            int best = -1;
            int lowest = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int rank = ranks.getOrDefault(new Vocabulary.Merge(parts.get(i), parts.get(i + 1)), Integer.MAX_VALUE);
                if (rank < lowest) {
                    lowest = rank;
                    best = i;
                }
            }
            if (best < 0) {
                return parts;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
    }

    /** GPT-2's pattern, read aloud. */
    static List<String> pieces(String text) {
        var pieces = new ArrayList<String>();
        int at = 0;
        while (at < text.length()) {
            int end = end(text, at);
            pieces.add(text.substring(at, end));
            at = end;
        }
        return pieces;
    }

    private static int end(String text, int at) {
        for (var contraction : CONTRACTIONS) {
            if (text.startsWith(contraction, at)) {
                return at + contraction.length();
            }
        }
        int start = text.charAt(at) == ' ' && at + 1 < text.length() ? at + 1 : at;
        if (kind(text, start) != Kind.SPACE) {
            return run(text, start); // of one kind, with one space before
        }
        int end = run(text, at);
        int last = text.offsetByCodePoints(end, -1);
        return end < text.length() && last > at ? last : end; // the last space goes to what follows
    }

    private static int run(String text, int at) {
        var kind = kind(text, at);
        int end = at;
        while (end < text.length() && kind(text, end) == kind) {
            end += Character.charCount(text.codePointAt(end));
        }
        return end;
    }

    private static Kind kind(String text, int at) {
        int c = text.codePointAt(at);
        return switch (Character.getType(c)) {
            case Character.UPPERCASE_LETTER, Character.LOWERCASE_LETTER, Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER, Character.OTHER_LETTER -> Kind.LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> Kind.NUMBER;
            case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> Kind.SPACE;
            default -> c >= '\t' && c <= '\r' || c == 0x85 ? Kind.SPACE : Kind.OTHER;
        };
    }
}
