package org.lmdebugger.app.server;

import io.javalin.http.Context;
import org.lmdebugger.app.Json;

/** Answers. */
final class Responses {
    private Responses() {
    }

    static void json(Context context, Object value) {
        context.contentType("application/json").result(Json.line(value));
    }
}
