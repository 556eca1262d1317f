package org.lmdebugger.hub;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hc.client5.http.auth.AuthScope;
import org.apache.hc.client5.http.auth.CredentialsProvider;
import org.apache.hc.client5.http.auth.UsernamePasswordCredentials;
import org.apache.hc.client5.http.impl.auth.BasicCredentialsProvider;
import org.apache.hc.client5.http.impl.routing.DefaultRoutePlanner;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.protocol.HttpContext;
import org.jspecify.annotations.Nullable;

/**
 * The proxies of {@code HTTPS_PROXY}, {@code HTTP_PROXY} and {@code ALL_PROXY}, with {@code NO_PROXY}'s exceptions.
 * Lower-case names take precedence. The rules are those of HTTPX, which Hugging Face's tools use.
 */
final class HubProxies extends DefaultRoutePlanner {
    private final HubEnvironment environment;
    private final BasicCredentialsProvider credentials = new BasicCredentialsProvider();
    private final Map<String, HttpHost> byScheme = new HashMap<>();
    private final List<String> exceptions;

    /** @throws IllegalArgumentException if a variable is no address of a proxy */
    HubProxies(HubEnvironment environment) {
        super(null);
        this.environment = environment;
        for (var scheme : List.of("http", "https")) {
            Stream.of(scheme + "_proxy", "all_proxy").flatMap(name -> read(name).stream()).findFirst()
                    .ifPresent(proxy -> byScheme.put(scheme, proxy));
        }
        exceptions = variable("no_proxy").stream().flatMap(list -> Stream.of(list.split(","))).map(String::strip)
                .filter(entry -> !entry.isEmpty()).map(entry -> entry.toLowerCase(Locale.ROOT)).toList();
    }

    private Optional<String> variable(String name) {
        return environment.variable(name).or(() -> environment.variable(name.toUpperCase(Locale.ROOT)));
    }

    private Optional<HttpHost> read(String name) {
        return variable(name).map(value -> {
            try {
                var uri = new URI(value.contains("://") ? value.strip() : "http://" + value.strip());
                if (uri.getHost() == null || !"http".equals(uri.getScheme())) {
                    throw new URISyntaxException("", "another scheme, or no host");
                }
                var proxy = new HttpHost("http", uri.getHost(), uri.getPort() < 0 ? 80 : uri.getPort());
                Optional.ofNullable(uri.getRawUserInfo()).ifPresent(user -> remember(proxy, user));
                return proxy;
            } catch (URISyntaxException failure) { // its message shows the password
                throw new IllegalArgumentException("%s: %s (expected: http://[USER:PASSWORD@]HOST[:PORT])"
                        .formatted(name.toUpperCase(Locale.ROOT), value.replaceFirst("[^/]*@", "…@")));
            }
        });
    }

    private void remember(HttpHost proxy, String userAndPassword) {
        var parts = userAndPassword.split(":", 2);
        credentials.setCredentials(new AuthScope(proxy), new UsernamePasswordCredentials(decode(parts[0]),
                parts.length < 2 ? null : decode(parts[1]).toCharArray()));
    }

    private static String decode(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    /** Returns the user names and passwords of the proxies. */
    CredentialsProvider credentials() {
        return credentials;
    }

    /** Returns the proxy for a server, or nothing if requests go to it directly. */
    Optional<HttpHost> proxy(String scheme, String host, int port) {
        return Optional.ofNullable(byScheme.get(scheme)).filter(proxy -> exceptions.stream()
                .noneMatch(exception -> excepts(exception, scheme, host.toLowerCase(Locale.ROOT), port)));
    }

    @Override
    protected @Nullable HttpHost determineProxy(HttpHost target, HttpContext context) {
        return proxy(target.getSchemeName(), target.getHostName(), target.getPort()).orElse(null);
    }

    /** Returns whether an exception (a domain and all below it, or {@code *}) matches; its scheme and port must too. */
    private static boolean excepts(String exception, String scheme, String host, int port) {
        var name = exception.replaceFirst("^" + scheme + "://", "").replaceFirst(":" + port(scheme, port) + "$", "")
                .replaceFirst("^\\*?\\.", "");
        return exception.equals("*") || host.equals(name) || host.endsWith("." + name);
    }

    private static int port(String scheme, int port) {
        return port >= 0 ? port : scheme.equals("https") ? 443 : 80;
    }
}
