package org.lmdebugger.tokenizer;

import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.text.Shown;

/** The tokens added to a vocabulary, numbered and matched as in Hugging Face's tokenizers library. */
final class AddedTokens {
    private static final Pattern WORD = Pattern.compile("\\w", Pattern.UNICODE_CHARACTER_CLASS);

    private final Vocabulary vocabulary;
    private final boolean splitSpecial; // special tokens are text like any other
    private final Map<String, AddedToken> tokens = new LinkedHashMap<>();
    private final Map<String, Integer> ids = new LinkedHashMap<>();
    private Pattern exact = anyOf(false);
    private Pattern normalized = anyOf(true);

    AddedTokens(Vocabulary vocabulary, boolean splitSpecial) {
        this.vocabulary = vocabulary;
        this.splitSpecial = splitSpecial;
    }

    /**
     * Adds or changes tokens. A token of the vocabulary keeps its id, others get the ids after the last one.
     *
     * @throws InvalidModelException if a file names another id for one of them, or the id is that of another token
     */
    void add(Iterable<AddedToken> more) {
        int next = ids.isEmpty() ? vocabulary.ids().size()
                : Math.max(vocabulary.ids().size(), Collections.max(ids.values()) + 1);
        for (var token : more) {
            var known = ids.getOrDefault(token.content(), vocabulary.ids().get(token.content()));
            int id = known == null ? next++ : known;
            if (token.id() != AddedToken.UNNUMBERED && token.id() != id) {
                throw new InvalidModelException("%s: added token %s: id %d (expected: %d, %s)".formatted(
                        vocabulary.origin().getParent(), Shown.of(token.content()), token.id(), id,
                        known == null ? "after the last token" : "as in " + vocabulary.origin().getFileName()));
            }
            tokens.put(token.content(), token);
            ids.put(token.content(), id);
        }
        exact = anyOf(false);
        normalized = anyOf(true);
    }

    /** Returns a pattern of all tokens of a kind; of several that begin at one place, it matches the longest. */
    private Pattern anyOf(boolean isNormalized) {
        var contents = tokens.values().stream().filter(token -> token.normalized() == isNormalized)
                .map(AddedToken::content).sorted(Comparator.comparing(String::length).reversed()).toList();
        return Pattern.compile(contents.isEmpty() ? "(?!)"
                : contents.stream().map(Pattern::quote).collect(Collectors.joining("|")));
    }

    /** Returns the ids by content. */
    Map<String, Integer> ids() {
        return Collections.unmodifiableMap(ids);
    }

    boolean isSpecial(String content) {
        return tokens.containsKey(content) && tokens.get(content).special();
    }

    /** Splits {@code text} into the ids of added tokens and the parts between them, which are never empty. */
    void split(String text, IntConsumer found, Consumer<String> between) {
        split(exact, text, found, rest -> split(normalized, rest, found, between));
    }

    private void split(Pattern pattern, String text, IntConsumer found, Consumer<String> between) {
        int last = 0;
        var matcher = pattern.matcher(text);
        while (matcher.find()) {
            var token = tokens.get(matcher.group());
            int start = matcher.start();
            int end = matcher.end();
            if (splitSpecial && token.special() || token.singleWord() && !isWhole(text, start, end)) {
                continue;
            }
            while (token.leftStrip() && start > last && isSpace(text.charAt(start - 1))) {
                start--;
            }
            while (token.rightStrip() && end < text.length() && isSpace(text.charAt(end))) {
                end++;
            }
            if (last < start) {
                between.accept(text.substring(last, start));
            }
            found.accept(ids.get(token.content()));
            last = end;
        }
        if (last < text.length()) {
            between.accept(text.substring(last));
        }
    }

    /** Returns whether no word character is next to this part of {@code text}. */
    private static boolean isWhole(String text, int start, int end) {
        return (start == 0 || !isWord(text.codePointBefore(start)))
                && (end == text.length() || !isWord(text.codePointAt(end)));
    }

    private static boolean isWord(int character) {
        return WORD.matcher(Character.toString(character)).matches();
    }

    /** Returns whether a character has Unicode's property White_Space. */
    private static boolean isSpace(char c) {
        return Character.isSpaceChar(c) || c >= '\t' && c <= '\r' || c == '\u0085';
    }
}
