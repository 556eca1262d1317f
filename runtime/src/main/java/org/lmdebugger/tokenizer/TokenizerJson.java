package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.lmdebugger.model.InvalidModelException;
import org.lmdebugger.model.JsonFiles;
import org.lmdebugger.tokenizer.Vocabulary.Merge;

/**
 * A {@code tokenizer.json} of Hugging Face's tokenizers library, as far as it says what GPT-2's tokenizer does; one
 * that says anything else is refused. {@code add_prefix_space} is left aside, as transformers overrides it.
 */
record TokenizerJson(Map<String, Integer> ids, List<Merge> merges, List<Added> added) {

    /** A token that is found in a text before everything else. */
    record Added(String content, int id, boolean special) {
    }

    static TokenizerJson read(Path file) {
        var json = JsonFiles.read(file);
        var model = json.path("model");
        require(file, "model.type", model.path("type"), model.path("type").asText("BPE").equals("BPE"), "BPE");
        for (var affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            require(file, "model." + affix, model.path(affix), model.path(affix).asText("").matches("|null"), "none");
        }
        require(file, "normalizer", json.path("normalizer"), !json.hasNonNull("normalizer"), "null");
        var split = json.path("pre_tokenizer");
        require(file, "pre_tokenizer", split, split.path("type").asText().equals("ByteLevel")
                && split.path("use_regex").asBoolean(true), "ByteLevel with its own pattern");
        require(file, "model.merges", model.path("merges"), model.path("merges").isArray(), "an array");
        return new TokenizerJson(ids(file, model.path("vocab")), merges(file, model.path("merges")),
                added(file, json.path("added_tokens")));
    }

    /** Tokens and their ids, as a JSON object has them. */
    static Map<String, Integer> ids(Path file, JsonNode vocab) {
        var ids = new HashMap<String, Integer>();
        for (var field : vocab.properties()) {
            ids.put(field.getKey(), id(file, field.getKey(), field.getValue()));
        }
        return ids;
    }

    /** Both spellings: {@code "a b"} and {@code ["a", "b"]}. */
    private static List<Merge> merges(Path file, JsonNode array) {
        var merges = new ArrayList<Merge>(array.size());
        for (var merge : array) {
            boolean pair = merge.size() == 2 && merge.path(0).isTextual() && merge.path(1).isTextual();
            require(file, "model.merges", merge, merge.isTextual() || pair, "two tokens");
            merges.add(pair ? new Merge(merge.path(0).textValue(), merge.path(1).textValue())
                    : Merge.parse(file, merge.textValue()));
        }
        return merges;
    }

    private static List<Added> added(Path file, JsonNode array) {
        var added = new ArrayList<Added>();
        for (var token : array) {
            var content = token.path("content");
            require(file, "added_tokens", token, content.isTextual() && !content.textValue().isEmpty(), "its content");
            for (var option : List.of("lstrip", "rstrip", "single_word")) {
                require(file, "added_tokens", token, !token.path(option).asBoolean(), option + " false");
            }
            added.add(new Added(content.textValue(), id(file, content.textValue(), token.path("id")),
                    token.path("special").asBoolean()));
        }
        return added;
    }

    private static int id(Path file, String token, JsonNode id) {
        require(file, token, id, id.isIntegralNumber() && id.canConvertToInt() && id.intValue() >= 0, "an id");
        return id.intValue();
    }

    private static void require(Path file, String what, JsonNode found, boolean good, String expected) {
        if (!good) {
            throw new InvalidModelException("%s: %s: %s (expected: %s)"
                    .formatted(file, what, found.isMissingNode() ? "missing" : found, expected));
        }
    }
}
