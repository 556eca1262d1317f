package org.lmdebugger.app.server.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.lmdebugger.app.server.RawRequests;

/** Slow headers hold no connection; nothing else is cut off. */
@Timeout(120)
class ConnectionsTest {
    private static final String REQUEST = "GET / HTTP/1.1\nHost: localhost\n\n";

    private final CountDownLatch go = new CountDownLatch(1);
    private final Server jetty = new Server(new InetSocketAddress("127.0.0.1", 0));

    @BeforeEach
    void start() throws Exception {
        jetty.addBean(new Connections(10, Duration.ofMillis(500), jetty));
        jetty.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) throws Exception {
                if (request.getHttpURI().getPath().equals("/waits")) {
                    go.await();
                }
                response.write(true, ByteBuffer.wrap("answer".getBytes(StandardCharsets.US_ASCII)), callback);
                return true;
            }
        });
        jetty.start();
    }

    @AfterEach
    void stop() throws Exception {
        go.countDown();
        jetty.stop();
    }

    private Socket connect() throws IOException {
        return RawRequests.connect(((ServerConnector) jetty.getConnectors()[0]).getLocalPort());
    }

    /** Sends a byte now and then until the connection is closed, which the test's timeout bounds. */
    private static void drip(Socket socket) throws Exception {
        try {
            while (true) {
                RawRequests.write(socket, "a");
                Thread.sleep(20);
            }
        } catch (IOException closed) {
            assertThat(closed).hasMessageMatching("(?s).*(reset|Broken pipe|closed|aborted).*");
        }
    }

    @Test
    void headersThatTakeTooLongEndTheConnection() throws Exception {
        try (var socket = connect()) {
            RawRequests.write(socket, "GET / HTTP/1.1\nX: ");
            drip(socket);
        }
    }

    @Test
    void soDoThoseOfALaterRequest() throws Exception {
        try (var socket = connect()) {
            RawRequests.write(socket, REQUEST);
            assertThat(new String(socket.getInputStream().readNBytes(8), StandardCharsets.US_ASCII))
                    .isEqualTo("HTTP/1.1");
            RawRequests.write(socket, "GET / HTTP/1.1\nX: ");
            drip(socket);
        }
    }

    @Test
    void unusedConnectionsAndLongRequestsAreKept() throws Exception {
        try (var unused = connect(); var used = connect(); var waiting = connect(); var slow = connect()) {
            RawRequests.write(used, REQUEST);
            assertThat(used.getInputStream().read()).isPositive();
            RawRequests.write(waiting, "GET /waits HTTP/1.1\nHost: localhost\nConnection: close\n\n");
            RawRequests.write(slow, "GET / HTTP/1.1\nX: ");
            drip(slow); // the others had as long
            for (var socket : new Socket[] {unused, used}) {
                RawRequests.write(socket, "GET / HTTP/1.1\nHost: localhost\nConnection: close\n\n");
                assertThat(RawRequests.read(socket)).endsWith("answer");
            }
            go.countDown();
            assertThat(RawRequests.read(waiting)).startsWith("HTTP/1.1 200").endsWith("answer");
        }
    }
}
