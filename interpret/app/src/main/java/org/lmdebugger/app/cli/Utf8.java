package org.lmdebugger.app.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The encoding of all text that comes in and goes out, whatever the locale. */
final class Utf8 {
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");

    private Utf8() {
    }

    /** Returns a stream that encodes text as UTF-8 and passes it on. */
    static PrintStream stream(PrintStream out) {
        return new PrintStream(out, true, StandardCharsets.UTF_8);
    }

    /** Returns the encoding in which the JVM has read the arguments, and reads and writes file names. */
    static String encoding() {
        return System.getProperty("sun.jnu.encoding");
    }

    /**
     * Returns whether the arguments are as they were typed. Where the locale's encoding is another one, or where the
     * bytes are no UTF-8, the JVM has put other characters in their place.
     */
    static boolean isIntact(String[] arguments) {
        if (Stream.of(arguments).allMatch(StandardCharsets.US_ASCII.newEncoder()::canEncode)) {
            return true;
        }
        if (!encoding().equals("UTF-8")) {
            return false;
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(COMMAND_LINE)));
            return true;
        } catch (CharacterCodingException wrong) {
            return false;
        } catch (IOException missing) { // not Linux
            return true;
        }
    }

    /**
     * Returns the lines of a file that are not blank, by their numbers from 1. A byte order mark is no part of the text.
     *
     * @throws IllegalArgumentException if there are none, or the file is not UTF-8
     * @throws UncheckedIOException     if it cannot be read
     */
    static SortedMap<Integer, String> lines(Path file) {
        var lines = new TreeMap<Integer, String>();
        text(file).lines().forEach(line -> lines.put(lines.size() + 1, line));
        lines.values().removeIf(String::isBlank);
        if (lines.isEmpty()) {
            throw new IllegalArgumentException(file + ": empty (expected: at least one line)");
        }
        return lines;
    }

    private static String text(Path file) {
        try {
            var bytes = ByteBuffer.wrap(Files.readAllBytes(file));
            var text = CharBuffer.allocate(bytes.remaining());
            if (StandardCharsets.UTF_8.newDecoder().decode(bytes, text, true).isError()) {
                throw new IllegalArgumentException(
                        file + ": line " + (text.flip().chars().filter(c -> c == '\n').count() + 1)
                                + ": not UTF-8 (expected: UTF-8; iconv -f latin1 -t utf8 makes it of Latin-1)");
            }
            return text.flip().toString().replaceFirst("^\ufeff", "");
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }
}
