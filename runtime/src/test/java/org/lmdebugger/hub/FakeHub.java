package org.lmdebugger.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.lmdebugger.checkpoint.Digests;

/**
 * A server on this machine that answers as the Hub does: what is said of a file, and small files, from the Hub itself;
 * large ones from a store, another server, to which it redirects. It is a proxy as well, for itself by any name. Faults
 * can be set.
 */
final class FakeHub implements AutoCloseable {
    static final String REVISION = "0123456789abcdef0123456789abcdef01234567";

    private record Stored(byte[] bytes, boolean large, String checksum, long size) {
    }

    private final HttpServer hub = server(this::answer);
    private final HttpServer store = server(this::serve);
    private final Map<String, Stored> files = new ConcurrentHashMap<>(); // by org/name/file
    private final CountDownLatch closed = new CountDownLatch(1);

    /** What was asked: method, path, and if there are any, range and authorization. */
    final List<String> requests = new CopyOnWriteArrayList<>();
    volatile String revision = REVISION;
    volatile String token; // that is needed, unless null
    volatile int cutAfter = Integer.MAX_VALUE; // bytes of a body, after which the connection breaks
    volatile boolean ranges = true;
    volatile int stalls; // how many downloads from the store send half of the rest, and then nothing more
    volatile int busy; // how many answers say that it is, before one that does not
    volatile String proxyAuthorization; // that is needed, unless null
    volatile String legacyName; // which it redirects to its successor

    private static HttpServer server(HttpHandler handler) {
        try {
            var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.createContext("/", handler);
            server.setExecutor(task -> Thread.ofVirtual().start(task)); // one that stalls holds up no other
            server.start();
            return server;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    String address() {
        return address(hub);
    }

    private static String address(HttpServer server) {
        return "http://%s:%d".formatted(server.getAddress().getHostString(), server.getAddress().getPort());
    }

    /** Offers a file as the Hub would: large ones go by their SHA-256, others by Git's SHA-1. */
    void put(String id, String file, byte[] bytes, boolean large) throws IOException {
        var copy = Files.write(Files.createTempFile("hub", file.replace("/", "_")), bytes);
        put(id, file, bytes, large, large ? Digests.sha256(copy) : Digests.gitBlob(copy));
        Files.delete(copy);
    }

    void put(String id, String file, byte[] bytes, boolean large, String checksum) {
        files.put(id + "/" + file, new Stored(bytes, large, checksum, bytes.length));
    }

    /** Offers a large file that is said to be of another size than its contents. */
    void putOfSize(String id, String file, long size) {
        files.put(id + "/" + file, new Stored(new byte[0], true, "0".repeat(64), size));
    }

    void put(String id, Path directory, String... names) throws IOException {
        for (var name : names) {
            put(id, name, Files.readAllBytes(directory.resolve(name)), name.endsWith(".safetensors"));
        }
    }

    void remove(String id, String file) {
        files.remove(id + "/" + file);
    }

    /** Requests for contents, not those that only ask. */
    List<String> downloads() {
        return requests.stream().filter(request -> request.startsWith("GET")).toList();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            record(exchange);
            var authorization = exchange.getRequestHeaders().getFirst("Authorization");
            var path = exchange.getRequestURI().getPath();
            if (proxyAuthorization != null && exchange.getRequestURI().isAbsolute() && !proxyAuthorization.equals(
                    exchange.getRequestHeaders().getFirst("Proxy-Authorization"))) {
                exchange.getResponseHeaders().set("Proxy-Authenticate", "Basic realm=\"fake\"");
                exchange.sendResponseHeaders(407, -1);
                return;
            }
            if (busy > 0) {
                busy--;
                exchange.getResponseHeaders().set("Retry-After", "0");
                exchange.sendResponseHeaders(503, -1);
                return;
            }
            if (token != null && !("Bearer " + token).equals(authorization)) {
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            if (legacyName != null && path.startsWith("/" + legacyName + "/")) {
                exchange.getResponseHeaders().set("Location", "/openai-community" + path);
                exchange.sendResponseHeaders(307, -1);
                return;
            }
            var stored = stored(exchange);
            if (stored == null) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            exchange.getResponseHeaders().set("X-Repo-Commit", revision);
            if (stored.large()) {
                exchange.getResponseHeaders().set("X-Linked-ETag", '"' + stored.checksum() + '"');
                exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(stored.size()));
                exchange.getResponseHeaders().set("Location", address(store) + path);
                exchange.sendResponseHeaders(302, -1);
            } else {
                exchange.getResponseHeaders().set("ETag", "W/\"" + stored.checksum() + '"');
                send(exchange, stored);
            }
        }
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            record(exchange);
            if (stalls > 0 && exchange.getRequestMethod().equals("GET")) {
                stalls--;
                stall(exchange);
                return;
            }
            send(exchange, stored(exchange));
        }
    }

    /** Sends half of what is asked for and waits until this hub is closed. */
    private void stall(HttpExchange exchange) throws IOException {
        var stored = stored(exchange);
        int from = from(exchange);
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, stored.bytes().length - from);
        exchange.getResponseBody().write(stored.bytes(), from, (stored.bytes().length - from) / 2);
        exchange.getResponseBody().flush();
        try {
            closed.await();
        } catch (InterruptedException failure) {
            throw new IOException(failure);
        }
    }

    private Stored stored(HttpExchange exchange) {
        return files.get(exchange.getRequestURI().getRawPath().substring(1).replaceFirst("/resolve/[^/]+/", "/"));
    }

    private int from(HttpExchange exchange) {
        var range = exchange.getRequestHeaders().getFirst("Range");
        return range == null || !ranges ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
    }

    private void record(HttpExchange exchange) {
        var headers = new TreeMap<String, String>();
        for (var name : List.of("Range", "Authorization")) {
            if (exchange.getRequestHeaders().containsKey(name)) {
                headers.put(name, exchange.getRequestHeaders().getFirst(name));
            }
        }
        var server = exchange.getLocalAddress().getPort() == hub.getAddress().getPort() ? "" : " store";
        requests.add("%s%s %s%s".formatted(exchange.getRequestMethod(), server, exchange.getRequestURI(),
                headers.isEmpty() ? "" : " " + headers));
    }

    private void send(HttpExchange exchange, Stored stored) throws IOException {
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", String.valueOf(stored.bytes().length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        int from = from(exchange);
        var body = Arrays.copyOfRange(stored.bytes(), from, stored.bytes().length);
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body, 0, Math.min(body.length, cutAfter));
        exchange.getResponseBody().flush();
    }

    @Override
    public void close() {
        closed.countDown();
        hub.stop(0);
        store.stop(0);
    }
}
