package org.lmdebugger.app;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.lmdebugger.files.AtomicFile;

/**
 * The results of a sweep as a directory: {@code manifest.json}, which says what they are results of, and a Parquet
 * file for each chunk of the plan, written whole or not at all. What is there after an interruption is not done again.
 */
final class SweepDirectory {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Path directory;

    private SweepDirectory(Path directory) {
        this.directory = directory;
    }

    /**
     * Makes the directory, or finds it as an interrupted sweep left it.
     *
     * @throws IllegalArgumentException if it holds results and {@code resume} is false, or results of something else
     */
    static SweepDirectory open(Path directory, Map<String, Object> manifest, boolean resume) {
        var file = directory.resolve("manifest.json");
        try {
            Files.createDirectories(directory);
            if (!Files.exists(file)) {
                if (hasFiles(directory)) {
                    throw new IllegalArgumentException(directory + ": not empty, and without manifest.json (expected: a new directory)");
                }
                AtomicFile.write(file, Json.print(manifest).getBytes(StandardCharsets.UTF_8));
            } else if (!resume) {
                throw new IllegalArgumentException(directory + ": holds results (expected: a new directory, or --resume to go on)");
            } else {
                check(file, MAPPER.readTree(Files.readString(file)), MAPPER.readTree(MAPPER.writeValueAsString(manifest)));
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be used", failure);
        }
        return new SweepDirectory(directory);
    }

    private static boolean hasFiles(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            return files.anyMatch(file -> !file.getFileName().toString().equals(".manifest.json.part"));
        }
    }

    private static void check(Path file, JsonNode found, JsonNode expected) {
        expected.properties().forEach(field -> {
            var other = found.path(field.getKey());
            if (!other.equals(field.getValue())) {
                throw new IllegalArgumentException(("%s: %s is %s (expected: %s; results of another sweep are not mixed, "
                        + "use another directory)").formatted(file, field.getKey(), shortly(other), shortly(field.getValue())));
            }
        });
    }

    private static String shortly(JsonNode value) {
        return Text.fit(value.toString(), 60).strip();
    }

    Path part(int chunk) {
        return directory.resolve("part-%06d.parquet".formatted(chunk));
    }

    /** Number of the first chunk that is not there. */
    int firstMissing() {
        int chunk = 0;
        while (Files.exists(part(chunk))) {
            chunk++;
        }
        return chunk;
    }
}
