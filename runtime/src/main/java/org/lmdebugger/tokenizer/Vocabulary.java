package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.lmdebugger.model.InvalidModelException;
import org.lmdebugger.model.JsonFiles;

/**
 * What a model's files say of its tokens.
 *
 * @param origin  the file, for messages
 * @param ids     each token's id, spelled in the {@link ByteAlphabet}
 * @param merges  pairs in the order of their rank
 * @param special tokens that no text is merged to: the end of text, and what {@code tokenizer.json} calls special
 */
record Vocabulary(Path origin, Map<String, Integer> ids, List<Merge> merges, Set<String> special) {
    static final String END_OF_TEXT = "<|endoftext|>";

    record Merge(String left, String right) {
        String joined() {
            return left + right;
        }
    }

    /** From {@code vocab.json} and {@code merges.txt} of a directory, or from its {@code tokenizer.json}. */
    static Vocabulary read(Path directory) {
        var vocab = directory.resolve("vocab.json");
        var merges = directory.resolve("merges.txt");
        var both = directory.resolve("tokenizer.json");
        if (Files.exists(vocab) && Files.exists(merges)) {
            var ids = ids(vocab, JsonFiles.read(vocab));
            var special = ids.containsKey(END_OF_TEXT) ? Set.of(END_OF_TEXT) : Set.<String>of();
            return new Vocabulary(vocab, ids, merges(merges), special).checked();
        }
        if (Files.exists(both)) {
            return fromTokenizerJson(both).checked();
        }
        throw new InvalidModelException(directory + ": no tokenizer (expected: vocab.json and merges.txt, or tokenizer.json)");
    }

    private static Vocabulary fromTokenizerJson(Path file) {
        var json = JsonFiles.read(file);
        var model = json.path("model");
        if (!model.path("type").asText("BPE").equals("BPE") || !model.path("merges").isArray()) {
            throw new InvalidModelException("%s: model: %s (expected: BPE with merges)".formatted(file, model.path("type")));
        }
        var ids = new HashMap<>(ids(file, model.path("vocab")));
        var special = new LinkedHashSet<String>();
        for (var added : json.path("added_tokens")) {
            ids.put(added.path("content").asText(), added.path("id").asInt(-1));
            special.add(added.path("content").asText());
        }
        var merges = StreamSupport.stream(model.path("merges").spliterator(), false)
                .map(merge -> merge.isArray() ? new Merge(merge.path(0).asText(), merge.path(1).asText())
                        : merge(file, merge.asText()))
                .toList();
        return new Vocabulary(file, ids, merges, special);
    }

    private static Map<String, Integer> ids(Path file, JsonNode vocab) {
        var ids = new HashMap<String, Integer>();
        for (var field : vocab.properties()) {
            if (!field.getValue().canConvertToInt() || field.getValue().asInt() < 0) {
                throw new InvalidModelException("%s: %s: %s (expected: an id)".formatted(file, field.getKey(), field.getValue()));
            }
            ids.put(field.getKey(), field.getValue().asInt());
        }
        return ids;
    }

    private static List<Merge> merges(Path file) {
        try {
            var merges = new ArrayList<Merge>();
            for (var line : Files.readString(file, StandardCharsets.UTF_8).split("\r?\n")) {
                if (!line.isEmpty() && !line.startsWith("#version")) {
                    merges.add(merge(file, line));
                }
            }
            return merges;
        } catch (NoSuchFileException failure) {
            throw new InvalidModelException(file + ": missing", failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read as UTF-8", failure);
        }
    }

    private static Merge merge(Path file, String line) {
        var parts = line.split(" ", -1);
        if (parts.length != 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
            throw new InvalidModelException("%s: %s (expected: two tokens and a space between)".formatted(file, line));
        }
        return new Merge(parts[0], parts[1]);
    }

    /**
     * Ids must name one token each, cover all bytes and grow with the merges' rank: the encoder that we use takes an
     * id for a rank.
     */
    private Vocabulary checked() {
        var byId = new HashMap<Integer, String>();
        ids.forEach((token, id) -> {
            var other = byId.put(id, token);
            if (other != null) {
                throw wrong("id %d: %s and %s (expected: one token)".formatted(id, token, other));
            }
        });
        int last = -1;
        for (int b = 0; b < 256; b++) {
            last = Math.max(last, id(ByteAlphabet.spell(b), "a byte"));
        }
        for (var merge : merges) {
            id(merge.left(), "the left of a merge");
            id(merge.right(), "the right of a merge");
            int id = id(merge.joined(), "a merge");
            if (id <= last) {
                throw wrong("%s: id %d (expected: above %d, as ids grow with the merges' rank)".formatted(merge.joined(), id, last));
            }
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
