package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import org.lmdebugger.app.json.Json;

/** Answers. */
public final class Responses {
    /** The header with the reason of a failure, which pages of other origins may read. */
    public static final String REASON = "LM-Debugger-Error";

    private Responses() {
    }

    public static void json(Context context, Object value) {
        context.contentType("application/json").result(Json.line(value));
    }
}
