package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.eclipse.jetty.ee10.servlet.ServletContextRequest;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.util.BufferUtil;

/**
 * The connection of a client that waits for an answer. Neither servlets nor Jetty's listeners are told of a closed
 * connection before they write to it; this class looks.
 */
public final class ClientConnection {
    /** The pause between two looks. */
    public static final long POLL_MILLIS = 200;

    private final Connection connection;
    private final ByteBuffer ahead = BufferUtil.allocate(1 << 10);
    private boolean sentMore;

    /** The client of a request whose body has been read. */
    public ClientConnection(Context context) {
        connection = ServletContextRequest.getServletContextRequest(context.req()).getConnectionMetaData()
                .getConnection();
    }

    /**
     * Returns whether the connection is closed. Called by the thread that handles the request, as only that may read
     * from it.
     */
    public boolean hasGone() {
        if (sentMore) {
            return false; // its next request is here already
        }
        try {
            int read = connection.getEndPoint().fill(ahead);
            if (read > 0) {
                sentMore = true;
                ((Connection.UpgradeTo) connection).onUpgradeTo(ahead); // where Jetty looks for the next request
            }
            return read < 0;
        } catch (IOException closed) {
            return true;
        }
    }
}
