package org.lmdebugger.app.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.app.server.work.ModelChoice;
import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.corpus.Corpora;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** A server of the sample model on a free port, and a client of it. */
public final class TestServer implements AutoCloseable {
    static final String PROMPT = "Once upon a time there was a little";
    static final ObjectMapper JSON = new ObjectMapper();

    final ServerOptions options;
    final Debugger debugger;
    final Server server;
    final List<URI> links = new ArrayList<>();
    final HttpClient http = HttpClient.newHttpClient();
    final CountingDevice device = new CountingDevice(Devices.open("cpu"));
    private final Gpt2 model;

    public TestServer() {
        this(new ServerOptions("127.0.0.1", 0, Set.of("http://localhost:3000"), null, temporary(), temporary()));
    }

    TestServer(ServerOptions options) {
        this(options, ModelSource.of("sample"));
    }

    TestServer(ServerOptions options, ModelFiles files) {
        this(options, files, ModelChoice.NONE);
    }

    TestServer(ServerOptions options, ModelFiles files, ModelChoice choice) {
        this.options = options;
        model = Gpt2.load(files, device);
        debugger = new Debugger(model, new CorpusStore(model, options::cache, () -> Progress.NONE).ofServer());
        server = new Server(debugger, options, AccessTokens.random(), links::add, choice);
    }

    static Path temporary() {
        try {
            return Files.createTempDirectory("lmdebugger-test");
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** Builds the corpus {@code tales} of three short texts. */
    void buildTales() {
        var texts = Stream.of("The king was in his castle.", "A little dog ran to the river.",
                "The queen saw the king and the dog.");
        new Corpora(options.cache(), model).build("tales", Corpus.of(model, texts, 16), Progress.NONE);
    }

    public URI address() {
        return server.address();
    }

    /** A request, whose answer is as described; the header lines are name, value, name, value … */
    HttpResponse<String> send(String method, String path, String body, String... headers) {
        var request = HttpRequest.newBuilder(address().resolve(path))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        if (body != null) {
            request.setHeader("Content-Type", "application/json");
        }
        for (int i = 0; i < headers.length; i += 2) {
            request.setHeader(headers[i], headers[i + 1]);
        }
        try {
            var answer = http.send(request.build(), BodyHandlers.ofString());
            Description.INSTANCE.check(method, path, body, answer.statusCode(),
                    answer.headers().firstValue("Content-Type").orElse(""), answer.body());
            return answer;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
    }

    HttpResponse<String> post(String path, String body) {
        return send("POST", path, body);
    }

    HttpResponse<String> get(String path) {
        return send("GET", path, null);
    }

    static JsonNode json(HttpResponse<String> response) {
        return json(response.body());
    }

    static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException failure) {
            throw new AssertionError(text, failure);
        }
    }

    @Override
    public void close() {
        server.close();
        model.close();
        device.close();
    }
}
