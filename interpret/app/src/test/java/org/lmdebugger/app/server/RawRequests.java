package org.lmdebugger.app.server;

import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** Requests that no HTTP client would send. */
public final class RawRequests {
    private RawRequests() {
    }

    public static Socket connect(URI address) throws IOException {
        return connect(address.getPort());
    }

    public static Socket connect(int port) throws IOException {
        var socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(20_000);
        return socket;
    }

    /** Sends lines that end with line feeds alone here, and {@code body}; then nothing more. Returns the whole answer. */
    static String send(URI address, String head, byte... body) throws IOException {
        try (var socket = connect(address)) {
            write(socket, head);
            socket.getOutputStream().write(body);
            socket.getOutputStream().flush();
            socket.shutdownOutput();
            return read(socket);
        }
    }

    public static void write(Socket socket, String head) throws IOException {
        socket.getOutputStream().write(head.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
        socket.getOutputStream().flush();
    }

    public static String read(Socket socket) throws IOException {
        return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
}
