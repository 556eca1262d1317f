package org.lmdebugger.app;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The encoding of all text that comes in and goes out, whatever the locale. */
final class Utf8 {
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");

    private Utf8() {
    }

    /** A stream that encodes text as UTF-8 and passes it on. */
    static PrintStream stream(PrintStream out) {
        return new PrintStream(out, true, StandardCharsets.UTF_8);
    }

    /** The encoding in which the JVM has read the arguments, and reads and writes file names. */
    static String encoding() {
        return System.getProperty("sun.jnu.encoding");
    }

    /**
     * Whether the arguments are what was typed. Where the locale's encoding is another one, or where the bytes are no
     * UTF-8, the JVM has put other characters in their place.
     */
    static boolean isIntact(String[] arguments) {
        if (Stream.of(arguments).allMatch(StandardCharsets.US_ASCII.newEncoder()::canEncode)) {
            return true;
        }
        if (!encoding().equals("UTF-8")) {
            return false;
        }
        try {
            decode(Files.readAllBytes(COMMAND_LINE));
            return true;
        } catch (CharacterCodingException wrong) {
            return false;
        } catch (IOException missing) { // not Linux
            return true;
        }
    }

    /** Text of {@code bytes}. @throws CharacterCodingException if they are not UTF-8 */
    static String decode(byte[] bytes) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }
}
