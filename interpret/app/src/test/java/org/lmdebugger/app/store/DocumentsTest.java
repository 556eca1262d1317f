package org.lmdebugger.app.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Documents of text, JSON lines and Parquet, and bad input. */
class DocumentsTest {
    @TempDir
    private Path folder;

    private Path file(String name, byte[] content) throws IOException {
        var file = folder.resolve(name);
        if (name.endsWith(".gz")) {
            try (var out = new GZIPOutputStream(Files.newOutputStream(file))) {
                out.write(content);
            }
        } else {
            Files.write(file, content);
        }
        return file;
    }

    private Path file(String name, String content) throws IOException {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    private static List<String> read(String field, Path... files) {
        try (var documents = Documents.read(List.of(files), field)) {
            return documents.toList();
        }
    }

    @Test
    void aSeparatorStandsBetweenTexts() throws IOException {
        assertThat(
                read("text", file("a.txt", "One.\nStill öne.\n<|endoftext|>\n\n<|endoftext|>Two.<|endoftext|>Three.")))
                        .containsExactly("One.\nStill öne.", "Two.", "Three.");
        assertThat(read("text", file("b.txt", "a whole\n\nfile\n"), file("c.txt.gz", "packed"), file("d", "")))
                .containsExactly("a whole\n\nfile", "packed");
    }

    @Test
    void aFieldOfEachLineIsADocument() throws IOException {
        var lines = "{\"id\": 1, \"body\": \"One.\\nTwo.\"}\n\n{\"body\": \"Drei: ß\"}";
        assertThat(read("body", file("a.jsonl", lines))).containsExactly("One.\nTwo.", "Drei: ß");
        assertThat(read("body", file("a.JSONL.gz", lines))).containsExactly("One.\nTwo.", "Drei: ß");
    }

    private Path parquet(String select) throws Exception {
        var file = folder.resolve("a[1].parquet");
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement()) {
            statement.execute("copy (%s) to '%s' (format parquet)".formatted(select, file));
        }
        return file;
    }

    @Test
    void aColumnHasTheDocuments() throws Exception {
        var file = parquet("select i, 'text ' || i as \"my text\" from range(3000) t(i) order by i");
        assertThat(read("my text", file)).hasSize(3000).startsWith("text 0", "text 1").endsWith("text 2999");
        assertThatThrownBy(() -> read("text", file)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("a[1].parquet: column text cannot be read").hasMessageContaining("my text");
        assertThatThrownBy(() -> read("i", file)).hasMessageContaining("row 1: i: not a text (expected: a text)");
        var withNull = parquet("select case when i < 2 then 'a' end as text from range(4) t(i) order by i");
        assertThatThrownBy(() -> read("text", withNull)).hasMessageContaining("row 3: text: null (expected: a text)");
        assertThatThrownBy(() -> read("text", file("b.parquet", "no parquet")))
                .hasMessageContaining("b.parquet: column");
    }

    private void assertWrong(Path file, String message) {
        assertThatThrownBy(() -> read("text", file)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage(file + ": " + message);
    }

    @Test
    void wrongInputIsNamedWithItsPlace() throws IOException {
        assertWrong(file("a.txt", new byte[] {'a', '\n', 'b', (byte) 0xff, 'c'}),
                "line 2: byte 0xff at place 2 of it (expected: UTF-8)");
        assertWrong(file("a.txt.gz", new byte[] {(byte) 0xc3}), "line 1: byte 0xc3 at place 1 of it (expected: UTF-8)");
        assertWrong(file("a.jsonl", "{\"text\": \"a\"}\n{\"body\": \"b\"}"),
                "line 2: text: missing (expected: an object with a text of this name; --field names another)");
        assertWrong(file("b.jsonl", "{\"text\": 3}"),
                "line 1: text: not a text (expected: an object with a text of this name; --field names another)");
        var damaged = file("c.jsonl", "{\"text\": \"a\"");
        assertThatThrownBy(() -> read("text", damaged)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("line 1: not JSON").hasMessageContaining("(expected: an object)");
        assertThatThrownBy(() -> read("text", folder.resolve("none.txt"))).hasMessageContaining("cannot be read");
    }
}
