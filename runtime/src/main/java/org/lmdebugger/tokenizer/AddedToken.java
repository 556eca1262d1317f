package org.lmdebugger.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.lmdebugger.checkpoint.InvalidModelException;

/**
 * An added token: it is matched literally wherever it occurs in a text, and no merge makes it.
 *
 * @param id         its id in a file, or {@link #UNNUMBERED}
 * @param special    whether it is a control token and no text
 * @param normalized whether it is matched after those that are not, in the text between them
 * @param leftStrip  whether it includes the white space before it
 * @param rightStrip whether it includes the white space after it
 * @param singleWord whether it is matched only where no letter, digit or underscore is beside it
 */
record AddedToken(String content, int id, boolean special, boolean normalized, boolean leftStrip, boolean rightStrip,
        boolean singleWord) {
    static final int UNNUMBERED = -1;

    /** Returns a token that includes no white space; special ones are matched first. */
    static AddedToken of(String content, int id, boolean special) {
        return new AddedToken(content, id, special, !special, false, false, false);
    }

    /**
     * Returns the token described by {@code json}, of {@code file}.
     *
     * @throws InvalidModelException if it has no content
     */
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
