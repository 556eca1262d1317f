package org.lmdebugger.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** JSON as a model's files hold it: one object in UTF-8, no name twice. */
public final class JsonFiles {
    private static final String BYTE_ORDER_MARK = "\uFEFF";
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES) // a vocabulary's 50,000 names come once each
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(100).maxNameLength(100_000).build())
                    .build())
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private JsonFiles() {
    }

    /** The object in {@code file}. @throws InvalidModelException if it is missing or something else */
    public static JsonNode read(Path file) {
        return parse(text(file), file);
    }

    /** The text of {@code file}, after a byte order mark. @throws InvalidModelException if it is missing or not UTF-8 */
    public static String text(Path file) {
        try (var arena = Arena.ofConfined()) {
            var text = utf8(LoadedFile.copy(file, arena).bytes().toArray(ValueLayout.JAVA_BYTE), file);
            return text.startsWith(BYTE_ORDER_MARK) ? text.substring(1) : text;
        }
    }

    /** The text that {@code bytes}, from {@code file}, encode; nothing is guessed or replaced. */
    static String utf8(byte[] bytes, Path file) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException failure) {
            throw new InvalidModelException(file + ": not a text in UTF-8; is the file damaged?", failure);
        }
    }

    /** The object in {@code text}, which came from {@code file}. */
    static JsonNode parse(String text, Path file) {
        try {
            var node = MAPPER.readTree(text);
            if (!node.isObject()) {
                throw new InvalidModelException(file + ": %s (expected: a JSON object)".formatted(node.getNodeType()));
            }
            return node;
        } catch (JsonProcessingException failure) {
            throw new InvalidModelException(file + ": not JSON: " + failure.getOriginalMessage(), failure);
        }
    }
}
