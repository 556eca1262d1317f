package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.lmdebugger.checkpoint.InvalidModelException;

/**
 * A token that stands for itself wherever a text has it, and that no merge makes.
 *
 * @param id         the id that a file names, or {@link #UNNUMBERED}
 * @param special    a sign and no text
 * @param normalized found after those that are not, in what they leave
 * @param leftStrip  takes the white space before it
 * @param rightStrip takes the white space after it
 * @param singleWord found only where no letter, digit or underscore is beside it
 */
record AddedToken(String content, int id, boolean special, boolean normalized, boolean leftStrip, boolean rightStrip,
                  boolean singleWord) {
    static final int UNNUMBERED = -1;

    /** One that takes no white space; those that are special are found first. */
    static AddedToken of(String content, int id, boolean special) {
        return new AddedToken(content, id, special, !special, false, false, false);
    }

    /** The token that {@code json}, of {@code file}, describes. @throws InvalidModelException if it has no content */
    static AddedToken read(Path file, String what, JsonNode json, int id) {
        var content = json.path("content");
        if (!content.isTextual() || content.textValue().isEmpty()) {
            throw TokenizerJson.wrong(file, what, json, "a token with its content");
        }
        boolean special = json.path("special").asBoolean();
        return new AddedToken(content.textValue(), id, special, json.path("normalized").asBoolean(!special),
                json.path("lstrip").asBoolean(), json.path("rstrip").asBoolean(), json.path("single_word").asBoolean());
    }

    AddedToken asSpecial() {
        return new AddedToken(content, id, true, normalized, leftStrip, rightStrip, singleWord);
    }
}
