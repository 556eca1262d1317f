package org.lmdebugger.app.server;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.javalin.http.Context;
import java.io.IOException;
import java.util.stream.Collectors;
import org.lmdebugger.interpret.Mode;
import org.lmdebugger.text.Shown;

/** Bodies of requests: JSON of bounded size and depth, read into records. */
final class Requests {
    private static final ObjectMapper STRICT = mapper(true);
    private static final ObjectMapper LENIENT = mapper(false);

    private static ObjectMapper mapper(boolean strict) {
        var parsers = new JsonFactoryBuilder().configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, strict)
                .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64).build()).build();
        return JsonMapper.builder(parsers)
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, strict)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS, DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .withCoercionConfigDefaults(all -> all.setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail))
                .withCoercionConfig(LogicalType.Textual, texts -> texts.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                        .setCoercion(CoercionInputShape.Float, CoercionAction.Fail).setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
                .build();
    }

    private static final long DRAINED = 16L * Limits.BODY; // bytes; of what is larger nothing is read

    private Requests() {
    }

    /** The body as a {@code type}. @throws Problem 400 naming what is wrong, 413 if it is too large */
    static <T> T read(Context context, Class<T> type) {
        return read(STRICT, context, type);
    }

    /** The same, where fields that are unknown are ignored. */
    static <T> T readKnown(Context context, Class<T> type) {
        return read(LENIENT, context, type);
    }

    private static <T> T read(ObjectMapper mapper, Context context, Class<T> type) {
        return parse(mapper, body(context), type);
    }

    /** JSON from elsewhere, read as strictly as a body. @throws Problem 400 naming what is wrong */
    static <T> T parse(byte[] json, Class<T> type) {
        return parse(STRICT, json, type);
    }

    private static <T> T parse(ObjectMapper mapper, byte[] body, Class<T> type) {
        try {
            checkValues(mapper, body);
            T value = mapper.readValue(body, type);
            if (value == null) {
                throw Problem.badRequest("body: null (expected: a JSON object)");
            }
            return value;
        } catch (JsonProcessingException failure) {
            throw Problem.badRequest(message(failure));
        } catch (IOException failure) {
            throw Problem.badRequest("body: not text (expected: JSON in UTF-8)");
        }
    }

    /** Refuses what JSON can say and nothing here can mean or hand on: half a character, a number beyond all numbers. */
    private static void checkValues(ObjectMapper mapper, byte[] body) throws IOException {
        try (var parser = mapper.createParser(body)) {
            for (JsonToken token; (token = parser.nextToken()) != null; ) {
                boolean text = token == JsonToken.VALUE_STRING || token == JsonToken.FIELD_NAME;
                if (text && hasHalfACharacter(parser.getText())) {
                    throw Problem.badRequest("body: half of a surrogate pair in line %d (expected: whole characters)"
                            .formatted(parser.currentTokenLocation().getLineNr()));
                }
                if (token == JsonToken.VALUE_NUMBER_FLOAT && Double.isInfinite(parser.getDoubleValue())) {
                    throw Problem.badRequest("body: a number in line %d is too large (expected: at most 1.8e308)"
                            .formatted(parser.currentTokenLocation().getLineNr()));
                }
            }
        }
    }

    private static boolean hasHalfACharacter(String text) {
        return text.codePoints().anyMatch(point -> Character.getType(point) == Character.SURROGATE);
    }

    private static byte[] body(Context context) {
        try {
            if (context.req().getContentLengthLong() <= DRAINED) {
                var input = context.req().getInputStream();
                var bytes = input.readNBytes(Limits.BODY + 1);
                if (bytes.length <= Limits.BODY) {
                    return bytes;
                }
                input.skip(DRAINED); // else who still sends would see a connection that broke, and no answer
            }
        } catch (IOException failure) {
            throw Problem.badRequest("body: it ended early");
        }
        context.header("Connection", "close"); // what is left of the body is not read
        throw new Problem(413, "Too large", "body: larger than %,d bytes (expected: at most that)".formatted(Limits.BODY));
    }

    /** Without the text of the body, which may be anything. */
    private static String message(JsonProcessingException failure) {
        var at = failure instanceof JsonMappingException mapping ? mapping.getPath().stream()
                .map(step -> step.getFieldName() == null ? String.valueOf(step.getIndex()) : step.getFieldName())
                .collect(Collectors.joining(".")) : "";
        return switch (failure) {
            case UnrecognizedPropertyException unknown -> "%s: unknown (expected: %s)".formatted(Shown.of(at), unknown.getKnownPropertyIds().stream()
                    .map(String::valueOf).sorted().collect(Collectors.joining(", ")));
            case MismatchedInputException mismatch when !at.isEmpty() -> "%s: of another kind (expected: %s)".formatted(at,
                    mismatch.getTargetType() == null ? "what the API's description says" : kind(mismatch.getTargetType()));
            case InputCoercionException large -> "%s: a number out of range (expected: %s)".formatted(at.isEmpty() ? "body" : at,
                    kind(large.getTargetType()));
            default -> "body: not JSON, or a key twice (expected: a JSON object" + (failure.getLocation() == null ? ")"
                    : "; see line %d, column %d)".formatted(failure.getLocation().getLineNr(), failure.getLocation().getColumnNr()));
        };
    }

    private static String kind(Class<?> type) {
        if (type == String.class) {
            return "a text";
        } else if (type == boolean.class || type == Boolean.class) {
            return "true or false";
        } else if (type.isPrimitive() || Number.class.isAssignableFrom(type)) {
            return type == int.class || type == Integer.class || type == long.class || type == Long.class ? "a whole number" : "a number";
        }
        return Iterable.class.isAssignableFrom(type) ? "a list" : "an object";
    }

    /** A number from 1 on in the query; {@code otherwise} where there is none. */
    static int number(Context context, String name, int otherwise, int most) {
        var text = context.queryParam(name);
        if (text == null) {
            return otherwise;
        }
        if (!text.matches("\\d{1,9}")) {
            throw Problem.badRequest("%s: not a number (expected: 1 to %d)".formatted(name, most));
        }
        Limits.check(name, Integer.parseInt(text), 1, most);
        return Integer.parseInt(text);
    }

    /** Whether the query says {@code true} to {@code name}; without it, no. */
    static boolean flag(Context context, String name) {
        return switch (context.queryParam(name)) {
            case null -> false;
            case "false" -> false;
            case "true" -> true;
            default -> throw Problem.badRequest(name + ": of another kind (expected: true or false)");
        };
    }

    /** The mode of that name; exact edits where there is none. */
    static Mode mode(String name) {
        return switch (name) {
            case null -> Mode.EXACT;
            case "exact" -> Mode.EXACT;
            case "lm-debugger" -> Mode.LM_DEBUGGER;
            default -> throw Problem.badRequest("mode: of another kind (expected: exact or lm-debugger)");
        };
    }
}
