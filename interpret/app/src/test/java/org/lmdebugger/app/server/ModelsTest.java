package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.json;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.lmdebugger.app.server.work.ModelChoice;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.hub.ModelSource;

/** The choice among models, and requests that are about another one. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ModelsTest {
    private static final ModelFiles SAMPLE = ModelSource.of("sample");
    private static final ModelFiles OTHER = new ModelFiles("other", SAMPLE.directory());

    private final List<ModelFiles> loads = new ArrayList<>();

    @AutoClose
    private final TestServer server = new TestServer(
            new ServerOptions("127.0.0.1", 0, Set.of(), null, TestServer.temporary(), TestServer.temporary()), SAMPLE,
            new ModelChoice() {
                @Override
                public List<ModelFiles> list() {
                    return List.of(SAMPLE, OTHER);
                }

                @Override
                public void load(ModelFiles model) {
                    loads.add(model);
                }

                @Override
                public Optional<String> failure() {
                    return Optional.of("third cannot be loaded: it is broken");
                }
            });

    private String problem(int status, String model) {
        var answer = server.post("/api/v1/models", "{\"model\": \"%s\"}".formatted(model));
        assertThat(answer.statusCode()).isEqualTo(status);
        return json(answer).get("detail").textValue();
    }

    @Test
    void aModelOfTheListIsLoadedUnlessItIs() {
        var models = json(server.get("/api/v1/models"));
        assertThat(models.get("loaded").textValue()).isEqualTo("sample");
        assertThat(models.at("/models/1/name").textValue()).isEqualTo("other");
        assertThat(models.at("/models/0/bytes").longValue()).isEqualTo(SAMPLE.byteSize());
        assertThat(models.get("failure").textValue()).isEqualTo("third cannot be loaded: it is broken");
        loads.clear();
        assertThat(server.post("/api/v1/models", "{\"model\": \"sample\"}").statusCode()).isEqualTo(202);
        assertThat(loads).isEmpty();
        assertThat(server.post("/api/v1/models", "{\"model\": \"other\"}").statusCode()).isEqualTo(202);
        assertThat(loads).containsExactly(OTHER);
        assertThat(problem(400, "fourth")).isEqualTo("model: fourth (expected: one that GET /api/v1/models lists)");
    }

    @Test
    void workIsNotEndedByAnother() throws Exception {
        loads.clear();
        var begun = new CountDownLatch(1);
        var end = new CompletableFuture<Void>();
        var job = server.server.queue().interactive(running -> {
            begun.countDown();
            end.join();
            return null;
        });
        begun.await();
        try {
            assertThat(problem(409, "other"))
                    .isEqualTo("model: sample is at work (expected: none; wait for its end, or cancel it)");
        } finally {
            end.complete(null);
        }
        job.result().get();
        assertThat(loads).isEmpty();
    }

    @Test
    void aRequestAboutAnotherModelIsRefused() {
        var fingerprint = server.debugger.model().fingerprint();
        var right = server.send("POST", "/api/v1/tokenize", "{\"text\": \"a\"}", Server.MODEL, fingerprint);
        assertThat(right.statusCode()).isEqualTo(200);
        assertThat(right.headers().firstValue(Server.MODEL)).hasValue(fingerprint);
        var wrong = server.send("POST", "/api/v1/tokenize", "{\"text\": \"a\"}", Server.MODEL, "0".repeat(64));
        assertThat(wrong.statusCode()).isEqualTo(409);
        assertThat(json(wrong).get("detail").textValue()).isEqualTo(
                "model: sample is loaded now, not the one that this request is about (expected: its fingerprint, %s); reload the page"
                        .formatted(fingerprint));
    }
}
