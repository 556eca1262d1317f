package org.lmdebugger.app.server.http;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;
import org.lmdebugger.app.json.Json;

/** Jetty's own refusals, before any of our code runs (headers too large, an invalid path …), as problems too. */
public final class HttpErrors extends ErrorHandler {
    @Override
    public boolean errorPageForMethod(String method) {
        return true;
    }

    @Override
    protected void generateResponse(Request request, Response response, int status, String reason, Throwable cause,
            Callback callback) {
        var problem = new Problem(status, "Refused", "%s (expected: a request of HTTP/1.1)".formatted(reason));
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, Problem.TYPE);
        response.write(true, ByteBuffer.wrap(Json.line(problem.details()).getBytes(StandardCharsets.UTF_8)), callback);
    }
}
