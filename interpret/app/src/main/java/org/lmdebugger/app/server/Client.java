package org.lmdebugger.app.server;

import io.javalin.http.Context;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.HttpConnection;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.util.BufferUtil;

/** Who waits for an answer. A servlet hears of a closed connection only when it writes; this looks before. */
final class Client {
    private final EndPoint endPoint;
    private final HttpConnection connection;
    private final ByteBuffer ahead = BufferUtil.allocate(1 << 10);
    private boolean sentMore;

    /** The client of a request whose body has been read. */
    Client(Context context) {
        var channel = Request.getBaseRequest(context.req()).getHttpChannel();
        endPoint = channel.getEndPoint();
        connection = (HttpConnection) channel.getConnection();
    }

    /** Whether the connection is closed. Called by the thread that handles the request, as only that may read from it. */
    boolean hasGone() {
        if (sentMore) {
            return false; // its next request is here already
        }
        try {
            int read = endPoint.fill(ahead);
            if (read > 0) {
                sentMore = true;
                connection.onUpgradeTo(ahead); // where Jetty looks for the next request
            }
            return read < 0;
        } catch (IOException closed) {
            return true;
        }
    }
}
