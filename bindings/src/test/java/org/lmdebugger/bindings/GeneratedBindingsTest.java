package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generated files are as jextract left them, and the list of symbols is the one that made them. */
class GeneratedBindingsTest {
    @ParameterizedTest
    @ValueSource(strings = "cblas")
    void generatedFilesMatchTheirChecksums(String library) throws Exception {
        var recorded = Files.readAllLines(Path.of("src/main/jextract", library + ".sha256")).stream()
                .filter(line -> !line.startsWith("#"))
                .collect(Collectors.toMap(line -> line.substring(66), line -> line.substring(0, 64)));
        assertThat(recorded).as("run: bindings/generate %s HEADER", library).isEqualTo(actual(library));
    }

    private static Map<String, String> actual(String library) throws IOException {
        try (var files = Files.list(Path.of("src/main/java/org/lmdebugger/bindings", library))) {
            return Stream.concat(files, Stream.of(Path.of("src/main/jextract", library + ".includes")))
                    .collect(Collectors.toMap(Path::toString, GeneratedBindingsTest::sha256));
        }
    }

    private static String sha256(Path file) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
        } catch (Exception failure) {
            throw new AssertionError(file.toString(), failure);
        }
    }
}
