package org.lmdebugger.app;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.JsonGeneratorDelegate;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;

/** What commands print with {@code --json}. */
public final class Json {
    private static final ObjectMapper LINE = new ObjectMapper(new JsonFactoryBuilder()
            .addDecorator((factory, generator) -> new FiniteNumbers(generator)).build());
    private static final ObjectMapper LINES = LINE.copy().enable(SerializationFeature.INDENT_OUTPUT);

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

    /** On one line; null for a number that is none. */
    public static String line(Object value) {
        try {
            return LINE.writeValueAsString(value);
        } catch (JsonProcessingException failure) {
            throw new AssertionError("maps, lists, strings and numbers can be written", failure);
        }
    }

    /** On many lines; null for a number that is none. */
    public static String print(Object value) {
        try {
            return LINES.writeValueAsString(value);
        } catch (JsonProcessingException failure) {
            throw new AssertionError("maps, lists, strings and numbers can be written", failure);
        }
    }
}
