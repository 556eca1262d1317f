package org.lmdebugger.app.json;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.JsonGeneratorDelegate;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The form of all JSON that is printed, answered, kept in files and read. The keys of a record are its components, with
 * underscores: {@code top_k} of {@code topK}.
 */
public final class Json {
    /** Refuses fields that are unknown, and one that is there twice. */
    static final ObjectMapper STRICT = mapper(true);
    static final ObjectMapper LENIENT = mapper(false);

    /** JSON has no NaN and no infinity; Jackson would make texts of them, in places where readers expect numbers. */
    private static final class FiniteNumbers extends JsonGeneratorDelegate {
        FiniteNumbers(JsonGenerator generator) {
            super(generator, false);
        }

        @Override
        public void writeNumber(double value) throws IOException {
            if (Double.isFinite(value)) {
                super.writeNumber(value);
            } else {
                writeNull();
            }
        }

        @Override
        public void writeNumber(float value) throws IOException {
            if (Float.isFinite(value)) {
                super.writeNumber(value);
            } else {
                writeNull();
            }
        }
    }

    private Json() {
    }

    private static ObjectMapper mapper(boolean strict) {
        var streams = new JsonFactoryBuilder().addDecorator((factory, generator) -> new FiniteNumbers(generator))
                .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, strict)
                .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(64).build()).build();
        return JsonMapper.builder(streams)
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, strict)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .withCoercionConfigDefaults(all -> all.setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail))
                .withCoercionConfig(LogicalType.Textual, texts -> texts
                        .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                        .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                        .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
                .build();
    }

    /** Returns a JSON object with these fields, in this order. */
    public static Map<String, Object> object(Object... keysAndValues) {
        var json = new LinkedHashMap<String, Object>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            json.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        return json;
    }

    /** Reads any JSON. @throws JsonProcessingException if it is none. @throws IOException if it is no text */
    public static JsonNode tree(byte[] json) throws IOException {
        return LENIENT.readTree(json);
    }

    /** Returns {@code value} on one line; a number that is not finite is null. */
    public static String line(Object value) {
        return text(LENIENT.writer(), value);
    }

    /** Returns {@code value} on many lines; a number that is not finite is null. */
    public static String print(Object value) {
        return text(LENIENT.writerWithDefaultPrettyPrinter(), value);
    }

    private static String text(ObjectWriter writer, Object value) {
        try {
            return writer.writeValueAsString(value);
        } catch (JsonProcessingException failure) {
            throw new AssertionError("records, maps, lists, texts and numbers can be written", failure);
        }
    }
}
