package org.lmdebugger.tokenizer;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.GptBytePairEncodingParams;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.model.InvalidModelException;

/** A model's own byte-level BPE tokenizer. No token is added before or after a text. */
public final class Tokenizer {
    /** How GPT-2 cuts text into pieces before it merges bytes; classes are Unicode's, as in the original. */
    private static final Pattern PIECES = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);

    private final Encoding encoding;
    private final Map<String, Integer> special;
    private final Pattern specialPattern;
    private final String[] raw; // by id
    private final byte[][] bytes; // by id

    private Tokenizer(Vocabulary vocabulary, int size) {
        special = vocabulary.special().stream().collect(Collectors.toMap(token -> token, vocabulary.ids()::get));
        specialPattern = special.isEmpty() ? null
                : Pattern.compile(special.keySet().stream().map(Pattern::quote).collect(Collectors.joining("|")));
        raw = new String[size];
        bytes = new byte[size][];
        vocabulary.ids().forEach((token, id) -> {
            raw[id] = token;
            var spelled = special.containsKey(token) ? null : ByteAlphabet.bytes(token);
            bytes[id] = spelled != null ? spelled : token.getBytes(StandardCharsets.UTF_8);
        });
        for (int id = 0; id < size; id++) {
            if (raw[id] == null) {
                raw[id] = "<|unused " + id + "|>";
                bytes[id] = raw[id].getBytes(StandardCharsets.UTF_8);
            }
        }
        var parameters = new GptBytePairEncodingParams("model", PIECES, ranks(vocabulary), Map.of());
        encoding = Encodings.newLazyEncodingRegistry().registerGptBytePairEncoding(parameters).getEncoding("model").orElseThrow();
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
        int needed = Collections.max(vocabulary.ids().values()) + 1;
        if (needed > size) {
            throw new InvalidModelException("%s: %d tokens (expected: at most the model's vocab_size, %d)"
                    .formatted(vocabulary.origin(), needed, size));
        }
        return new Tokenizer(vocabulary, size);
    }

    /** Number of ids. */
    public int size() {
        return raw.length;
    }

    /** The ids of {@code text}; a special token written out, such as {@code <|endoftext|>}, becomes its id. */
    public int[] encode(String text) {
        var ids = IntStream.builder();
        int end = 0;
        if (specialPattern != null) {
            var matcher = specialPattern.matcher(text);
            while (matcher.find()) {
                encodePlain(text.substring(end, matcher.start()), ids);
                ids.add(special.get(matcher.group()));
                end = matcher.end();
            }
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

    /** The text of {@code ids} without special tokens; bytes that are not UTF-8 become U+FFFD. */
    public String decode(int... ids) {
        var text = new ByteArrayOutputStream();
        for (int id : ids) {
            if (!special.containsKey(raw(id))) {
                text.writeBytes(bytes[id]);
            }
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    /** The text of one token, special or not; incomplete UTF-8 becomes U+FFFD. */
    public String text(int id) {
        raw(id);
        return new String(bytes[id], StandardCharsets.UTF_8);
    }

    /** The token as the vocabulary spells it: a leading space is {@code Ġ}, a line feed {@code Ċ}. */
    public String raw(int id) {
        if (id < 0 || id >= raw.length) {
            throw new IllegalArgumentException("token: %d (expected: 0 to %d)".formatted(id, raw.length - 1));
        }
        return raw[id];
    }

    byte[] bytes(int id) {
        return special.containsKey(raw(id)) ? new byte[0] : bytes[id];
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
        var spaced = encode(" " + text);
        throw new IllegalArgumentException("token: \"%s\" (expected: one token, but it is %s)%s".formatted(text,
                ids.length == 0 ? "none" : tokens(ids),
                spaced.length == 1 && !text.startsWith(" ") ? "; \" " + text + "\", with a space, is one" : ""));
    }

    private String tokens(int[] ids) {
        List<String> texts = Arrays.stream(ids).limit(8).mapToObj(id -> "\"" + text(id) + "\"").toList();
        return ids.length + ": " + String.join(" ", texts) + (ids.length > 8 ? " …" : "");
    }

    /** A decoder for tokens that come one by one. */
    public StreamDecoder streamDecoder() {
        return new StreamDecoder(this);
    }
}
