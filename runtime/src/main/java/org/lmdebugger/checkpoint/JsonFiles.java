package org.lmdebugger.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A reader of a model's JSON files: one object in UTF-8; of a repeated name the last counts, as in Python. */
public final class JsonFiles {
    private static final String BYTE_ORDER_MARK = "\uFEFF";
    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES) // 50,000 names, each once
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(100).maxNameLength(100_000).build())
            .build())
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private static final ObjectReader LENIENT = MAPPER.reader();
    private static final ObjectReader STRICT = LENIENT.with(StreamReadFeature.STRICT_DUPLICATE_DETECTION);

    private JsonFiles() {
    }

    /**
     * Returns the object in {@code file}.
     *
     * @throws InvalidModelException if it is missing or something else
     */
    public static JsonNode read(Path file) {
        return parse(LENIENT, text(file), file);
    }

    /**
     * Returns the text of {@code file}, without a byte order mark.
     *
     * @throws InvalidModelException if it is missing or not UTF-8
     */
    public static String text(Path file) {
        try (var arena = Arena.ofConfined()) {
            var text = utf8(LoadedFile.copy(file, arena).bytes().toArray(ValueLayout.JAVA_BYTE), file);
            return text.startsWith(BYTE_ORDER_MARK) ? text.substring(1) : text;
        }
    }

    /** Returns the text of {@code bytes} in UTF-8, from {@code file}; invalid bytes are refused, not replaced. */
    static String utf8(byte[] bytes, Path file) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException failure) {
            throw new InvalidModelException(file + ": not a text in UTF-8; is the file damaged?", failure);
        }
    }

    /** Returns the object in {@code text}, from {@code file}; a repeated name is refused. */
    static JsonNode strict(String text, Path file) {
        return parse(STRICT, text, file);
    }

    private static JsonNode parse(ObjectReader reader, String text, Path file) {
        try {
            var node = reader.readTree(text);
            if (!node.isObject()) {
                throw new InvalidModelException(file + ": %s (expected: a JSON object)".formatted(node.getNodeType()));
            }
            return node;
        } catch (JsonProcessingException failure) {
            throw new InvalidModelException(file + ": not JSON: " + failure.getOriginalMessage(), failure);
        }
    }
}
