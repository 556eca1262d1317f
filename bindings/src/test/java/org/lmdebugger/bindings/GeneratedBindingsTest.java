package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Generated files are as jextract left them, and the list of symbols is the one that made them. */
class GeneratedBindingsTest {
    private static final Path LISTS = Path.of("src/main/jextract");

    static List<String> libraries() throws IOException {
        try (var files = Files.list(LISTS)) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".includes"))
                    .map(name -> name.replace(".includes", "")).sorted().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("libraries")
    void generatedFilesMatchTheirChecksums(String library) throws Exception {
        var recorded = Files.readAllLines(LISTS.resolve(library + ".sha256")).stream()
                .filter(line -> !line.startsWith("#"))
                .collect(Collectors.toMap(line -> line.substring(66), line -> line.substring(0, 64)));
        assertThat(recorded).as("run: bindings/generate %s HEADER [-I DIRECTORY]...", library)
                .isEqualTo(actual(library));
    }

    /** One symbol a line, in order, and none that jextract left out because the header has no such thing. */
    @ParameterizedTest
    @MethodSource("libraries")
    void listsAreSortedAndEverySymbolIsBound(String library) throws Exception {
        var lines = Files.readAllLines(LISTS.resolve(library + ".includes"));
        assertThat(lines).isSorted().doesNotHaveDuplicates()
                .allMatch(line -> line.matches("--include-(constant|function|struct|typedef) \\w+"));
        var bound = Class.forName(generatedClass(library));
        for (var line : lines) {
            var symbol = line.split(" ")[1];
            if (line.matches("--include-(struct|typedef) .*")) {
                assertThat(Class.forName(bound.getPackageName() + "." + symbol)).isNotNull();
            } else {
                assertThat(Stream.of(bound.getMethods()).map(Method::getName)).contains(symbol);
            }
        }
    }

    private static String generatedClass(String library) throws IOException {
        try (var files = Files.list(Path.of("src/main/java/org/lmdebugger/bindings", library))) {
            var name = files.map(file -> file.getFileName().toString())
                    .filter(file -> !file.contains("$") && Character.isUpperCase(file.charAt(0))).findFirst();
            return "org.lmdebugger.bindings." + library + "." + name.orElseThrow().replace(".java", "");
        }
    }

    private static Map<String, String> actual(String library) throws IOException {
        try (var files = Files.list(Path.of("src/main/java/org/lmdebugger/bindings", library))) {
            return Stream.concat(files, Stream.of(LISTS.resolve(library + ".includes")))
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
