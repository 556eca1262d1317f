package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.PreTokenizer.Digits;
import org.lmdebugger.tokenizer.TokenizerJson.Frame;

/**
 * The files of a tokenizer, read as transformers 5 reads them.
 *
 * <p>{@code GPT2Tokenizer}, the class of a GPT-2 that names no other, takes from {@code tokenizer.json} the vocabulary,
 * the merges, the added tokens and the post-processor, and splits text as GPT-2 does. {@code PreTrainedTokenizerFast}
 * follows all of {@code tokenizer.json}.
 */
final class TokenizerFiles {
    private static final String CONFIG = "tokenizer_config.json";
    private static final String NUMBERED = "added_tokens_decoder"; // the configuration's key for added tokens
    private static final String END_OF_TEXT = "<|endoftext|>";
    private static final List<String> NAMES = List.of("bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
            "cls_token", "mask_token");

    private final Path directory;
    private final ObjectNode config;
    private final Optional<TokenizerJson> json;
    private final boolean isGpt2; // else a PreTrainedTokenizerFast
    private final Map<String, AddedToken> special; // by role

    private final Vocabulary vocabulary;
    private final AddedTokens added;
    private final PreTokenizer preTokenizer;
    private final Frame frame;
    private final List<String> warnings = new ArrayList<>();

    /**
     * Reads the files.
     *
     * @throws InvalidModelException if they are missing, damaged, contradictory, or of another kind
     */
    TokenizerFiles(Path directory) {
        this.directory = directory;
        config = read(CONFIG);
        var whole = directory.resolve("tokenizer.json");
        json = Files.exists(whole) ? Optional.of(TokenizerJson.read(whole)) : Optional.empty();
        isGpt2 = isGpt2(config.hasNonNull("tokenizer_class") ? config : read("config.json"));
        vocabulary = readVocabulary();
        special = specialTokens();
        added = new AddedTokens(vocabulary, config.path("split_special_tokens").asBoolean());
        if (!isGpt2) {
            added.add(json.orElseThrow().added());
        }
        added.add(moreTokens());
        warnings.addAll(vocabulary.unmade(added.ids().keySet()));
        warnings.addAll(vocabulary.lostBytes());
        preTokenizer = readPreTokenizer();
        frame = readFrame();
    }

    /** Returns the object in a file; an empty one if there is no such file. */
    private ObjectNode read(String file) {
        var path = directory.resolve(file);
        return Files.exists(path) ? (ObjectNode) JsonFiles.read(path) : JsonNodeFactory.instance.objectNode();
    }

    private boolean isGpt2(JsonNode naming) {
        return switch (naming.path("tokenizer_class").asText()) {
            case "", "null", "GPT2Tokenizer", "GPT2TokenizerFast" -> true;
            case "PreTrainedTokenizerFast", "TokenizersBackend" -> false;
            default -> throw TokenizerJson.wrong(directory, "tokenizer_class", naming.path("tokenizer_class"),
                    "GPT2Tokenizer or PreTrainedTokenizerFast");
        };
    }

    private Vocabulary readVocabulary() {
        var vocab = directory.resolve("vocab.json");
        var merges = directory.resolve("merges.txt");
        if (json.isPresent()) {
            return json.get().vocabulary(!isGpt2);
        } else if (isGpt2 && Files.exists(vocab) && Files.exists(merges)) {
            return Vocabulary.read(vocab, merges);
        }
        throw new InvalidModelException("%s: no tokenizer (expected: tokenizer.json%s)"
                .formatted(directory, isGpt2 ? ", or vocab.json and merges.txt" : ""));
    }

    /** Returns the special tokens with a role, such as {@code bos_token}, then those without. */
    private Map<String, AddedToken> specialTokens() {
        var settings = config.deepCopy();
        if (!config.has(NUMBERED)) {
            settings.setAll(read("special_tokens_map.json"));
        }
        var tokens = new LinkedHashMap<String, AddedToken>();
        for (var name : NAMES) {
            if (settings.hasNonNull(name)) {
                tokens.put(name, specialToken(name, settings.get(name)));
            } else if (isGpt2 && NAMES.indexOf(name) < 3 && !settings.has(name)) {
                tokens.put(name, AddedToken.of(END_OF_TEXT, AddedToken.UNNUMBERED, true));
            }
        }
        for (var field : settings.properties()) {
            if (field.getKey().endsWith("_token") && field.getValue().isTextual()) { // of this model alone
                tokens.computeIfAbsent(field.getKey(), name -> specialToken(name, field.getValue()));
            }
        }
        for (var list : List.of("additional_special_tokens", "extra_special_tokens")) {
            for (var token : settings.path(list)) {
                tokens.put(list + tokens.size(), specialToken(list, token));
            }
        }
        return tokens;
    }

    private AddedToken specialToken(String name, JsonNode token) {
        return token.isTextual() ? AddedToken.of(token.textValue(), AddedToken.UNNUMBERED, true)
                : AddedToken.read(directory, name, token, AddedToken.UNNUMBERED).asSpecial();
    }

    /** Returns the tokens that have an id in a file, by id, then the special tokens that have not been added yet. */
    private Iterable<AddedToken> moreTokens() {
        var numbered = new TreeMap<Integer, AddedToken>();
        var names = special.values().stream().map(AddedToken::content).toList();
        if (config.has(NUMBERED)) {
            for (var field : config.get(NUMBERED).properties()) {
                int id = number(field.getKey());
                numbered.put(id, AddedToken.read(directory, CONFIG + ": " + NUMBERED, field.getValue(), id));
            }
        } else {
            TokenizerJson.ids(directory.resolve("added_tokens.json"), read("added_tokens.json")).forEach(
                    (content, id) -> numbered.put(id, AddedToken.of(content, id, names.contains(content))));
            json.stream().flatMap(file -> file.added().stream()).forEach(token -> numbered.put(token.id(), token));
        }
        var more = new LinkedHashMap<String, AddedToken>();
        numbered.values().forEach(
                token -> more.put(token.content(), names.contains(token.content()) ? token.asSpecial() : token));
        special.values().stream().filter(token -> !added.ids().containsKey(token.content()))
                .forEach(token -> more.putIfAbsent(token.content(), token));
        return more.values();
    }

    private int number(String id) {
        if (!id.matches("\\d{1,9}")) {
            throw new InvalidModelException("%s: %s: %s (expected: an id)"
                    .formatted(directory.resolve(CONFIG), NUMBERED, Shown.of(id)));
        }
        return Integer.parseInt(id);
    }

    private PreTokenizer readPreTokenizer() {
        var theirs = json.flatMap(TokenizerJson::preTokenizer);
        boolean normalizes = json.isPresent() && json.get().normalizes();
        if (isGpt2) {
            var own = new PreTokenizer(Digits.TOGETHER, config.path("add_prefix_space").asBoolean());
            if (json.isPresent() && (normalizes || !theirs.equals(Optional.of(own)))) {
                warnings.add(json.get().file() + ": normalizer and pre_tokenizer are left aside, as by transformers 5, "
                        + "because the tokenizer is a GPT2Tokenizer");
            }
            return own;
        }
        var file = json.orElseThrow();
        if (normalizes) {
            throw TokenizerJson.wrong(file.file(), "normalizer", file.json().path("normalizer"), "null");
        }
        return theirs.orElseThrow(() -> TokenizerJson.wrong(file.file(), "pre_tokenizer",
                file.json().path("pre_tokenizer"), "ByteLevel with its own pattern, Digits before it or not"));
    }

    private Frame readFrame() {
        return json.map(TokenizerJson::frame).orElseGet(
                () -> new Frame(around("add_bos_token", "bos_token"), around("add_eos_token", "eos_token")));
    }

    private List<Integer> around(String whether, String name) {
        return config.path(whether).asBoolean() && special.containsKey(name)
                ? List.of(added.ids().get(special.get(name).content()))
                : List.of();
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    AddedTokens added() {
        return added;
    }

    PreTokenizer preTokenizer() {
        return preTokenizer;
    }

    /** Returns the ids put before and after every text. */
    Frame frame() {
        return frame;
    }

    /** Returns warnings about the files for the user, if any. */
    List<String> warnings() {
        return List.copyOf(warnings);
    }
}
