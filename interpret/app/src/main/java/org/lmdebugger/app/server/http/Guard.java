package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.Collections;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import org.slf4j.LoggerFactory;

/**
 * The check of each request before any other code: it must name this server as its host (a page that had its
 * name rebound to this address cannot), come from no foreign page, show the token if there is one, and bring JSON.
 */
public final class Guard {
    /** The path of login links; the link itself is the secret. */
    public static final String LOGIN = "/login";

    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private final Set<String> hosts; // without ports
    private final Set<String> origins;
    private final AccessTokens tokens; // null if none is needed

    /**
     * A guard of one server.
     *
     * @param host    the address that it listens on
     * @param origins those of other pages that may use it
     * @param tokens  null if none is needed
     */
    public Guard(String host, Set<String> origins, AccessTokens tokens) {
        hosts = hosts(host);
        this.origins = origins;
        this.tokens = tokens;
    }

    /** The names of this server: the address that it listens on and, for loopback and all addresses, those it has. */
    private static Set<String> hosts(String host) {
        var hosts = new HashSet<String>();
        hosts.add(host.toLowerCase(Locale.ROOT));
        try {
            var address = InetAddress.getByName(host);
            hosts.add(address.getHostAddress());
            if (address.isLoopbackAddress() || address.isAnyLocalAddress()) {
                hosts.addAll(Set.of("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1", "::1"));
            }
            if (address.isAnyLocalAddress()) {
                hosts.add(InetAddress.getLocalHost().getHostName().toLowerCase(Locale.ROOT));
                hosts.add(InetAddress.getLocalHost().getCanonicalHostName().toLowerCase(Locale.ROOT));
                for (var network : Collections.list(NetworkInterface.getNetworkInterfaces())) {
                    network.inetAddresses().forEach(each -> hosts.add(each.getHostAddress().replaceFirst("%.*", "")));
                }
            }
        } catch (UnknownHostException | SocketException failure) {
            LoggerFactory.getLogger(Guard.class).warn("the names of this machine are not all known: {}",
                    failure.toString());
        }
        return Set.copyOf(hosts);
    }

    public void check(Context context) {
        headers(context);
        var host = context.req().getServerName().toLowerCase(Locale.ROOT).replaceAll("[\\[\\]]", "");
        if (context.header("Host") == null || !hosts.contains(host)) {
            throw Problem.refused("Host: not this server's (expected: the address that lmdebug serve printed)");
        }
        checkOrigin(context);
        if (context.method() == HandlerType.OPTIONS) {
            context.status(204).skipRemainingHandlers();
            return;
        }
        if (tokens != null && !context.path().equals(LOGIN) && !tokens.areShownBy(context)) {
            throw new Problem(401, "Unauthorised",
                    "Open the link that lmdebug serve printed, or send the header Authorization: Bearer TOKEN");
        }
        boolean hasBody = context.method() == HandlerType.POST || context.method() == HandlerType.PUT;
        if (hasBody && !isJson(context.contentType())) {
            throw new Problem(415, "Unsupported media type", "Content-Type: not JSON (expected: application/json)");
        }
    }

    private static void headers(Context context) {
        context.header("Content-Security-Policy", POLICY).header("X-Content-Type-Options", "nosniff")
                .header("Referrer-Policy", "no-referrer").header("Cross-Origin-Opener-Policy", "same-origin")
                .header("Cross-Origin-Resource-Policy", "same-origin").header("Cache-Control", "no-store");
    }

    private void checkOrigin(Context context) {
        var origin = context.header("Origin");
        if (origin == null) {
            var site = context.header("Sec-Fetch-Site");
            boolean navigation = "navigate".equals(context.header("Sec-Fetch-Mode"))
                    && context.method() == HandlerType.GET
                    && !context.path().startsWith("/api/") && !context.path().startsWith("/get_"); // a link to the page
            if (site != null && !site.equals("same-origin") && !site.equals("none") && !navigation) {
                throw foreign();
            }
        } else if (origins.contains(origin)) {
            context.header("Access-Control-Allow-Origin", origin).header("Vary", "Origin")
                    .header("Access-Control-Expose-Headers", Responses.REASON);
            if (context.method() == HandlerType.OPTIONS) {
                context.header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
                        .header("Access-Control-Max-Age", "600")
                        .header("Access-Control-Allow-Headers", "Content-Type, Authorization");
            }
        } else if (!origin.equals("http://" + context.header("Host"))) {
            throw foreign();
        }
    }

    private static Problem foreign() {
        return Problem.refused(
                "Origin: of another page (expected: this server's own page, or lmdebug serve --allow-origin URL)");
    }

    private static boolean isJson(String contentType) {
        return contentType != null && contentType.split(";", 2)[0].strip().equalsIgnoreCase("application/json");
    }
}
