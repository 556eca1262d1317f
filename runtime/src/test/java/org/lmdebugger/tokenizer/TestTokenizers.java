package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.lmdebugger.checkpoint.TestFiles;

/** Vocabularies that tests use: real ones, and one that is small enough to break by hand. */
public final class TestTokenizers {
    static final JsonMapper JSON = new JsonMapper();

    private TestTokenizers() {
    }

    static Path directory(String name) {
        return name.equals("sample") ? TestFiles.sample() : TestFiles.shared("models/" + name);
    }

    static Tokenizer read(String name) {
        return Tokenizer.read(directory(name), switch (name) {
            case "sample" -> 8192;
            case "tarot" -> 1000;
            default -> 50257;
        });
    }

    /** All bytes in order as ids 0 to 255, then {@code more} from 256 on. */
    public static ObjectNode vocabulary(String... more) {
        var ids = JSON.createObjectNode();
        for (int b = 0; b < 256; b++) {
            ids.put(ByteAlphabet.spell((byte) b), b);
        }
        for (var token : more) {
            ids.put(token, ids.size());
        }
        return ids;
    }

    public static Path write(Path folder, ObjectNode vocabulary, String... merges) {
        TestFiles.write(folder.resolve("vocab.json"), vocabulary.toString());
        TestFiles.write(folder.resolve("merges.txt"), "#version: 0.2\n" + String.join("\n", merges) + "\n");
        return folder;
    }

    /** A {@code tokenizer.json} whose merges are spelled {@code "a b"}, or {@code ["a","b"]} if {@code pairs}. */
    static ObjectNode tokenizerJson(Path directory, boolean pairs) {
        var files = new TokenizerFiles(directory);
        var json = JSON.createObjectNode().putNull("normalizer");
        json.putObject("pre_tokenizer").put("type", "ByteLevel").put("add_prefix_space", false);
        var added = json.putArray("added_tokens");
        files.added().ids().forEach((token, id) -> added.addObject().put("id", id).put("content", token)
                .put("lstrip", false).put("special", files.added().isSpecial(token)));
        var model = json.putObject("model").put("type", "BPE").putNull("unk_token")
                .put("continuing_subword_prefix", "");
        model.set("vocab", JSON.valueToTree(files.vocabulary().ids()));
        model.set("merges", JSON.valueToTree(files.vocabulary().merges().stream()
                .map(merge -> pairs ? new String[] {merge.left(), merge.right()} : merge.left() + " " + merge.right())
                .collect(Collectors.toList())));
        return json;
    }
}
