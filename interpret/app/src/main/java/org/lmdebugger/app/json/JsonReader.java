package org.lmdebugger.app.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import java.io.IOException;
import java.util.stream.Collectors;
import org.lmdebugger.text.Shown;

/** A reader of records from JSON of others, such as the body of a request. Its exceptions name the mistake. */
public final class JsonReader {
    private JsonReader() {
    }

    /** Reads a {@code type}. @throws IllegalArgumentException naming the mistake, such as an unknown field */
    public static <T> T read(byte[] json, Class<T> type) {
        return read(Json.STRICT, json, type);
    }

    /** Reads a {@code type} and ignores unknown fields. @throws IllegalArgumentException naming the mistake */
    public static <T> T readKnown(byte[] json, Class<T> type) {
        return read(Json.LENIENT, json, type);
    }

    private static <T> T read(ObjectMapper mapper, byte[] json, Class<T> type) {
        try {
            checkValues(mapper, json);
            T value = mapper.readValue(json, type);
            if (value == null) {
                throw new IllegalArgumentException("body: null (expected: a JSON object)");
            }
            return value;
        } catch (JsonProcessingException failure) {
            throw new IllegalArgumentException(message(failure), failure);
        } catch (IOException failure) {
            throw new IllegalArgumentException("body: not text (expected: JSON in UTF-8)", failure);
        }
    }

    /** Refuses values that JSON can express and Java cannot process: half a character, a number beyond a double. */
    private static void checkValues(ObjectMapper mapper, byte[] json) throws IOException {
        try (var parser = mapper.createParser(json)) {
            for (JsonToken token; (token = parser.nextToken()) != null;) {
                boolean text = token == JsonToken.VALUE_STRING || token == JsonToken.FIELD_NAME;
                if (text && hasHalfACharacter(parser.getText())) {
                    throw new IllegalArgumentException(
                            "body: half of a surrogate pair in line %d (expected: whole characters)"
                                    .formatted(parser.currentTokenLocation().getLineNr()));
                }
                if (token == JsonToken.VALUE_NUMBER_FLOAT && Double.isInfinite(parser.getDoubleValue())) {
                    throw new IllegalArgumentException(
                            "body: a number in line %d is too large (expected: at most 1.8e308)"
                                    .formatted(parser.currentTokenLocation().getLineNr()));
                }
            }
        }
    }

    private static boolean hasHalfACharacter(String text) {
        return text.codePoints().anyMatch(point -> Character.getType(point) == Character.SURROGATE);
    }

    /** Returns a message without the text of the body, which may be anything. */
    private static String message(JsonProcessingException failure) {
        var at = failure instanceof JsonMappingException mapping ? mapping.getPath().stream()
                .map(step -> step.getFieldName() == null ? String.valueOf(step.getIndex()) : step.getFieldName())
                .collect(Collectors.joining(".")) : "";
        return switch (failure) {
            case UnrecognizedPropertyException unknown ->
                    "%s: unknown (expected: %s)".formatted(Shown.of(at), unknown.getKnownPropertyIds().stream()
                            .map(String::valueOf).sorted().collect(Collectors.joining(", ")));
            case MismatchedInputException mismatch when !at.isEmpty() ->
                    "%s: of another kind (expected: %s)".formatted(at,
                            mismatch.getTargetType() == null ? "what the API's description says"
                                    : kind(mismatch.getTargetType()));
            case InputCoercionException large ->
                    "%s: a number out of range (expected: %s)".formatted(at.isEmpty() ? "body" : at,
                            kind(large.getTargetType()));
            default -> "body: not JSON, or a key twice (expected: a JSON object" + (failure.getLocation() == null ? ")"
                    : "; see line %d, column %d)".formatted(failure.getLocation().getLineNr(),
                            failure.getLocation().getColumnNr()));
        };
    }

    private static String kind(Class<?> type) {
        if (type == String.class) {
            return "a text";
        } else if (type == boolean.class || type == Boolean.class) {
            return "true or false";
        } else if (type.isPrimitive() || Number.class.isAssignableFrom(type)) {
            return type == int.class || type == Integer.class || type == long.class || type == Long.class
                    ? "a whole number"
                    : "a number";
        }
        return Iterable.class.isAssignableFrom(type) ? "a list" : "an object";
    }
}
