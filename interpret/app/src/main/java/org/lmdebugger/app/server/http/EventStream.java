package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import jakarta.servlet.ServletOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CancellationException;
import org.lmdebugger.app.json.Json;

/** Server-sent events as the answer to a request; each is one line of JSON. */
public final class EventStream {
    private final ServletOutputStream out;

    /** Sends the head of the answer: from here on, problems are events too. */
    public EventStream(Context context) {
        context.res().setContentType("text/event-stream;charset=utf-8");
        context.res().setHeader("X-Accel-Buffering", "no"); // proxies are to pass each event on
        try {
            out = context.res().getOutputStream();
            context.res().flushBuffer();
        } catch (IOException gone) {
            throw new CancellationException();
        }
    }

    /** @throws CancellationException if the client has gone */
    public void send(String event, Object data) {
        try {
            out.write("event: %s\ndata: %s\n\n".formatted(event, Json.line(data)).getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException gone) {
            throw new CancellationException();
        }
    }
}
