package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.PreTokenizer.Digits;
import org.lmdebugger.tokenizer.Vocabulary.Merge;

/** A {@code tokenizer.json} of Hugging Face's tokenizers library, as far as it describes a byte-level BPE. */
record TokenizerJson(Path file, JsonNode json) {
    /** The ids put before and after those of every text. */
    record Frame(List<Integer> before, List<Integer> after) {
        static final Frame NONE = new Frame(List.of(), List.of());
    }

    static TokenizerJson read(Path file) {
        return new TokenizerJson(file, JsonFiles.read(file));
    }

    /**
     * Returns vocabulary and merges.
     *
     * @param options whether the other options of the file's model are used
     * @throws InvalidModelException if the model is no byte-level BPE
     */
    Vocabulary vocabulary(boolean options) {
        var model = json.path("model");
        require("model.type", model.path("type"), model.path("type").asText("BPE").equals("BPE"), "BPE");
        require("model.merges", model.path("merges"), model.path("merges").isArray(), "an array");
        var ids = ids(file, model.path("vocab"));
        var merges = merges(model.path("merges"));
        if (!options) {
            return new Vocabulary(file, ids, merges, null, false, false);
        }
        for (var affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
            require("model." + affix, model.path(affix), model.path(affix).asText("").matches("|null"), "none");
        }
        require("model.byte_fallback", model.path("byte_fallback"), !model.path("byte_fallback").asBoolean(), "false");
        require("model.dropout", model.path("dropout"), model.path("dropout").asDouble() == 0, "none");
        return new Vocabulary(file, ids, merges, model.path("unk_token").textValue(),
                model.path("fuse_unk").asBoolean(), model.path("ignore_merges").asBoolean());
    }

    /** Returns the tokens of a JSON object and their ids. */
    static Map<String, Integer> ids(Path file, JsonNode vocab) {
        var ids = new HashMap<String, Integer>();
        for (var field : vocab.properties()) {
            ids.put(field.getKey(), id(file, field.getKey(), field.getValue()));
        }
        return ids;
    }

    static int id(Path file, String token, JsonNode id) {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
            throw wrong(file, token, id, "an id");
        }
        return id.intValue();
    }

    /** Reads merges in either form: {@code "a b"} or {@code ["a", "b"]}. */
    private List<Merge> merges(JsonNode array) {
        var merges = new ArrayList<Merge>(array.size());
        for (var merge : array) {
            boolean pair = merge.size() == 2 && merge.path(0).isTextual() && merge.path(1).isTextual();
            require("model.merges", merge, merge.isTextual() || pair, "two tokens");
            merges.add(pair ? new Merge(merge.path(0).textValue(), merge.path(1).textValue())
                    : Merge.parse(file, merge.textValue()));
        }
        return merges;
    }

    List<AddedToken> added() {
        return json.path("added_tokens").valueStream().map(token -> AddedToken.read(file, "added_tokens", token,
                id(file, "added_tokens: " + token.path("content"), token.path("id")))).toList();
    }

    /** Returns whether the text is normalized before it is split. */
    boolean normalizes() {
        return json.hasNonNull("normalizer")
                && steps(json.path("normalizer"), "normalizers").findAny().isPresent();
    }

    /** Returns how the text is split; empty if that way is not supported. */
    Optional<PreTokenizer> preTokenizer() {
        var steps = steps(json.path("pre_tokenizer"), "pretokenizers").toList();
        var digits = Digits.TOGETHER;
        for (int i = 0; i < steps.size(); i++) {
            var step = steps.get(i);
            var type = step.path("type").asText();
            if (type.equals("ByteLevel") && i == steps.size() - 1 && step.path("use_regex").asBoolean(true)) {
                return Optional.of(new PreTokenizer(digits, step.path("add_prefix_space").asBoolean()));
            } else if (!type.equals("Digits")) {
                return Optional.empty();
            } else if (digits != Digits.SINGLE) {
                digits = step.path("individual_digits").asBoolean() ? Digits.SINGLE : Digits.RUNS;
            }
        }
        return Optional.empty();
    }

    /** Returns the step itself, or those of a sequence, which may be nested. */
    private static Stream<JsonNode> steps(JsonNode step, String name) {
        return step.path("type").asText().equals("Sequence")
                ? step.path(name).valueStream().flatMap(inner -> steps(inner, name))
                : Stream.of(step);
    }

    /**
     * Returns the ids put around a text by the post-processor.
     *
     * @throws InvalidModelException if it does more
     */
    Frame frame() {
        var before = new ArrayList<Integer>();
        var after = new ArrayList<Integer>();
        for (var step : steps(json.path("post_processor"), "processors").toList()) {
            var frame = switch (step.path("type").asText()) {
                case "", "ByteLevel" -> Frame.NONE; // none at all, or one that changes offsets only
                case "TemplateProcessing" -> template(step);
                case "BertProcessing", "RobertaProcessing" -> new Frame(
                        List.of(id(file, "post_processor.cls", step.path("cls").path(1))),
                        List.of(id(file, "post_processor.sep", step.path("sep").path(1))));
                default -> throw wrong(file, "post_processor", step, "ByteLevel or TemplateProcessing");
            };
            before.addAll(0, frame.before());
            after.addAll(frame.after());
        }
        return new Frame(before, after);
    }

    private Frame template(JsonNode step) {
        var before = new ArrayList<Integer>();
        var after = new ArrayList<Integer>();
        int texts = 0;
        for (var part : step.path("single")) {
            if (part.has("Sequence")) {
                texts++;
                continue;
            }
            var name = part.path("SpecialToken").path("id").asText();
            for (var id : step.path("special_tokens").path(name).path("ids")) {
                (texts == 0 ? before : after).add(id(file, "post_processor: " + name, id));
            }
        }
        require("post_processor.single", step.path("single"), texts == 1, "one Sequence");
        return new Frame(before, after);
    }

    private void require(String what, JsonNode found, boolean good, String expected) {
        if (!good) {
            throw wrong(file, what, found, expected);
        }
    }

    static InvalidModelException wrong(Path file, String what, JsonNode found, String expected) {
        return new InvalidModelException("%s: %s: %s (expected: %s)"
                .formatted(file, what, found.isMissingNode() ? "missing" : Shown.of(found), expected));
    }
}
