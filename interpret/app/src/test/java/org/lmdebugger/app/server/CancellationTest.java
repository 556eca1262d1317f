package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.app.server.routes.Limits;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.Job;
import org.lmdebugger.app.server.work.SweepJob;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** Who goes away is not worked for; who waits has their turn; and stopping is orderly. */
@Timeout(600) // ends a hang, also on a busy machine
class CancellationTest {
    private static final String LONG = "and then ".repeat(60).strip(); // of the 128 tokens that fit

    private final CountDownLatch go = new CountDownLatch(1);
    @AutoClose
    private TestServer server = new TestServer();

    @AfterEach
    void letGo() {
        go.countDown();
    }

    private Socket send(String path, String body) throws IOException {
        var socket = RawRequests.connect(server.address());
        RawRequests.write(socket,
                "POST " + path + " HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: "
                        + body.length() + "\n\n");
        socket.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        socket.getOutputStream().flush();
        return socket;
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean()) {
            Thread.sleep(5); // the test's timeout bounds it
        }
    }

    /** Keeps the inference thread busy until {@link #go}. */
    private void block() throws InterruptedException {
        var started = new CountDownLatch(1);
        server.server.queue().interactive(job -> {
            started.countDown();
            try {
                go.await();
                return true;
            } catch (InterruptedException failure) {
                throw new AssertionError(failure);
            }
        });
        started.await();
    }

    private Job<?> running() throws InterruptedException {
        var found = new ArrayList<Job<?>>();
        await(() -> {
            found.addAll(server.server.queue().running());
            return !found.isEmpty();
        });
        return found.getFirst();
    }

    @Test
    void aTraceThatMeasuresTotalEffectsEndsWithItsClient() throws Exception {
        var client = send("/api/v1/trace",
                "{\"prompt\": \"%s\", \"positions\": \"all\", \"top\": 20, \"total\": true}".formatted(LONG));
        var job = running();
        client.close();
        await(() -> job.result().isDone());
        assertThat(job.result().isCompletedExceptionally()).isTrue();
    }

    @Test
    void aGenerationEndsWithItsClient() throws Exception {
        var client = send("/api/v1/generate",
                "{\"prompt\": \"Once\", \"tokens\": 120, \"continuations\": [{},{},{},{},{},{},{},{}]}");
        assertThat(client.getInputStream().read()).isPositive();
        var job = running();
        client.close();
        await(() -> job.result().isDone());
        assertThat((List<?>) job.result().resultNow()).anySatisfy(
                generation -> assertThat(((Generation) generation).end()).isEqualTo(Generation.End.CANCELLED));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`',
            value = {"patch| , \"sites\": [\"neurons\"], \"at\": \"all\"", "edges| ``"})
    void patchingLetsOthersHaveTheirTurnAndEndsWithItsClient(String route, String options) throws Exception {
        var client = send("/api/v1/" + route, """
                {"clean": "The %1$s", "corrupted": "A %1$s", "answers": [" a"], "wrong": [" the"]%2$s}"""
                .formatted(LONG, options));
        assertThat(client.getInputStream().read()).isPositive();
        var job = running();
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\"}").statusCode()).isEqualTo(200);
        assertThat(job.result().isDone()).isFalse();
        client.close();
        await(() -> job.result().isDone());
        assertThat(job.result().isCompletedExceptionally()).isTrue();
    }

    @Test
    void aContinuationForThePageOfLmDebuggerEndsWithItsClient() throws Exception {
        block();
        var client = send("/generate", "{\"prompt\": \"a\", \"generate_k\": 100, \"interventions\": []}");
        await(() -> server.server.queue().waiting().size() == 1);
        client.close();
        await(() -> server.server.queue().waiting().isEmpty());
    }

    @Test
    void whoGoesAwayMakesRoomAtOnce() throws Exception {
        block();
        var sockets = new ArrayList<Socket>();
        for (int i = 0; i < Limits.QUEUE; i++) {
            sockets.add(send("/api/v1/trace", "{\"prompt\": \"a\"}"));
        }
        await(() -> server.server.queue().waiting().size() == Limits.QUEUE);
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\"}").statusCode()).isEqualTo(429);
        assertThat(server.get("/api/v1/model").statusCode()).isEqualTo(200); // needs no turn
        for (var socket : sockets) {
            socket.close();
        }
        await(() -> server.server.queue().waiting().isEmpty());
        var answer = CompletableFuture
                .supplyAsync(() -> server.post("/api/v1/trace", "{\"prompt\": \"a\"}").statusCode());
        await(() -> server.server.queue().waiting().size() == 1);
        go.countDown();
        assertThat(answer.get()).isEqualTo(200);
    }

    @Test
    void asManyAsTheLineTakesAreAllAnswered() throws Exception {
        block();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var answers = new ArrayList<Future<String>>();
            for (int i = 0; i < 64; i++) {
                var body = "{\"prompt\": \"%s\", \"top\": 3, \"edits\": [\"L1D%d=5\"]}".formatted(PROMPT, i);
                answers.add(threads.submit(() -> server.post("/api/v1/trace", body).body()));
            }
            await(() -> server.server.queue().waiting().size() == 64);
            go.countDown();
            for (int i = 0; i < 64; i++) {
                assertThat(json(answers.get(i).get()).at("/coefficients/0/neuron").intValue()).isEqualTo(i);
            }
        }
    }

    private String sweep() {
        var answer = server.post("/api/v1/sweeps",
                """
                        {"prompts": ["%s"], "neurons": "all", "operations": ["set:1", "set:2", "set:3", "set:4"], "at": "all"}"""
                        .formatted(LONG));
        assertThat(answer.statusCode()).isEqualTo(201);
        return answer.headers().firstValue("Location").orElseThrow();
    }

    @Test
    void everyoneHasTheirTurnDuringASweepAndGetsWhatTheyWouldGetAlone() throws Exception {
        var traces = IntStream.range(0, 8)
                .mapToObj(i -> "{\"prompt\": \"%s\", \"edits\": [\"L%dD7=%d\"], \"total\": true}"
                        .formatted(PROMPT, i % 4, i + 1))
                .toList();
        var generation = "{\"prompt\": \"%s\", \"tokens\": 8, \"continuations\": [{\"edits\": [\"L1D5=9\"]}]}"
                .formatted(PROMPT);
        var alone = traces.stream().map(body -> server.post("/api/v1/trace", body).body()).toList();
        var generatedAlone = server.post("/api/v1/generate", generation).body();
        var sweep = sweep();
        await(() -> json(server.get(sweep)).get("state").textValue().equals("running"));
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var generated = threads.submit(() -> server.post("/api/v1/generate", generation).body());
            var together = traces.stream().map(body -> threads.submit(() -> server.post("/api/v1/trace", body).body()))
                    .toList();
            for (int i = 0; i < together.size(); i++) {
                assertThat(together.get(i).get()).isEqualTo(alone.get(i));
            }
            assertThat(generated.get()).isEqualTo(generatedAlone);
        }
        assertThat(json(server.get(sweep)).get("state").textValue()).isEqualTo("running");
        server.send("DELETE", sweep, null);
    }

    @Test
    void aSweepThatIsCancelledBeforeItsTurnLeavesTheLine() throws Exception {
        block();
        var sweeps = new ArrayList<String>();
        var plan = server.debugger.plan(Sweep.of("a b").allNeurons().off().measure(Measure.kl()));
        var inference = new Inference(server.debugger, server.server.queue());
        for (int i = 0; i < Limits.QUEUE; i++) {
            var job = new SweepJob(plan, "any", Optional.empty(), System::nanoTime);
            job.start(inference);
            sweeps.add(job.id());
            job.cancel();
            assertThat(job.progress().state()).isEqualTo("cancelled");
            assertThat(job.progress().problem()).isNull();
        }
        assertThat(sweeps).doesNotHaveDuplicates();
        assertThat(server.server.queue().waiting()).isEmpty();
    }

    @Test
    void aSweepThatNobodyLooksAtEnds() throws Exception {
        var clock = new AtomicLong();
        var inference = new Inference(server.debugger, server.server.queue());
        var plan = server.debugger
                .plan(Sweep.of(LONG).allNeurons().off().atAll().measure(Measure.kl()).memory(8 << 20));
        assertThat(plan.chunks().size()).isGreaterThan(1);
        block();
        var deserted = new SweepJob(plan, "any", Optional.empty(), clock::get);
        deserted.start(inference);
        clock.addAndGet(TimeUnit.SECONDS.toNanos(61));
        var asked = new SweepJob(plan, "any", Optional.empty(), clock::get);
        asked.start(inference);
        go.countDown();
        await(() -> deserted.state().isFinal() && asked.state() == SweepJob.State.RUNNING);
        assertThat(deserted.state()).isEqualTo(SweepJob.State.CANCELLED);
        assertThat(deserted.progress().done()).isLessThan(plan.effects());
        asked.look();
        asked.cancel();
    }

    @Test
    void stoppingEndsStreamsWithAnEvent() throws Exception {
        var sweep = sweep();
        await(() -> json(server.get(sweep)).get("state").textValue().equals("running"));
        try (var socket = RawRequests.connect(server.address()); var generation = send("/api/v1/generate",
                "{\"prompt\": \"Once\", \"tokens\": 120, \"continuations\": [{},{},{},{},{},{},{},{}]}")) {
            RawRequests.write(socket, "GET " + sweep + "/events HTTP/1.1\nHost: localhost\n\n");
            var first = new byte[1];
            assertThat(generation.getInputStream().read(first)).isPositive(); // between chunks of the sweep
            assertThat(socket.getInputStream().read(first)).isPositive();
            server.server.close();
            assertThat(RawRequests.read(socket)).contains("event: end", "\"state\":\"cancelled\"");
            assertThat(RawRequests.read(generation)).containsPattern("\"end\":\"(cancelled|length)\"");
        }
    }

    @Test
    void stoppingTellsThoseWhoseRequestRuns() throws Exception {
        for (var request : Map.of("/api/v1/trace",
                "{\"prompt\": \"%s\", \"positions\": \"all\", \"top\": 20, \"total\": true}".formatted(LONG),
                "/generate", "{\"prompt\": \"Once\", \"generate_k\": 120, \"interventions\": []}").entrySet()) {
            try (var stopped = new TestServer()) {
                server.close();
                server = stopped;
                var client = send(request.getKey(), request.getValue());
                running();
                stopped.server.close();
                assertThat(RawRequests.read(client)).startsWith("HTTP/1.1 503").contains("about to stop");
            }
        }
    }

    @Test
    void stoppingTellsThoseWhoWait() throws Exception {
        block();
        var waiting = new ArrayList<Socket>();
        for (var path : List.of("/api/v1/trace", "/api/v1/generate", "/get_data")) {
            waiting.add(
                    send(path, "{\"prompt\": \"a\"" + (path.startsWith("/api") ? "}" : ", \"interventions\": []}")));
        }
        await(() -> server.server.queue().waiting().size() == 3);
        var closing = Thread.ofVirtual().start(server.server::close);
        await(() -> server.server.queue().running().stream().allMatch(Job::isCancelled));
        go.countDown();
        closing.join();
        for (var socket : waiting) {
            assertThat(RawRequests.read(socket)).startsWith("HTTP/1.1 503").contains("about to stop");
            socket.close();
        }
    }

    @Test
    void stoppingDoesNotWaitForWhoSendsNothing() throws Exception {
        try (var half = RawRequests.connect(server.address())) {
            RawRequests.write(half,
                    "POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 100\n\n{");
            assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\"}").statusCode()).isEqualTo(200);
            server.server.close();
            assertThat(RawRequests.read(half)).doesNotContain("200 OK");
        }
    }
}
