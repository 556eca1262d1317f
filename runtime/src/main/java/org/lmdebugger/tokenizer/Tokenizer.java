package org.lmdebugger.tokenizer;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.GptBytePairEncodingParams;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.model.InvalidModelException;
import org.lmdebugger.text.Shown;

/**
 * A model's own byte-level BPE tokenizer. No token is added before or after a text.
 *
 * <p>Special tokens, such as {@code <|endoftext|>}, and the ids between the last token and the model's vocabulary
 * size, which some checkpoints have for padding and which read {@code <|unused 50257|>}, are no part of a text:
 * {@link #decode} drops them, {@link #text} and {@link #raw} show them.
 */
public final class Tokenizer {
    /** How GPT-2 cuts text into pieces before it merges bytes; classes are Unicode's, as in the original. */
    private static final Pattern PIECES = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);
    private static final byte[] NO_TEXT = {};

    private final Encoding encoding;
    private final Map<String, Integer> added;
    private final Pattern addedPattern;
    private final OptionalInt endOfText;
    private final String[] raw; // by id
    private final byte[][] bytes; // by id
    private final boolean[] special; // by id
    private final int longest;

    private Tokenizer(Vocabulary vocabulary, int size) {
        added = vocabulary.added().stream().collect(Collectors.toMap(token -> token, vocabulary.ids()::get));
        addedPattern = Pattern.compile(added.isEmpty() ? "(?!)" : added.keySet().stream()
                .sorted(Comparator.comparing(String::length).reversed()) // where several begin, the longest counts
                .map(Pattern::quote).collect(Collectors.joining("|")));
        endOfText = Stream.ofNullable(vocabulary.endOfText()).mapToInt(Integer::intValue).findFirst();
        raw = IntStream.range(0, size).mapToObj(id -> "<|unused " + id + "|>").toArray(String[]::new);
        special = new boolean[size];
        Arrays.fill(special, true);
        vocabulary.ids().forEach((token, id) -> {
            raw[id] = token;
            special[id] = vocabulary.special().contains(token);
        });
        bytes = Arrays.stream(raw).map(token -> bytes(token, added.keySet())).toArray(byte[][]::new);
        longest = Arrays.stream(bytes).mapToInt(token -> token.length).max().orElse(0);
        var parameters = new GptBytePairEncodingParams("model", PIECES, ranks(vocabulary), Map.of());
        encoding = Encodings.newLazyEncodingRegistry().registerGptBytePairEncoding(parameters)
                .getEncoding("model").orElseThrow();
    }

    private static byte[] bytes(String token, Set<String> added) {
        var spelled = added.contains(token) ? null : ByteAlphabet.bytes(token);
        return spelled != null ? spelled : token.getBytes(StandardCharsets.UTF_8);
    }

    private static Map<byte[], Integer> ranks(Vocabulary vocabulary) {
        var ranks = new HashMap<byte[], Integer>();
        for (int b = 0; b < 256; b++) {
            ranks.put(new byte[] {(byte) b}, vocabulary.ids().get(ByteAlphabet.spell(b)));
        }
        for (var merge : vocabulary.merges()) {
            ranks.put(ByteAlphabet.bytes(merge.joined()), vocabulary.ids().get(merge.joined()));
        }
        return ranks;
    }

    /**
     * The tokenizer of a model.
     *
     * @param directory where {@code vocab.json} and {@code merges.txt} lie, or {@code tokenizer.json} alone
     * @param size      the model's vocabulary size; ids beyond the file's tokens read {@code <|unused N|>}
     * @throws InvalidModelException if the files are missing, damaged, contradict each other, or hold more tokens
     */
    public static Tokenizer read(Path directory, int size) {
        var vocabulary = Vocabulary.read(directory);
        int last = Collections.max(vocabulary.ids().values());
        if (last >= size) {
            throw new InvalidModelException("%s: ids up to %d (expected: below the model's vocab_size, %d)"
                    .formatted(vocabulary.origin(), last, size));
        }
        return new Tokenizer(vocabulary, size);
    }

    /** Number of ids. */
    public int size() {
        return raw.length;
    }

    /** The bytes of the longest token: no token is of more characters. */
    public int longest() {
        return longest;
    }

    /** The id of {@code <|endoftext|>}, if the vocabulary has it. */
    public OptionalInt endOfText() {
        return endOfText;
    }

    /**
     * The ids of {@code text}; a special token written out, such as {@code <|endoftext|>}, becomes its id.
     *
     * @throws IllegalArgumentException if the text is no Unicode: a surrogate without its other half
     */
    public int[] encode(String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("text: %s (expected: surrogates in pairs)".formatted(quoted(text)));
        }
        var ids = IntStream.builder();
        int end = 0;
        var matcher = addedPattern.matcher(text);
        while (matcher.find()) {
            encodePlain(text.substring(end, matcher.start()), ids);
            ids.add(added.get(matcher.group()));
            end = matcher.end();
        }
        encodePlain(text.substring(end), ids);
        return ids.build().toArray();
    }

    private void encodePlain(String text, IntStream.Builder ids) {
        var encoded = encoding.encodeOrdinary(text);
        for (int i = 0; i < encoded.size(); i++) {
            ids.add(encoded.get(i));
        }
    }

    /** The text of {@code ids} without special tokens; bytes that are not UTF-8 become U+FFFD, as in Python. */
    public String decode(int... ids) {
        var decoder = new Utf8Decoder();
        var text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.append(ordinaryBytes(id)));
        }
        return text.append(decoder.finish()).toString();
    }

    /** The text of one token, special or not; incomplete UTF-8 becomes U+FFFD. */
    public String text(int id) {
        check(id);
        var decoder = new Utf8Decoder();
        return decoder.append(bytes[id]) + decoder.finish();
    }

    /** The token as the vocabulary spells it: a leading space is {@code Ġ}, a line feed {@code Ċ}. */
    public String raw(int id) {
        check(id);
        return raw[id];
    }

    /** What a token adds to a text; nothing if it is special. */
    byte[] ordinaryBytes(int id) {
        check(id);
        return special[id] ? NO_TEXT : bytes[id];
    }

    private void check(int id) {
        if (id < 0 || id >= raw.length) {
            throw new IllegalArgumentException("token: %d (expected: 0 to %d)".formatted(id, raw.length - 1));
        }
    }

    /**
     * The id of a text that is exactly one token.
     *
     * @throws IllegalArgumentException otherwise, saying which tokens it is
     */
    public int single(String text) {
        var ids = encode(text);
        if (ids.length == 1) {
            return ids[0];
        }
        var spaced = " " + text;
        throw new IllegalArgumentException("token: %s (expected: one token, but it is %s)%s".formatted(quoted(text),
                tokens(ids), encode(spaced).length == 1 ? "; " + quoted(spaced) + ", with a space, is one" : ""));
    }

    private String tokens(int[] ids) {
        var texts = Arrays.stream(ids).limit(8).mapToObj(id -> quoted(text(id))).collect(Collectors.joining(" "));
        return ids.length == 0 ? "none" : ids.length + ": " + texts + (ids.length > 8 ? " …" : "");
    }

    private static String quoted(String text) {
        return '"' + Shown.of(text) + '"';
    }

    /** A decoder for tokens that come one by one. */
    public StreamDecoder streamDecoder() {
        return new StreamDecoder(this);
    }
}
