package org.lmdebugger.app.json;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.lmdebugger.text.Shown;

/**
 * A reader of records from JSON of others, such as the body of a request or a line of a file. Its exceptions name the
 * mistake.
 */
public final class JsonReader {
    private static final JsonReader STRICT = new JsonReader(Json.STRICT, false);
    private static final JsonReader LENIENT = new JsonReader(Json.LENIENT, false);
    private static final JsonReader LINE = new JsonReader(Json.STRICT, true);

    private final ObjectMapper mapper;
    private final boolean line;
    private final String subject;

    /** @param line whether JSON is a line, whose file and number the caller names, and not a body */
    private JsonReader(ObjectMapper mapper, boolean line) {
        this.mapper = mapper;
        this.line = line;
        subject = line ? "" : "body: ";
    }

    /** Reads a {@code type}. @throws IllegalArgumentException naming the mistake, such as an unknown field */
    public static <T> T read(byte[] json, Class<T> type) {
        return STRICT.value(json, type);
    }

    /** Reads a {@code type} and ignores unknown fields. @throws IllegalArgumentException naming the mistake */
    public static <T> T readKnown(byte[] json, Class<T> type) {
        return LENIENT.value(json, type);
    }

    /** Reads a {@code type}, a record, from a line. @throws IllegalArgumentException naming the mistake, but not the line */
    public static <T> T readLine(String line, Class<T> type) {
        return LINE.value(line.getBytes(StandardCharsets.UTF_8), type);
    }

    private <T> T value(byte[] json, Class<T> type) {
        try {
            checkValues(json);
            T value = mapper.readValue(json, type);
            if (value == null) {
                throw new IllegalArgumentException("%snull (expected: %s)".formatted(subject, object(type)));
            }
            return value;
        } catch (JsonProcessingException failure) {
            throw new IllegalArgumentException(message(failure, type), failure);
        } catch (IOException failure) {
            throw new IllegalArgumentException(subject + "not text (expected: JSON in UTF-8)", failure);
        }
    }

    /** Refuses values that JSON can express and Java cannot process: half a character, a number beyond a double. */
    private void checkValues(byte[] json) throws IOException {
        try (var parser = mapper.createParser(json)) {
            for (JsonToken token; (token = parser.nextToken()) != null;) {
                boolean text = token == JsonToken.VALUE_STRING || token == JsonToken.FIELD_NAME;
                if (text && hasHalfACharacter(parser.getText())) {
                    throw new IllegalArgumentException(
                            "%shalf of a surrogate pair (expected: whole characters; see %s)"
                                    .formatted(subject, place(parser.currentTokenLocation())));
                }
                if (token == JsonToken.VALUE_NUMBER_FLOAT && Double.isInfinite(parser.getDoubleValue())) {
                    throw new IllegalArgumentException(
                            "%sa number that is too large (expected: at most 1.8e308; see %s)"
                                    .formatted(subject, place(parser.currentTokenLocation())));
                }
            }
        }
    }

    private String place(JsonLocation location) {
        var column = "column " + location.getColumnNr();
        return line ? column : "line %d, %s".formatted(location.getLineNr(), column);
    }

    private String object(Class<?> type) {
        return "a JSON object" + (line ? Arrays.stream(type.getRecordComponents()).map(RecordComponent::getName)
                .collect(Collectors.joining(", ", " of ", "")) : "");
    }

    private static boolean hasHalfACharacter(String text) {
        return text.codePoints().anyMatch(point -> Character.getType(point) == Character.SURROGATE);
    }

    /** Returns a message without the text of the body, which may be anything. */
    private String message(JsonProcessingException failure, Class<?> type) {
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
                    "%sa number out of range (expected: %s)".formatted(at.isEmpty() ? subject : at + ": ",
                            kind(large.getTargetType()));
            default -> "%snot JSON, or a key twice (expected: %s%s)".formatted(subject, object(type),
                    failure.getLocation() == null ? "" : "; see " + place(failure.getLocation()));
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
