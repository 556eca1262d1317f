package org.lmdebugger.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Asks the Hugging Face Hub, or a server that speaks as it does, for files. Redirections are followed here, so that
 * the token never goes to another server than the Hub.
 */
final class HubClient implements AutoCloseable {
    private static final int REDIRECTIONS = 5;
    private static final Duration PATIENCE = Duration.ofSeconds(30); // to connect, and until an answer begins
    private static final Pattern REVISION = Pattern.compile("[0-9a-f]{40}");
    private static final Pattern CHECKSUM = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(PATIENCE).build(); // follows nothing itself
    private final URI endpoint;
    private final Optional<String> token;

    /** @throws IllegalArgumentException if {@code endpoint} is no address of a server */
    HubClient(String endpoint, Optional<String> token) {
        if (!endpoint.matches("https?://[^/?#\\s]+(/[^?#\\s]*)?")) {
            throw new IllegalArgumentException("HF_ENDPOINT: %s (expected: an address such as https://huggingface.co)"
                    .formatted(endpoint));
        }
        this.endpoint = URI.create(endpoint.replaceFirst("/+$", ""));
        this.token = token;
    }

    /**
     * What the Hub says of a file.
     *
     * @param revision the commit that it is of
     * @param checksum SHA-256 of a large file, Git's SHA-1 of a small one; never anything that could be a path
     * @param size     in bytes
     */
    record RemoteFile(URI location, String revision, String checksum, long size) {
    }

    /** An answer that says no; 404 for what is not there, 401 and 403 for what needs a token. */
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

    /** @throws Refused if there is no such file, or not for us */
    RemoteFile ask(String id, String revision, String file) throws IOException {
        var location = URI.create("%s/%s/resolve/%s/%s".formatted(endpoint, id, revision, file));
        var answer = new RemoteHeaders();
        var uri = location;
        for (int i = 0; i <= REDIRECTIONS; i++) {
            var response = send(request(uri).HEAD(), BodyHandlers.discarding());
            answer.add(response.headers());
            var next = redirection(response);
            if (next.isEmpty() || !isHub(next.get())) { // the store of large files has nothing to add
                return answer.remote(location);
            }
            uri = next.get();
        }
        throw new IOException(location + ": more than " + REDIRECTIONS + " redirections");
    }

    /** What one or several answers on the way to a file say; the first word counts. */
    private static final class RemoteHeaders {
        private String revision = "";
        private String linkedChecksum = "";
        private String checksum = "";
        private long linkedSize = -1;
        private long size = -1;

        void add(HttpHeaders headers) {
            revision = revision.isEmpty() ? headers.firstValue("X-Repo-Commit").orElse("") : revision;
            linkedChecksum = linkedChecksum.isEmpty() ? checksum(headers.firstValue("X-Linked-ETag")) : linkedChecksum;
            checksum = checksum(headers.firstValue("ETag"));
            linkedSize = linkedSize < 0 ? size(headers.firstValue("X-Linked-Size")) : linkedSize;
            size = size(headers.firstValue("Content-Length"));
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
            if (!REVISION.matcher(remote.revision()).matches() || !CHECKSUM.matcher(remote.checksum()).matches()
                    || remote.size() < 0) {
                throw new IOException("%s: revision \"%s\", checksum \"%s\", size %d (expected: those of a Hub's file)"
                        .formatted(location, remote.revision(), remote.checksum(), remote.size()));
            }
            return remote;
        }
    }

    /**
     * The contents from byte {@code from} on: status 206, or 200 and everything where the server does not know ranges.
     * The caller closes the body.
     */
    HttpResponse<InputStream> open(RemoteFile file, long from) throws IOException {
        var uri = file.location();
        for (int i = 0; i <= REDIRECTIONS; i++) {
            var request = request(uri).GET();
            if (from > 0) {
                request.header("Range", "bytes=%d-".formatted(from));
            }
            var response = send(request, BodyHandlers.ofInputStream());
            var next = redirection(response);
            if (next.isEmpty()) {
                return response;
            }
            response.body().close();
            uri = next.get();
        }
        throw new IOException(file.location() + ": more than " + REDIRECTIONS + " redirections");
    }

    private HttpRequest.Builder request(URI uri) {
        var request = HttpRequest.newBuilder(uri).timeout(PATIENCE).header("Accept-Encoding", "identity")
                .header("User-Agent", "lmdebugger");
        token.filter(secret -> isHub(uri)).ifPresent(secret -> request.header("Authorization", "Bearer " + secret));
        return request;
    }

    private <T> HttpResponse<T> send(HttpRequest.Builder request, BodyHandler<T> handler) throws IOException {
        try {
            var response = http.send(request.build(), handler);
            if (response.statusCode() >= 400) {
                if (response.body() instanceof InputStream body) {
                    body.close();
                }
                throw new Refused(response.uri(), response.statusCode());
            }
            return response;
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(stop);
        }
    }

    private static Optional<URI> redirection(HttpResponse<?> response) throws IOException {
        if (response.statusCode() < 300) {
            return Optional.empty();
        }
        var location = response.headers().firstValue("Location").orElse("");
        URI next;
        try {
            next = response.uri().resolve(new URI(location));
        } catch (URISyntaxException failure) {
            throw new IOException("%s: redirected to %s (expected: an address)".formatted(response.uri(), location),
                    failure);
        }
        if (!"https".equals(next.getScheme()) && !next.getScheme().equals(response.uri().getScheme())) {
            throw new IOException("%s: redirected to %s (expected: https)".formatted(response.uri(), next));
        }
        return Optional.of(next);
    }

    private boolean isHub(URI uri) {
        return endpoint.getScheme().equals(uri.getScheme()) && endpoint.getAuthority().equals(uri.getAuthority());
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
