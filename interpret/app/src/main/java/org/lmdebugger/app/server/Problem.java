package org.lmdebugger.app.server;

import io.javalin.http.Context;
import java.util.Map;
import org.lmdebugger.app.Json;
import org.lmdebugger.app.TraceJson;

/** What is wrong with a request, or with the server, and what to do about it; sent as problem+json (RFC 9457). */
final class Problem extends RuntimeException {
    static final String TYPE = "application/problem+json";

    private static final long serialVersionUID = 1;
    private static final int DETAIL = 1000; // characters, whatever a request brought

    private final int status;
    private final String title;

    Problem(int status, String title, String detail) {
        super(detail.length() <= DETAIL ? detail : detail.substring(0, DETAIL) + "…", null, false, false);
        this.status = status;
        this.title = title;
    }

    static Problem badRequest(String detail) {
        return new Problem(400, "Bad request", detail);
    }

    static Problem notFound(String detail) {
        return new Problem(404, "Not found", detail);
    }

    static Problem refused(String detail) {
        return new Problem(403, "Refused", detail);
    }

    int status() {
        return status;
    }

    Map<String, Object> fields() {
        return TraceJson.object("type", "about:blank", "title", title, "status", status, "detail", getMessage());
    }

    void send(Context context) {
        context.status(status).contentType(TYPE).result(Json.line(fields()));
    }
}
