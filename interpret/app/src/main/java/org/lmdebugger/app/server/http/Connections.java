package org.lmdebugger.app.server.http;

import com.sun.management.UnixOperatingSystemMXBean;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.logging.SimpleFormatter;
import java.util.logging.StreamHandler;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.Server;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bounds of connections. There are so many that file descriptors remain for everything else; more wait in the
 * operating system until one is closed. A request whose headers take too long is not waited for.
 */
public final class Connections extends NetworkConnectionLimit {
    private static final Logger LOG = LoggerFactory.getLogger(Connections.class);
    private static final int DESCRIPTORS = 64; // kept free, for files
    private static final int FEWEST = 16;
    private static final int IDLE = 5_000; // milliseconds that an unused connection lives where others wait for it
    private static final int QUIET = 60; // seconds between warnings

    private final Server server;
    private final long mostNanos;
    private Map<EndPoint, Seen> seen = Map.of(); // used by one thread at a time
    private long warned = System.nanoTime() - TimeUnit.SECONDS.toNanos(QUIET); // guarded by the limit's lock

    /**
     * What was seen of a connection: requests and answers that have begun, bytes that have come, and when.
     *
     * @param since nanoseconds; when the last answer had been given and no byte of the next request had come
     */
    private record Seen(long messages, long bytes, long since) {
    }

    /** @param headers how long the headers of a request may take, from the first byte to the last */
    public Connections(int most, Duration headers, Server server) {
        super(most, server);
        this.server = server;
        mostNanos = headers.toNanos();
        setEndPointIdleTimeout(IDLE);
    }

    /** Returns how many connections this process can have: {@code most}, or fewer where it may open few files. */
    public static int affordable(int most) {
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix) {
            long free = unix.getMaxFileDescriptorCount() - unix.getOpenFileDescriptorCount();
            return Math.clamp(free - DESCRIPTORS, FEWEST, most);
        }
        return most;
    }

    /** Writes a warning to nowhere, so that later ones need no class, no time zone and no text from a file. */
    public static void prepareWarnings() {
        var nowhere = java.util.logging.Logger.getLogger(Connections.class.getName() + ".nowhere");
        nowhere.setUseParentHandlers(false);
        nowhere.addHandler(new StreamHandler(OutputStream.nullOutputStream(), new SimpleFormatter()));
        LoggerFactory.getLogger(nowhere.getName()).warn("an example", new IOException("an example"));
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        look();
    }

    private void look() {
        var now = new HashMap<EndPoint, Seen>();
        for (var connector : server.getConnectors()) {
            for (var endPoint : connector.getConnectedEndPoints()) {
                var next = next(endPoint, seen.get(endPoint));
                now.put(endPoint, next);
                if (System.nanoTime() - next.since() > mostNanos) {
                    endPoint.close(new TimeoutException("the headers took too long"));
                }
            }
        }
        seen = now;
        if (isRunning()) {
            server.getScheduler().schedule(this::look, mostNanos / 5, TimeUnit.NANOSECONDS);
        }
    }

    private static Seen next(EndPoint endPoint, Seen last) {
        var connection = endPoint.getConnection();
        long requests = connection.getMessagesIn();
        long answers = connection.getMessagesOut();
        long bytes = connection.getBytesIn();
        boolean isHeader = last != null && requests == answers && requests + answers == last.messages()
                && bytes > last.bytes();
        return isHeader ? last : new Seen(requests + answers, bytes, System.nanoTime());
    }

    @Override
    protected void limit() {
        super.limit();
        if (System.nanoTime() - warned >= TimeUnit.SECONDS.toNanos(QUIET)) {
            warned = System.nanoTime();
            LOG.warn("{} connections are open, which is the limit: more have to wait until some are closed",
                    getMaxNetworkConnectionCount());
        }
    }
}
