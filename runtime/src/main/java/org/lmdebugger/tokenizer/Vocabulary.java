package org.lmdebugger.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.lmdebugger.model.InvalidModelException;
import org.lmdebugger.model.JsonFiles;

/**
 * What a model's files say of its tokens.
 *
 * @param origin  the file, for messages
 * @param ids     each token's id, spelled in the {@link ByteAlphabet}; tokens of {@code added} are spelled as they are
 * @param merges  pairs in the order of their rank
 * @param added   tokens that stand for themselves wherever a text has them, and that no merge makes
 * @param special those of {@code added} that are signs and no text
 */
record Vocabulary(Path origin, Map<String, Integer> ids, List<Merge> merges, Set<String> added, Set<String> special) {
    private static final String END_OF_TEXT = "<|endoftext|>";

    record Merge(String left, String right) {
        String joined() {
            return left + right;
        }

        static Merge parse(Path file, String line) {
            var parts = line.split(" ", -1);
            if (parts.length != 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
                throw new InvalidModelException("%s: \"%s\" (expected: a merge, two tokens and a space between)"
                        .formatted(file, line));
            }
            return new Merge(parts[0], parts[1]);
        }
    }

    /**
     * From {@code vocab.json} and {@code merges.txt}, or from {@code tokenizer.json} where one of those is not there;
     * tokens that {@code tokenizer.json} adds count in both cases.
     */
    static Vocabulary read(Path directory) {
        var vocab = directory.resolve("vocab.json");
        var merges = directory.resolve("merges.txt");
        var whole = directory.resolve("tokenizer.json");
        boolean parts = Files.exists(vocab) && Files.exists(merges);
        if (!parts && !Files.exists(whole)) {
            throw new InvalidModelException(
                    directory + ": no tokenizer (expected: vocab.json and merges.txt, or tokenizer.json)");
        }
        var json = Files.exists(whole) ? TokenizerJson.read(whole) : null;
        var origin = parts ? vocab : whole;
        var ids = new HashMap<>(parts ? TokenizerJson.ids(vocab, JsonFiles.read(vocab)) : json.ids());
        var added = new TreeSet<String>();
        var special = new TreeSet<String>();
        if (ids.containsKey(END_OF_TEXT)) { // vocab.json does not tell it from other tokens, but Hugging Face does
            added.add(END_OF_TEXT);
            special.add(END_OF_TEXT);
        }
        for (var token : json == null ? List.<TokenizerJson.Added>of() : json.added()) {
            var id = ids.put(token.content(), token.id());
            if (id != null && id != token.id()) {
                throw new InvalidModelException("%s: added_tokens: %s: id %d (expected: %d, as in %s)"
                        .formatted(whole, token.content(), token.id(), id, origin));
            }
            added.add(token.content());
            if (token.special()) {
                special.add(token.content());
            }
        }
        return new Vocabulary(origin, ids, parts ? merges(merges) : json.merges(), added, special).checked();
    }

    private static List<Merge> merges(Path file) {
        return JsonFiles.text(file).lines().filter(line -> !line.isEmpty() && !line.startsWith("#version"))
                .map(line -> Merge.parse(file, line)).toList();
    }

    /** What the end of a text is called here, if it has a token. */
    Integer endOfText() {
        return ids.get(END_OF_TEXT);
    }

    /**
     * Each id must name one token, each byte be a token, and ids grow with the merges' rank, as the encoder that we
     * use takes one for the other.
     */
    private Vocabulary checked() {
        var byId = new HashMap<Integer, String>();
        ids.forEach((token, id) -> {
            var other = byId.put(id, token);
            if (other != null) {
                throw wrong("id %d: %s and %s (expected: one token)".formatted(id, token, other));
            }
        });
        for (int b = 0; b < 256; b++) {
            id(ByteAlphabet.spell(b), "a byte");
        }
        var before = "";
        int last = -1;
        for (var merge : merges) {
            id(merge.left(), "the left of a merge");
            id(merge.right(), "the right of a merge");
            var token = merge.joined();
            int id = id(token, "a merge");
            if (ByteAlphabet.bytes(token) == null) {
                throw wrong("%s: a merge (expected: spelled in GPT-2's byte alphabet)".formatted(token));
            }
            if (id <= last) {
                throw wrong("ids contradict the merges: %s has id %d (expected: above %d, that of %s, merged before it)"
                        .formatted(token, id, last, before));
            }
            before = token;
            last = id;
        }
        return this;
    }

    private int id(String token, String what) {
        var id = ids.get(token);
        if (id == null) {
            throw wrong("%s: no id (expected: one, as it is %s)".formatted(token, what));
        }
        return id;
    }

    private InvalidModelException wrong(String message) {
        return new InvalidModelException(origin + ": " + message);
    }
}
