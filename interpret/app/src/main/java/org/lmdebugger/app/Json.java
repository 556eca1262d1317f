package org.lmdebugger.app;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;

/** What commands print with {@code --json}. */
public final class Json {
    private static final ObjectMapper MAPPER = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private static final ObjectMapper LINE = new ObjectMapper();

    private Json() {
    }

    /** On one line. */
    public static String line(Object value) {
        try {
            return LINE.writeValueAsString(value);
        } catch (JsonProcessingException failure) {
            throw new AssertionError("maps, lists, strings and numbers can be written", failure);
        }
    }

    public static String print(Object value) {
        try {
            return MAPPER.writeValueAsString(value);
        } catch (JsonProcessingException failure) {
            throw new AssertionError("maps, lists, strings and numbers can be written", failure);
        }
    }
}
