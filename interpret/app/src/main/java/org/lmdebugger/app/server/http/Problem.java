package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import java.io.UncheckedIOException;
import java.util.concurrent.CancellationException;
import org.eclipse.jetty.http.BadMessageException;
import org.eclipse.jetty.io.EofException;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A failure of a request or of the server, with the remedy; sent as problem+json (RFC 9457). */
public final class Problem extends RuntimeException {
    static final String TYPE = "application/problem+json";

    /** The answer to a client that has disconnected, which receives none. */
    public static final Problem CLIENT_GONE = new Problem(499, "Cancelled", "The client went away.");

    private static final Logger LOG = LoggerFactory.getLogger(Problem.class);
    private static final long serialVersionUID = 1;
    private static final int DETAIL = 1000; // characters, whatever a request brought

    private final int status;
    private final String title;

    /** The fields of a problem as RFC 9457 has them. */
    public record Details(String type, String title, int status, String detail) {
    }

    public Problem(int status, String title, String detail) {
        super(detail.length() <= DETAIL ? detail : detail.substring(0, DETAIL) + "…", null, false, false);
        this.status = status;
        this.title = title;
    }

    /**
     * Returns the problem that answers a failure; a mistake in the server is logged.
     *
     * @param request the request that failed, for messages
     */
    @SuppressWarnings("removal") // Jetty itself still throws BadMessageException
    public static Problem of(Throwable failure, String request) {
        return switch (failure) {
            case Problem problem -> problem;
            case HttpResponseException wrong -> new Problem(wrong.getStatus(), "Not possible",
                    request + ": " + wrong.getMessage() + " (expected: what GET /api/v1/openapi.yaml describes)");
            case IllegalArgumentException wrong -> Problem.badRequest(wrong.getMessage());
            case InvalidModelException changed -> new Problem(503, "Model changed", changed.getMessage());
            case OutOfDeviceMemoryException memory -> new Problem(503, "Out of memory", memory.getMessage());
            case CudaException lost when lost.isFatal() -> {
                LOG.error(request, lost);
                yield new Problem(503, "GPU failed", lost.getMessage());
            }
            case UncheckedIOException file -> new Problem(500, "File not usable", file.getMessage());
            case CancellationException cancelled -> CLIENT_GONE;
            case EofException gone -> CLIENT_GONE;
            case BadMessageException bad -> new Problem(bad.getCode(), "Bad request",
                    bad.getReason() + " (expected: all of the request, and soon)");
            default -> {
                LOG.error(request, failure);
                yield new Problem(500, "Internal error", "This is a mistake in the server; its log says more.");
            }
        };
    }

    public static Problem badRequest(String detail) {
        return new Problem(400, "Bad request", detail);
    }

    public static Problem notFound(String detail) {
        return new Problem(404, "Not found", detail);
    }

    static Problem refused(String detail) {
        return new Problem(403, "Refused", detail);
    }

    public int status() {
        return status;
    }

    /** Returns this as it is answered. */
    public Details details() {
        return new Details("about:blank", title, status, getMessage());
    }

    public void send(Context context) {
        context.status(status).contentType(TYPE).result(Json.line(details()));
    }
}
