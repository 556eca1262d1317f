package org.lmdebugger.app.server;

import io.javalin.http.Context;
import org.lmdebugger.app.Json;

/** Answers. */
final class Responses {
    /** The header with the reason of a failure, which pages of other origins may read. */
    static final String REASON = "LM-Debugger-Error";

    private Responses() {
    }

    static void json(Context context, Object value) {
        context.contentType("application/json").result(Json.line(value));
    }
}
