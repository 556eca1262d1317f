package org.lmdebugger.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.TokenizerJson.Frame;

/**
 * A model's own byte-level BPE tokenizer. Ids are the same as those of transformers 5, including the tokens that a
 * tokenizer adds before or after every text.
 *
 * <p>Special tokens, such as {@code <|endoftext|>}, and the ids between the last token and the model's vocabulary
 * size, which some checkpoints have for padding and which are shown as {@code <|unused 50257|>}, are no part of a text:
 * {@link #decode} drops them, {@link #text} and {@link #raw} show them.
 */
public final class Tokenizer {
    private static final byte[] NO_TEXT = {};

    private final BytePairEncoding encoding;
    private final AddedTokens added;
    private final PreTokenizer preTokenizer;
    private final Frame frame;
    private final List<String> warnings;
    private final String[] raw; // by id
    private final byte[][] bytes; // by id
    private final boolean[] special; // by id
    private final int longest;

    private Tokenizer(TokenizerFiles files, int size) {
        encoding = new BytePairEncoding(files.vocabulary());
        added = files.added();
        preTokenizer = files.preTokenizer();
        frame = files.frame();
        warnings = files.warnings();
        raw = IntStream.range(0, size).mapToObj(id -> "<|unused " + id + "|>").toArray(String[]::new);
        bytes = new byte[size][];
        special = new boolean[size];
        Arrays.fill(special, true);
        files.vocabulary().ids().forEach((token, id) -> set(id, token, ByteAlphabet.bytes(token), false));
        added.ids().forEach((token, id) -> set(id, token, null, added.isSpecial(token)));
        for (int id = 0; id < size; id++) {
            bytes[id] = bytes[id] == null ? raw[id].getBytes(StandardCharsets.UTF_8) : bytes[id];
        }
        longest = Arrays.stream(bytes).mapToInt(token -> token.length).max().orElse(0);
    }

    /** Sets a token's properties, unless the model has no such id. */
    private void set(int id, String token, byte[] spelled, boolean isSpecial) {
        if (id < raw.length) {
            raw[id] = token;
            bytes[id] = spelled;
            special[id] = isSpecial;
        }
    }

    /**
     * Reads the tokenizer of a model.
     *
     * @param directory the directory of {@code tokenizer.json}, or {@code vocab.json} and {@code merges.txt}, and of
     *                  {@code tokenizer_config.json}, {@code special_tokens_map.json}, {@code added_tokens.json}
     * @param size      the model's vocabulary size; ids beyond the files' tokens are shown as {@code <|unused N|>}
     * @throws InvalidModelException if the files are missing, damaged, contradict each other, are of another kind of
     *                               tokenizer, or of a larger vocabulary
     */
    public static Tokenizer read(Path directory, int size) {
        var files = new TokenizerFiles(directory);
        var vocabulary = files.vocabulary();
        int last = vocabulary.ids().isEmpty() ? -1 : Collections.max(vocabulary.ids().values());
        if (last >= size) {
            throw new InvalidModelException("%s: ids up to %d (expected: below the model's vocab_size, %d)"
                    .formatted(vocabulary.origin(), last, size));
        }
        return new Tokenizer(files, size);
    }

    /** Returns warnings about the tokenizer's files for the user, in sentences; usually none. */
    public List<String> warnings() {
        return warnings;
    }

    /** Returns the number of ids. */
    public int size() {
        return raw.length;
    }

    /**
     * Returns the bytes of the longest token. No token has more characters, except for space stripped by an added one.
     */
    public int longest() {
        return longest;
    }

    /**
     * Returns the positions of the tokens that {@link #encode} added by itself, among the {@code length} it returned.
     */
    public List<Integer> added(int length) {
        int end = length - frame.after().size();
        return IntStream.range(0, length).filter(i -> i < frame.before().size() || i >= end).boxed().toList();
    }

    /**
     * Returns the ids of {@code text}, and around them those that the tokenizer adds by itself. The text of a special
     * token, such as {@code <|endoftext|>}, becomes its id.
     *
     * @throws IllegalArgumentException if the text has a surrogate without its other half, or if a token is beyond the
     *                                  model's vocabulary
     */
    public int[] encode(String text) {
        var ids = IntStream.builder();
        frame.before().forEach(ids::add);
        encode(text, preTokenizer, ids);
        frame.after().forEach(ids::add);
        return checked(ids);
    }

    private void encode(String text, PreTokenizer preTokenizer, IntStream.Builder ids) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("text: %s (expected: surrogates in pairs)".formatted(quoted(text)));
        }
        added.split(text, ids::add, between -> preTokenizer.split(between, piece -> encoding.encode(piece, ids)));
    }

    private int[] checked(IntStream.Builder builder) {
        var ids = builder.build().toArray();
        for (int id : ids) {
            if (id >= raw.length) {
                var token = added.ids().entrySet().stream().filter(entry -> entry.getValue() == id)
                        .map(entry -> Shown.of(entry.getKey()));
                throw new IllegalArgumentException("token: %s has id %d (expected: below the model's vocab_size, %d)"
                        .formatted(token.findFirst().orElse("one that the tokenizer adds"), id, raw.length));
            }
        }
        return ids;
    }

    /** Returns the text of {@code ids} without special tokens; bytes that are not UTF-8 become U+FFFD, as in Python. */
    public String decode(int... ids) {
        var decoder = new Utf8Decoder();
        var text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.append(ordinaryBytes(id)));
        }
        return text.append(decoder.finish()).toString();
    }

    /** Returns the text of one token, special or not; incomplete UTF-8 becomes U+FFFD. */
    public String text(int id) {
        check(id);
        var decoder = new Utf8Decoder();
        return decoder.append(bytes[id]) + decoder.finish();
    }

    /** Returns the token as in the vocabulary: a leading space is {@code Ġ}, a line feed {@code Ċ}. */
    public String raw(int id) {
        check(id);
        return raw[id];
    }

    /** Returns the bytes that a token adds to a text; none if it is special. */
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
     * Returns the id of a text that is exactly one token, without the tokens or the space that the tokenizer adds by
     * itself.
     *
     * @throws IllegalArgumentException if it is another number of tokens; the message lists them
     */
    public int single(String text) {
        var ids = asItIs(text);
        if (ids.length == 1) {
            return ids[0];
        }
        var spaced = " " + text;
        throw new IllegalArgumentException("token: %s (expected: one token, but it is %s)%s".formatted(quoted(text),
                tokens(ids), asItIs(spaced).length == 1 ? "; " + quoted(spaced) + ", with a space, is one" : ""));
    }

    private int[] asItIs(String text) {
        var ids = IntStream.builder();
        encode(text, preTokenizer.withoutPrefixSpace(), ids);
        return checked(ids);
    }

    private String tokens(int[] ids) {
        var texts = Arrays.stream(ids).limit(8).mapToObj(id -> quoted(text(id))).collect(Collectors.joining(" "));
        return ids.length == 0 ? "none" : ids.length + ": " + texts + (ids.length > 8 ? " …" : "");
    }

    private static String quoted(String text) {
        return '"' + Shown.of(text) + '"';
    }

    /** Returns an incremental decoder, for tokens that come one by one. */
    public StreamDecoder streamDecoder() {
        return new StreamDecoder(this);
    }
}
