package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.TestFiles;

/** Small tokenizers in the forms that people have, each called by what is odd about it. */
final class TokenizerCases {
    private static final List<String> MERGES = List.of("h e", "l l", "Ġ w", "o r", "he ll", "Ġw or", "l d", "hell o",
            "Ġwor ld", "Ġ t", "Ġt he", "a n", "Ġ a", "Ġ hello", "Ġ k", "i n", "Ġk in", "Ġkin g", "an d", "Ġ and");
    private static final String EOT = "<|endoftext|>";
    private static final String NAMED = "'bos_token': '<|endoftext|>', 'eos_token': '<|endoftext|>', "
            + "'unk_token': '<|endoftext|>'";
    private static final String BYTE_LEVEL = "{'type': 'ByteLevel', 'add_prefix_space': %s, 'trim_offsets': true, "
            + "'use_regex': true}";
    private static final String DIGITS = "{'type': 'Sequence', 'pretokenizers': [{'type': 'Digits', "
            + "'individual_digits': %s}, " + BYTE_LEVEL + "]}";
    private static final String MERGES_TXT = "merges.txt";
    private static final String TOKENIZER_JSON = "tokenizer.json";
    private static final String FAST = "'tokenizer_class': 'PreTrainedTokenizerFast'";
    private static final String PRE_TOKENIZER = "pre_tokenizer";

    private final Map<String, Map<String, String>> cases = new LinkedHashMap<>();
    private final ObjectNode vocabulary = vocabulary(MERGES, List.of(), List.of(EOT));
    private final int size = vocabulary.size();

    private TokenizerCases() {
        forms();
        spaces();
        ends();
        addedInJson();
        addedBeside();
        vocabularies();
        steps();
    }

    /** Files by their names, by the name of the case. */
    static Map<String, Map<String, String>> all() {
        return new TokenizerCases().cases;
    }

    static Path write(Path folder, Map<String, String> files) {
        files.forEach((name, text) -> TestFiles.write(folder.resolve(name), text));
        return folder;
    }

    /** Writes the cases below a folder, for expected.py beside the expected ids. */
    static void main(String[] arguments) {
        all().forEach((name, files) -> write(Path.of(arguments[0], name), files));
    }

    private void forms() {
        parts("parts", "");
        parts("parts-crlf", "").computeIfPresent(MERGES_TXT, (name, text) -> text.replace("\n", "\r\n"));
        parts("parts-no-header", "").put(MERGES_TXT, String.join("\n", MERGES));
        parts("parts-header-trained-by", "")
                .computeIfPresent(MERGES_TXT, (name, text) -> text.replace("0.2", "0.2 - Trained by `tokenizers`"));
        var gaps = TestTokenizers.JSON.createObjectNode();
        vocabulary.properties().forEach(token -> gaps.put(token.getKey(), 2 * token.getValue().intValue()));
        parts("parts-ids-with-gaps", gaps, MERGES, "");
        json("json", "");
        json("json-fast", FAST);
        var strings = json("json-strings", "");
        strings.computeIfPresent(TOKENIZER_JSON, (name, text) -> edit(text, json -> {
            var merges = json.withObject("model").putArray("merges");
            MERGES.forEach(merges::add);
        }));
        json("json-beside-older-parts", "").putAll(Map.of("vocab.json", vocabulary.toString(),
                MERGES_TXT, String.join("\n", MERGES.subList(0, 5))));
    }

    private void spaces() {
        json("prefix-json-fast", FAST, PRE_TOKENIZER, BYTE_LEVEL.formatted(true));
        json("prefix-json-gpt2", "", PRE_TOKENIZER, BYTE_LEVEL.formatted(true));
        json("prefix-json-no-config", null, PRE_TOKENIZER, BYTE_LEVEL.formatted(true));
        json("prefix-config-json", "'add_prefix_space': true");
        parts("prefix-config-parts", "'add_prefix_space': true");
        json("prefix-digits-fast", FAST, PRE_TOKENIZER, DIGITS.formatted(true, true));
    }

    /** Beginnings and ends of texts. */
    private void ends() {
        parts("bos-config-parts", "'add_bos_token': true, " + NAMED);
        json("bos-config-json", "'add_bos_token': true, " + NAMED);
        parts("eos-config-parts", "'add_eos_token': true");
        parts("bos-null", "'add_bos_token': true, 'bos_token': null");
        parts("bos-dictionary", "'add_bos_token': true, 'bos_token': {'__type': 'AddedToken', "
                + "'content': '<s>', 'lstrip': true, 'normalized': true, 'rstrip': false, 'single_word': false}");
        parts("bos-map", "'add_bos_token': true").put("special_tokens_map.json",
                quoted("{'bos_token': {'content': '<s>', 'lstrip': false, 'normalized': true, 'rstrip': false, "
                        + "'single_word': false}}"));
        var eot = "{'SpecialToken': {'id': '<|endoftext|>', 'type_id': 0}}";
        var template = ("{'type': 'TemplateProcessing', 'single': [%s, {'Sequence': {'id': 'A', 'type_id': 0}}, %s], "
                + "'pair': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}}], "
                + "'special_tokens': {'<|endoftext|>': {'id': '<|endoftext|>', 'ids': [%d], "
                + "'tokens': ['<|endoftext|>']}}}")
                        .formatted(eot, eot, size - 1);
        var before = template.replace(", " + eot + "]", "]");
        json("template-fast", FAST, "post_processor", before);
        json("template-gpt2", "", "post_processor", before);
        json("template-both-ends", "", "post_processor", template);
        json("template-in-sequence", "", "post_processor",
                "{'type': 'Sequence', 'processors': [" + BYTE_LEVEL.formatted(true) + ", " + before + "]}");
        json("template-saved-by-5", "'add_bos_token': true, 'backend': 'tokenizers', " + NAMED, "post_processor",
                before);
        json("roberta-processing", FAST, "post_processor", ("{'type': 'RobertaProcessing', "
                + "'sep': ['<|endoftext|>', %d], 'cls': ['!', 0], 'trim_offsets': true, "
                + "'add_prefix_space': false}").formatted(size - 1));
    }

    private void addedInJson() {
        json("pad", "'pad_token': '[PAD]', " + NAMED, added("[PAD]", size, true));
        json("added-words", "", added("<user>", size, false), added(" king and", size + 1, false));
        json("mask-lstrip", "", added("<mask>", size, true).put("lstrip", true));
        json("rstrip", "", added("<u>", size, true).put("rstrip", true), added("  x", size + 1, false));
        json("single-word", "", added("cat", size, false).put("single_word", true));
        json("overlap", "", added("ab", size, false).put("normalized", true), added("b<|x|>", size + 1, true),
                added("<|x|>", size + 2, true));
        json("split-special", "'split_special_tokens': true", added("<user>", size, false));
    }

    private void addedBeside() {
        parts("added-tokens-json", NAMED).putAll(Map.of(
                "added_tokens.json", quoted("{'<|user|>': %d, '<|pad|>': %d}".formatted(size + 1, size)),
                "special_tokens_map.json", quoted("{" + NAMED
                        + ", 'pad_token': '<|pad|>', 'additional_special_tokens': ['<|user|>']}")));
        var decoder = "'added_tokens_decoder': {'%d': %s, '%d': %s, '%d': %s}".formatted(
                size + 1, added("<|user|>", 0, true).without("id"), size, added("<|pad|>", 0, true).without("id"),
                size - 1, added(EOT, 0, true).without("id"));
        parts("added-tokens-decoder", "'pad_token': '<|pad|>', " + decoder);
        parts("added-named-in-config", "'user_token': '<|user|>', 'additional_special_tokens': ['<|pad|>']");
        var marks = List.of("<s>", "<pad>", "</s>", "<unk>", "<mask>");
        var first = vocabulary(MERGES, marks, List.of());
        var named = "'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'pad_token': '<pad>'";
        parts("first-unnamed", first, MERGES, "");
        parts("first-named", first, MERGES, named).put("special_tokens_map.json", quoted("{" + named + "}"));
        var json = json("first-json", FAST);
        json.computeIfPresent(TOKENIZER_JSON, (name, text) -> edit(text, node -> {
            node.withObject("model").set("vocab", first);
            var added = node.putArray("added_tokens");
            marks.forEach(mark -> added.add(added(mark, first.get(mark).intValue(), true)));
        }));
    }

    private void vocabularies() {
        var few = vocabulary(MERGES, List.of(), List.of(EOT));
        few.retain(Stream.concat("abcdefghijklmnopqrstuvwxyzĠ.,".chars().mapToObj(Character::toString),
                Stream.concat(MERGES.stream().map(merge -> merge.replace(" ", "")), Stream.of(EOT))).toList());
        var fewer = TestTokenizers.JSON.createObjectNode();
        few.fieldNames().forEachRemaining(token -> fewer.put(token, fewer.size()));
        parts("bytes-missing", fewer, MERGES, "");
        json("bytes-missing-fast", FAST, fewer, MERGES, "");
        json("bytes-unknown", FAST, fewer, MERGES, "'unk_token': '.'");
        json("bytes-unknown-fused", FAST, fewer, MERGES, "'unk_token': '.', 'fuse_unk': true");
        json("bytes-unknown-gpt2", "", fewer, MERGES, "'unk_token': '.'");
        var shuffled = TestTokenizers.JSON.createObjectNode();
        vocabulary.propertyStream().map(Map.Entry::getKey)
                .sorted(Comparator.<String>comparingInt(token -> token.length() % 3).thenComparing(token -> token))
                .forEach(token -> shuffled.put(token, shuffled.size()));
        parts("ids-not-in-merge-order", shuffled, MERGES, "");
        var two = List.of("h e", "l o", "he l", "hel lo", "l l", "he ll", "hell o");
        parts("two-merges-one-token", vocabulary(two, List.of(), List.of(EOT)), two, "");
        var pairs = List.of("b c", "a b", "ab c", "Ġ b");
        parts("pair-differs-from-joined", vocabulary(pairs, List.of(), List.of(EOT)), pairs, "");
        var again = new ArrayList<>(MERGES);
        again.addAll(List.of("h e", "he ll"));
        parts("merges-again", vocabulary, again, "");
        var more = vocabulary(MERGES, List.of(), List.of("unreachable", "Ġunreachable", EOT));
        parts("token-without-merge", more, MERGES, "");
        json("ignore-merges", FAST, more, MERGES, "'ignore_merges': true");
        json("ignore-merges-gpt2", "", more, MERGES, "'ignore_merges': true");
        json("dropout-gpt2", "", vocabulary, MERGES, "'dropout': 0.5");
    }

    /** What comes before the merges. */
    private void steps() {
        json("normalizer-empty", FAST, "normalizer", "{'type': 'Sequence', 'normalizers': []}");
        json("normalizer-gpt2", "", "normalizer", "{'type': 'Lowercase'}");
        json("no-regex-gpt2", "", PRE_TOKENIZER, BYTE_LEVEL.replace("true}", "false}").formatted(false));
        json("digits", FAST, PRE_TOKENIZER, DIGITS.formatted(true, false));
        json("digits-runs", FAST, PRE_TOKENIZER, DIGITS.formatted(false, false));
        json("digits-gpt2", "", PRE_TOKENIZER, DIGITS.formatted(true, false));
        json("sequence-of-one", FAST, PRE_TOKENIZER,
                "{'type': 'Sequence', 'pretokenizers': [%s]}".formatted(BYTE_LEVEL.formatted(false)));
        json("truncation", "", "truncation",
                "{'direction': 'Right', 'max_length': 3, 'strategy': 'LongestFirst', 'stride': 0}");
    }

    /** GPT-2's bytes in its order, and what merges make of them. */
    private static ObjectNode vocabulary(List<String> merges, List<String> first, List<String> last) {
        var ids = TestTokenizers.JSON.createObjectNode();
        var bytes = IntStream.range(0, 256).mapToObj(b -> ByteAlphabet.spell((byte) b)).sorted().toList();
        Stream.of(first, bytes, merges.stream().map(merge -> merge.replace(" ", "")).distinct().toList(), last)
                .forEach(tokens -> tokens.forEach(token -> ids.put(token, ids.size())));
        return ids;
    }

    private Map<String, String> parts(String name, String config) {
        return parts(name, vocabulary, MERGES, config);
    }

    private Map<String, String> parts(String name, ObjectNode vocabulary, List<String> merges, String config) {
        return files(name, config, Map.of("vocab.json", vocabulary.toString(),
                MERGES_TXT, "#version: 0.2\n" + String.join("\n", merges) + "\n"));
    }

    private Map<String, String> json(String name, String config, ObjectNode... added) {
        return json(name, config, vocabulary, MERGES, "", added);
    }

    private Map<String, String> json(String name, String config, String field, String value) {
        var files = json(name, config);
        files.computeIfPresent(TOKENIZER_JSON, (file, text) -> edit(text, json -> json.set(field, node(value))));
        return files;
    }

    private Map<String, String> json(String name, String config, ObjectNode vocabulary, List<String> merges,
            String model, ObjectNode... added) {
        var json = (ObjectNode) node("{'version': '1.0', 'truncation': null, 'padding': null, 'normalizer': null, "
                + "'post_processor': null}");
        var end = added(EOT, vocabulary.get(EOT).intValue(), true);
        json.putArray("added_tokens").add(end).addAll(Arrays.asList(added));
        json.set(PRE_TOKENIZER, node(BYTE_LEVEL.formatted(false)));
        json.set("decoder", node(BYTE_LEVEL.formatted(true)));
        var bpe = json.putObject("model").put("type", "BPE");
        bpe.set("vocab", vocabulary);
        bpe.set("merges", TestTokenizers.JSON.valueToTree(merges.stream().map(merge -> merge.split(" ")).toList()));
        bpe.setAll((ObjectNode) node("{" + model + "}"));
        return files(name, config, Map.of(TOKENIZER_JSON, json.toString()));
    }

    private Map<String, String> files(String name, String config, Map<String, String> tokenizer) {
        var files = new LinkedHashMap<>(tokenizer);
        files.put("config.json", "{\"model_type\": \"gpt2\"}");
        if (config != null) {
            files.put("tokenizer_config.json", node("{" + config + "}").toString());
        }
        cases.put(name, files);
        return files;
    }

    private static ObjectNode added(String content, int id, boolean special) {
        return ((ObjectNode) node("{'lstrip': false, 'rstrip': false, 'single_word': false, 'normalized': false}"))
                .put("content", content).put("id", id).put("special", special);
    }

    private static String edit(String json, Consumer<ObjectNode> change) {
        var node = (ObjectNode) node(json);
        change.accept(node);
        return node.toString();
    }

    private static String quoted(String json) {
        return json.replace('\'', '"');
    }

    private static JsonNode node(String json) {
        try {
            return TestTokenizers.JSON.readTree(json.startsWith("{\"") ? json : quoted(json));
        } catch (IOException failure) {
            throw new AssertionError(json, failure);
        }
    }
}
