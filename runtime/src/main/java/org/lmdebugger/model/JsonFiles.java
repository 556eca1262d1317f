package org.lmdebugger.model;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** JSON as a model's files hold it: one object, no name twice. */
public final class JsonFiles {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    static {
        MAPPER.getFactory().setStreamReadConstraints(
                StreamReadConstraints.builder().maxNestingDepth(100).maxNameLength(100_000).build());
    }

    private JsonFiles() {
    }

    /** The object in {@code file}. @throws InvalidModelException if it is missing or something else */
    public static JsonNode read(Path file) {
        try {
            return parse(Files.readAllBytes(file), file);
        } catch (NoSuchFileException failure) {
            throw new InvalidModelException(file + ": missing (expected: a model's " + file.getFileName() + ")", failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }

    /** The object in {@code bytes}, which came from {@code file}. */
    static JsonNode parse(byte[] bytes, Path file) {
        try {
            var node = MAPPER.readTree(bytes);
            if (!node.isObject()) {
                throw new InvalidModelException(file + ": " + node.getNodeType() + " (expected: a JSON object)");
            }
            return node;
        } catch (JsonProcessingException failure) {
            throw new InvalidModelException(file + ": not JSON: " + failure.getOriginalMessage(), failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }
}
