package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import java.io.IOException;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.interpret.edit.Mode;

/** Bodies of requests: JSON of bounded size and depth, read into records. */
final class Requests {
    private static final long DRAINED = 16L * Limits.BODY; // bytes; nothing is read of a larger body

    private Requests() {
    }

    /**
     * Returns the body as a {@code type}.
     *
     * @throws IllegalArgumentException naming the mistake
     * @throws Problem                  413 if it is too large
     */
    static <T> T read(Context context, Class<T> type) {
        return JsonReader.read(body(context), type);
    }

    /** Returns the same, where fields that are unknown are ignored. */
    static <T> T readKnown(Context context, Class<T> type) {
        return JsonReader.readKnown(body(context), type);
    }

    private static byte[] body(Context context) {
        try {
            if (context.req().getContentLengthLong() <= DRAINED) {
                var input = context.req().getInputStream();
                var bytes = input.readNBytes(Limits.BODY + 1);
                if (bytes.length <= Limits.BODY) {
                    return bytes;
                }
                input.skip(DRAINED); // else a client that still sends would get no answer, but a broken connection
            }
        } catch (IOException failure) {
            throw Problem.badRequest("body: it ended early");
        }
        context.header("Connection", "close"); // the remaining body is not read
        throw new Problem(413, "Too large",
                "body: larger than %,d bytes (expected: at most that)".formatted(Limits.BODY));
    }

    /** Returns a number from 1 on in the query; {@code otherwise} where there is none. */
    static int number(Context context, String name, int otherwise, int most) {
        var text = context.queryParam(name);
        if (text == null) {
            return otherwise;
        }
        if (!text.matches("\\d{1,9}")) {
            throw new IllegalArgumentException("%s: not a number (expected: 1 to %d)".formatted(name, most));
        }
        Limits.check(name, Integer.parseInt(text), 1, most);
        return Integer.parseInt(text);
    }

    /** Returns the truth value of {@code name} in the query; false where there is none. */
    static boolean flag(Context context, String name) {
        return switch (context.queryParam(name)) {
            case null -> false;
            case "false" -> false;
            case "true" -> true;
            default -> throw new IllegalArgumentException(name + ": of another kind (expected: true or false)");
        };
    }

    /** Returns the mode of that name; exact edits where there is none. */
    static Mode mode(String name) {
        return name == null ? Mode.EXACT : Mode.parse(name);
    }
}
