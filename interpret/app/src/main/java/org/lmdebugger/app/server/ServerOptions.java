package org.lmdebugger.app.server;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Set;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.text.Shown;

/**
 * The address, access and folders of a server.
 *
 * @param host    the address that it listens on
 * @param port    0 for any that is free
 * @param origins those of other pages that may use it, such as {@code http://localhost:3000}
 * @param token   the token that clients must send; null if there is none, which is for loopback alone
 * @param data    the folder of saved names and experiments
 * @param cache   the folder of cached results
 */
public record ServerOptions(String host, int port, Set<String> origins, String token, Path data, Path cache) {
    /** Returns the same at another port. */
    public ServerOptions port(int other) {
        return new ServerOptions(host, other, origins, token, data, cache);
    }

    public ServerOptions {
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port: %d (expected: 0 to 65535)".formatted(port));
        }
        origins = Set.copyOf(origins);
        for (var origin : origins) {
            if (!origin.matches("https?://[^/?#\\s@]+")) {
                throw new IllegalArgumentException(
                        "origin: " + Shown.of(origin) + " (expected: such as http://localhost:3000, without a path)");
            }
        }
        if (token == null && !isLoopback(host)) {
            throw new IllegalArgumentException(
                    "token: none (expected: one, as %s is not loopback)".formatted(Shown.of(host)));
        }
        if (token != null && token.length() < 16) {
            throw new IllegalArgumentException(
                    "token: %d characters (expected: at least 16)".formatted(token.length()));
        }
        if (token != null && !token.matches("[!-~]([ -~]*[!-~])?")) {
            throw new IllegalArgumentException("token: a character in it that a header cannot carry "
                    + "(expected: ASCII, no space around it)");
        }
    }

    /** Returns whether only this machine reaches {@code host}. */
    public static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException failure) {
            throw new IllegalArgumentException(
                    "host: %s (expected: an address of this machine, such as 127.0.0.1)".formatted(Shown.of(host)),
                    failure);
        }
    }

    /** Returns a token that cannot be guessed. */
    public static String randomToken() {
        return AccessTokens.random();
    }
}
