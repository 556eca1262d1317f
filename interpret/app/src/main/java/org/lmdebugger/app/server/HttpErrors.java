package org.lmdebugger.app.server;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.lmdebugger.app.Json;

/** What Jetty refuses before any of our code sees it (headers too large, a path that is none …), as problems too. */
final class HttpErrors extends ErrorHandler {
    private static byte[] body(int status, String reason) {
        return Json.line(new Problem(status, "Refused", "%s (expected: a request of HTTP/1.1)".formatted(reason)).fields())
                .getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public ByteBuffer badMessageError(int status, String reason, HttpFields.Mutable fields) {
        fields.put(HttpHeader.CONTENT_TYPE, Problem.TYPE);
        return ByteBuffer.wrap(body(status, reason));
    }

    @Override
    protected void generateAcceptableResponse(Request baseRequest, HttpServletRequest request, HttpServletResponse response, int status,
                                              String reason) throws IOException {
        baseRequest.setHandled(true);
        response.setContentType(Problem.TYPE);
        response.getOutputStream().write(body(status, reason));
    }
}
