package org.lmdebugger.app.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.text.Shown;

/**
 * Readers of documents, one after the other: of a text file, in which {@value #SEPARATOR} stands between documents; of a
 * field of each line's JSON object, in a file that ends in {@code .jsonl}; of a column, in one that ends in
 * {@code .parquet}. Text and JSON lines are UTF-8, and may be compressed ({@code .gz}).
 */
public final class Documents {
    /** The text between two documents. */
    public static final String SEPARATOR = "<|endoftext|>";

    private Documents() {
    }

    /**
     * Returns the documents of files, in order; the caller closes the stream.
     *
     * @param field the field or column of a document's text
     * @throws IllegalArgumentException when it is read: naming file and line or row, if the text is not UTF-8, is no
     *                                  JSON, or lacks the field
     * @throws UncheckedIOException     if a file cannot be read
     */
    public static Stream<String> read(List<Path> files, String field) {
        return files.stream().flatMap(file -> read(file, field));
    }

    private static Stream<String> read(Path file, String field) {
        var name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".parquet")) {
            return stream(new Column(file, field));
        }
        var lines = new Lines(file, open(file, name.endsWith(".gz")));
        return name.matches(".*\\.jsonl(\\.gz)?") ? stream(new JsonLines(lines, field)) : stream(new Texts(lines));
    }

    private static InputStream open(Path file, boolean compressed) {
        try {
            var bytes = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
            return compressed ? new BufferedInputStream(new GZIPInputStream(bytes), 1 << 16) : bytes;
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }

    /** Returns the documents of a text. @param name of it, in messages */
    static Stream<String> texts(Path name, InputStream text) {
        return stream(new Texts(new Lines(name, text)));
    }

    private static Stream<String> stream(Source source) {
        return StreamSupport.stream(Spliterators.spliteratorUnknownSize(source, Spliterator.ORDERED), false)
                .onClose(source::close);
    }

    /** Documents, of which the next is read ahead; null after the last. */
    private abstract static class Source implements Iterator<String> {
        private String next;
        private boolean ahead;

        abstract String read();

        abstract void close();

        @Override
        public boolean hasNext() {
            if (!ahead) {
                next = read();
                ahead = true;
            }
            return next != null;
        }

        @Override
        public String next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            ahead = false;
            return next;
        }
    }

    /** Lines of UTF-8, with their ends. */
    private static final class Lines {
        private final Path file;
        private final InputStream bytes;
        private long number;

        Lines(Path file, InputStream bytes) {
            this.file = file;
            this.bytes = bytes;
        }

        /** Returns the next line; null after the last. */
        String next() {
            var line = new ByteArrayOutputStream();
            try {
                for (int b = bytes.read(); b >= 0; b = bytes.read()) {
                    line.write(b);
                    if (b == '\n') {
                        break;
                    }
                }
            } catch (IOException failure) {
                throw new UncheckedIOException(file + ": cannot be read", failure);
            }
            number++;
            return line.size() == 0 ? null : decoded(ByteBuffer.wrap(line.toByteArray()));
        }

        private String decoded(ByteBuffer line) {
            try {
                return StandardCharsets.UTF_8.newDecoder().decode(line).toString();
            } catch (CharacterCodingException failure) { // the buffer stands before the first wrong byte
                throw wrong("byte 0x%02x at place %d of it (expected: UTF-8)"
                        .formatted(line.get(line.position()) & 0xff, line.position() + 1), failure);
            }
        }

        IllegalArgumentException wrong(String what, Exception cause) {
            return new IllegalArgumentException("%s: line %d: %s".formatted(file, number, what), cause);
        }

        void close() {
            try {
                bytes.close();
            } catch (IOException failure) {
                throw new UncheckedIOException(file + ": cannot be closed", failure);
            }
        }
    }

    /** The documents of a text, without the white space around them. */
    private static final class Texts extends Source {
        private final Lines lines;
        private String rest = ""; // of a line, after a separator
        private boolean ended;

        Texts(Lines lines) {
            this.lines = lines;
        }

        @Override
        String read() {
            var document = new StringBuilder();
            while (!ended) {
                int separator = rest.indexOf(SEPARATOR);
                if (separator >= 0) {
                    document.append(rest, 0, separator);
                    rest = rest.substring(separator + SEPARATOR.length());
                    if (!document.toString().isBlank()) {
                        return document.toString().strip();
                    }
                    document.setLength(0);
                } else {
                    document.append(rest);
                    rest = lines.next();
                    ended = rest == null;
                }
            }
            return document.toString().isBlank() ? null : document.toString().strip();
        }

        @Override
        void close() {
            lines.close();
        }
    }

    /** A field of JSON objects, one on each line that is not blank. */
    private static final class JsonLines extends Source {
        private final Lines lines;
        private final String field;

        JsonLines(Lines lines, String field) {
            this.lines = lines;
            this.field = field;
        }

        @Override
        String read() {
            for (var line = lines.next(); line != null; line = lines.next()) {
                if (!line.isBlank()) {
                    return text(line);
                }
            }
            return null;
        }

        private String text(String line) {
            try {
                var text = Json.tree(line.getBytes(StandardCharsets.UTF_8)).path(field);
                if (!text.isTextual()) {
                    throw lines.wrong("%s: %s (expected: an object with a text of this name; --field names another)"
                            .formatted(Shown.of(field), text.isMissingNode() ? "missing" : "not a text"), null);
                }
                return text.textValue();
            } catch (JsonProcessingException failure) {
                throw lines.wrong("not JSON: " + Shown.of(failure.getOriginalMessage()) + " (expected: an object)",
                        failure);
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }

        @Override
        void close() {
            lines.close();
        }
    }

    /** A column of a Parquet file, read by DuckDB. */
    private static final class Column extends Source {
        private final Path file;
        private final String field;
        private final Connection database;
        private final ResultSet rows;
        private long number;

        Column(Path file, String field) {
            this.file = file;
            this.field = field;
            if (!Files.exists(file)) {
                throw new IllegalArgumentException(file + ": not there (expected: a file)");
            }
            try {
                database = DriverManager.getConnection("jdbc:duckdb:");
                rows = database.createStatement().executeQuery("select \"%s\" from %s"
                        .formatted(field.replace("\"", "\"\""), EffectFormat.PARQUET.table(List.of(file))));
            } catch (SQLException failure) {
                throw new IllegalArgumentException(
                        "%s: column %s cannot be read: %s (expected: a Parquet file with it; "
                                .formatted(file, Shown.of(field), Shown.of(failure.getMessage()))
                                + "--field names another)",
                        failure);
            }
        }

        @Override
        String read() {
            try {
                if (!rows.next()) {
                    return null;
                }
                number++;
                if (!(rows.getObject(1) instanceof String text)) {
                    throw new IllegalArgumentException("%s: row %d: %s: %s (expected: a text)".formatted(file, number,
                            Shown.of(field), rows.getObject(1) == null ? "null" : "not a text"));
                }
                return text;
            } catch (SQLException failure) {
                throw new IllegalArgumentException("%s: row %d: %s".formatted(file, number + 1,
                        Shown.of(failure.getMessage())), failure);
            }
        }

        @Override
        void close() {
            try {
                database.close();
            } catch (SQLException failure) {
                throw new IllegalStateException("DuckDB cannot be closed", failure);
            }
        }
    }
}
