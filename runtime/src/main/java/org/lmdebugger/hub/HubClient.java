package org.lmdebugger.hub;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.hc.client5.http.classic.methods.HttpGet;
import org.apache.hc.client5.http.classic.methods.HttpHead;
import org.apache.hc.client5.http.classic.methods.HttpUriRequestBase;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.DefaultHttpRequestRetryStrategy;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.HttpResponse;
import org.apache.hc.core5.http.protocol.HttpContext;
import org.apache.hc.core5.io.CloseMode;
import org.apache.hc.core5.util.TimeValue;
import org.apache.hc.core5.util.Timeout;
import org.lmdebugger.text.Shown;

/**
 * A client of the Hugging Face Hub, or of a server with the same protocol. Redirections are followed here, so that the
 * token is sent to the Hub only. Timeouts are those of the environment.
 */
final class HubClient implements AutoCloseable {
    private static final int REDIRECTIONS = 5;
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
    private static final Pattern CHECKSUM = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

    private final HubEnvironment environment;
    private final URI endpoint;
    private final Optional<HubEnvironment.Token> token;
    private final HubProxies proxies;
    private final CloseableHttpClient http;

    /** @throws IllegalArgumentException if the environment names no usable address of a server or a proxy */
    HubClient(HubEnvironment environment) {
        if (!environment.endpoint().matches("https?://[^/?#\\s]+(/[^?#\\s]*)?")) {
            throw new IllegalArgumentException("HF_ENDPOINT: %s (expected: an address such as https://huggingface.co)"
                    .formatted(Shown.of(environment.endpoint())));
        }
        this.environment = environment;
        endpoint = URI.create(environment.endpoint().replaceFirst("/+$", ""));
        token = environment.token();
        proxies = new HubProxies(environment);
        var connections = PoolingHttpClientConnectionManagerBuilder.create().setDefaultConnectionConfig(
                ConnectionConfig.custom().setConnectTimeout(environment.answerTimeout()).build());
        http = HttpClients.custom().setConnectionManager(connections.build()).setUserAgent("lmdebugger")
                .disableRedirectHandling().disableContentCompression().setRetryStrategy(new Retries())
                .setRoutePlanner(proxies).setDefaultCredentialsProvider(proxies.credentials()).build();
    }

    /** A policy of two retries, after one second or the server's {@code Retry-After}, which is limited. */
    private static final class Retries extends DefaultHttpRequestRetryStrategy {
        private static final TimeValue LONGEST = TimeValue.ofSeconds(5);

        private Retries() {
            super(2, TimeValue.ofSeconds(1));
        }

        @Override
        public TimeValue getRetryInterval(HttpResponse response, int tries, HttpContext context) {
            var interval = super.getRetryInterval(response, tries, context);
            return interval.compareTo(LONGEST) < 0 ? interval : LONGEST;
        }
    }

    /**
     * A file on the Hub, as the Hub describes it.
     *
     * @param revision the commit of the file
     * @param checksum SHA-256 of a large file, Git's SHA-1 of a small one; never anything that could be a path
     * @param size     in bytes
     */
    record RemoteFile(URI location, String revision, String checksum, long size) {
    }

    /** A response with an error status: 404 if there is no such file, 401 or 403 if it needs a token. */
    static final class Refused extends IOException {
        private static final long serialVersionUID = 1L;
        private final int status;

        Refused(URI uri, int status) {
            super("%s: status %d".formatted(uri, status));
            this.status = status;
        }

        int status() {
            return status;
        }
    }

    /**
     * Requests the description of a file.
     *
     * @throws Refused if there is no such file, or no access to it
     */
    RemoteFile ask(String id, String revision, String file) throws IOException {
        var location = URI.create("%s/%s/resolve/%s/%s".formatted(endpoint, id,
                URLEncoder.encode(revision, StandardCharsets.UTF_8), file));
        var answer = new RemoteHeaders();
        var uri = location;
        for (int i = 0; i <= REDIRECTIONS; i++) {
            try (var response = send(new HttpHead(uri), environment.answerTimeout())) {
                answer.add(response);
                var next = redirection(uri, response);
                if (next.isEmpty() || !isHub(next.get())) { // the store of large files adds nothing
                    return answer.remote(location);
                }
                uri = next.get();
            }
        }
        throw new IOException(location + ": more than " + REDIRECTIONS + " redirections");
    }

    /** The headers of the responses along the redirections to a file; the first value counts. */
    private static final class RemoteHeaders {
        private String revision = "";
        private String linkedChecksum = "";
        private String checksum = "";
        private long linkedSize = -1;
        private long size = -1;

        void add(HttpResponse response) {
            revision = revision.isEmpty() ? header(response, "X-Repo-Commit").orElse("") : revision;
            linkedChecksum = linkedChecksum.isEmpty() ? checksum(header(response, "X-Linked-ETag")) : linkedChecksum;
            checksum = checksum(header(response, "ETag"));
            linkedSize = linkedSize < 0 ? size(header(response, "X-Linked-Size")) : linkedSize;
            size = size(header(response, "Content-Length"));
        }

        private static long size(Optional<String> number) {
            return number.filter(digits -> digits.matches("[0-9]{1,18}")).map(Long::valueOf).orElse(-1L);
        }

        private static String checksum(Optional<String> tag) {
            return tag.orElse("").replaceFirst("^W/", "").replace("\"", "");
        }

        RemoteFile remote(URI location) throws IOException {
            var remote = new RemoteFile(location, revision, linkedChecksum.isEmpty() ? checksum : linkedChecksum,
                    linkedSize < 0 ? size : linkedSize);
            if (!COMMIT.matcher(remote.revision()).matches() || !CHECKSUM.matcher(remote.checksum()).matches()
                    || remote.size() < 0) {
                throw new IOException("%s: revision \"%s\", checksum \"%s\", size %d (expected: those of a Hub's file)"
                        .formatted(location, Shown.of(remote.revision()), Shown.of(remote.checksum()), remote.size()));
            }
            return remote;
        }
    }

    /**
     * Requests the contents from byte {@code from} on: status 206, or 200 and all of it if the server lacks ranges.
     * The caller closes the body.
     */
    ClassicHttpResponse open(RemoteFile file, long from) throws IOException {
        var uri = file.location();
        for (int i = 0; i <= REDIRECTIONS; i++) {
            var request = new HttpGet(uri);
            if (from > 0) {
                request.setHeader("Range", "bytes=%d-".formatted(from));
            }
            var response = send(request, environment.downloadTimeout());
            try {
                var next = redirection(uri, response);
                if (next.isEmpty()) {
                    return response;
                }
                uri = next.get();
            } catch (IOException failure) {
                response.close();
                throw failure;
            }
            response.close();
        }
        throw new IOException(file.location() + ": more than " + REDIRECTIONS + " redirections");
    }

    private ClassicHttpResponse send(HttpUriRequestBase request, Timeout silence) throws IOException {
        var uri = uri(request);
        request.setConfig(RequestConfig.custom().setResponseTimeout(silence).build());
        request.setHeader("Accept-Encoding", "identity");
        token.filter(known -> isHub(uri))
                .ifPresent(known -> request.setHeader("Authorization", "Bearer " + known.secret()));
        var response = http.executeOpen(HttpHost.create(uri), request, null);
        if (response.getCode() >= 400) {
            response.close();
            throw new Refused(uri, response.getCode());
        }
        return response;
    }

    private static URI uri(HttpUriRequestBase request) {
        try {
            return request.getUri();
        } catch (URISyntaxException failure) {
            throw new AssertionError("made from one", failure);
        }
    }

    private static Optional<String> header(HttpResponse response, String name) {
        return Optional.ofNullable(response.getFirstHeader(name)).map(Header::getValue);
    }

    private static Optional<URI> redirection(URI from, HttpResponse response) throws IOException {
        if (response.getCode() < 300) {
            return Optional.empty();
        }
        var location = header(response, "Location").orElse("");
        URI next;
        try {
            next = from.resolve(new URI(location));
        } catch (URISyntaxException failure) {
            throw new IOException("%s: redirected to %s (expected: an address)".formatted(from, Shown.of(location)),
                    failure);
        }
        if (next.getHost() == null || !"https".equals(next.getScheme()) && !next.getScheme().equals(from.getScheme())) {
            throw new IOException("%s: redirected to %s (expected: https)".formatted(from, Shown.of(next)));
        }
        return Optional.of(next);
    }

    private boolean isHub(URI uri) {
        return endpoint.getScheme().equals(uri.getScheme()) && endpoint.getAuthority().equals(uri.getAuthority());
    }

    /** Returns words about the proxy to the Hub, for a message, without its password. */
    String detour() {
        return proxies.proxy(endpoint.getScheme(), endpoint.getHost(), endpoint.getPort())
                .map(proxy -> " by the proxy " + proxy).orElse("");
    }

    @Override
    public void close() {
        http.close(CloseMode.IMMEDIATE);
    }
}
