package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.PROMPT;

import java.io.IOException;
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
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.app.store.Processes;

/** Many requests: each gets what the first of its kind got, and nothing of them stays. How long they take, bench/serve tells. */
@Tag("slow")
class SoakTest {
    private static final long HEAP = 8 << 20; // that classes, caches and the tests' own objects may take more

    @AutoClose
    private static final TestServer server = new TestServer();

    private interface Server {
        HttpResponse<String> send(String method, String path, String body);
    }

    private record Request(String method, String path, String body) {
        static Request post(String path, String fields) {
            return new Request("POST", path, "{\"prompt\": \"%s\", %s}".formatted(PROMPT, fields));
        }

        String answer() {
            return answerOf(server::send);
        }

        String answerOf(Server server) {
            var answer = server.send(method, path, body);
            var made = answer.headers().firstValue("Location");
            if (made.isEmpty()) {
                return answer.statusCode() + answer.body();
            }
            var results = path.endsWith("sweeps") ? server.send("GET", made.get() + "/events", null).body()
                    .replaceAll("(?s).*event: end", "")
                    + server.send("GET", made.get() + "/strongest?top=3", null).body()
                    : server.send("GET", made.get(), null).body().replaceAll("\"saved\":\"[^\"]*\"", "");
            assertThat(server.send("DELETE", made.get(), null).statusCode()).isEqualTo(204);
            return (answer.statusCode() + results).replace(made.get().replaceFirst(".*/", ""), "ID");
        }
    }

    private static final List<Request> MIX = List.of(
            Request.post("/api/v1/trace", "\"edits\": [\"L1D483=0\", \"L0D95*=3@last\"], \"tokens\": [\" boy\"]"),
            Request.post("/get_data", "\"interventions\": [{\"layer\": 2, \"dim\": 7, \"coeff\": 1.0}]"),
            Request.post("/api/v1/generate", "\"tokens\": 4, \"continuations\": [{}, {\"edits\": [\"L1D5=9\"]}]"),
            new Request("POST", "/api/v1/tokenize", "{\"text\": \"Once upon a time\"}"),
            new Request("GET", "/get_projections/layer/1/dim/5", null),
            Request.post("/api/v1/trace",
                    "\"edits\": [\"L1D483=from:\\\"Then the big old\\\"@last\"], \"positions\": \"all\", \"top\": 2"),
            Request.post("/generate",
                    "\"generate_k\": 3, \"interventions\": [{\"layer\": 1, \"dim\": 483, \"coeff\": 0.0}]"),
            Request.post("/api/v1/trace", "\"edits\": [\"L99D0=0\"]"),
            new Request("POST", "/api/v1/sweeps",
                    "{\"prompts\": [\"%s\"], \"neurons\": \"dominant:3\"}".formatted(PROMPT)),
            Request.post("/get_data", "\"interventions\": [{\"layer\": 0, \"dim\": 99999, \"coeff\": 1.0}]"),
            Request.post("/api/v1/experiments",
                    "\"version\": 1, \"name\": \"n\", \"edits\": [\"L1D5=9\"], \"results\": [1]"),
            Request.post("/api/v1/trace", "\"total\": true, \"top\": 3"),
            new Request("GET", "/", null));

    private record Kept(long threads, long deviceBytes, long queued) {
        static Kept now() {
            return new Kept(
                    Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("inference"))
                            .count(),
                    server.device.openBytes(),
                    server.server.queue().waiting().size() + server.server.queue().running().size());
        }
    }

    private static long heap() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(50);
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    @Test
    void aThousandRequestsLeaveNothing() throws Exception {
        var expected = MIX.stream().map(Request::answer).toList();
        Kept before = null;
        long heapBefore = 0;
        for (int i = 0; i < 1000; i++) {
            if (i == 300) {
                before = Kept.now();
                heapBefore = heap();
            }
            assertThat(MIX.get(i % MIX.size()).answer()).isEqualTo(expected.get(i % MIX.size()));
        }
        assertThat(Kept.now()).isEqualTo(before).isEqualTo(new Kept(1, before.deviceBytes(), 0));
        assertThat(heap()).isLessThan(heapBefore + HEAP);
    }

    /** What the operating system counts of a process. */
    private record Used(long bytes, long threads, long files) {
        static Used by(Process process) throws Exception {
            var collect = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/jcmd").toString(),
                    String.valueOf(process.pid()), "GC.run");
            assertThat(collect.redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor()).isZero();
            var proc = Path.of("/proc", String.valueOf(process.pid()));
            var resident = Files.readString(proc.resolve("status")).replaceFirst("(?s).*VmRSS:\\s*(\\d+) kB.*", "$1");
            return new Used(1024 * Long.parseLong(resident), threads(proc.resolve("task")),
                    entries(proc.resolve("fd")).size());
        }

        /** Without those of the compilers and of virtual threads, which come and go. */
        private static long threads(Path tasks) throws IOException {
            return entries(tasks).stream().filter(task -> {
                try {
                    return !Files.readString(task.resolve("comm")).matches("(?s)(C[12] Compiler|ForkJoinPool).*");
                } catch (IOException ended) {
                    return false;
                }
            }).count();
        }

        private static List<Path> entries(Path folder) throws IOException {
            try (var entries = Files.list(folder)) {
                return entries.toList();
            }
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void twoThousandRequestsTakeNoMoreMemoryThreadsOrFiles(@TempDir Path folder) throws Exception {
        var process = Processes.serve(List.of(), folder, "--cache", folder.resolve("cache").toString());
        try (var lines = process.inputReader(); var http = HttpClient.newHttpClient()) {
            var address = URI.create(lines.readLine().replaceFirst(".*(http://\\S+).*", "$1"));
            Server other = (method, path, body) -> {
                try {
                    return http.send(HttpRequest.newBuilder(address.resolve(path))
                            .header("Content-Type", "application/json")
                            .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
                            .build(), BodyHandlers.ofString());
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            };
            Used before = null;
            for (int i = 0; i < 2_000; i++) {
                if (i == 500) { // after the first collection, which starts threads of its own
                    Used.by(process);
                    before = Used.by(process);
                }
                assertThat(MIX.get(i % MIX.size()).answerOf(other)).doesNotStartWith("5");
            }
            var after = Used.by(process);
            System.out.println("soak: after 500 requests " + before + ", after 2000 " + after);
            assertThat(after.bytes()).isLessThan(before.bytes() + before.bytes() / 20);
            assertThat(after.threads()).isLessThanOrEqualTo(before.threads());
            assertThat(after.files()).isLessThanOrEqualTo(before.files());
        } finally {
            process.destroyForcibly();
        }
    }

    /** Everyone with interventions of their own, in every way to ask. */
    @Test
    void thirtyTwoClientsGetWhatTheyWouldGetAlone() throws Exception {
        var clients = IntStream.range(0, 32).mapToObj(i -> switch (i % 4) {
            case 0 -> Request.post("/api/v1/trace",
                    "\"edits\": [\"L%dD%d=%d\"], \"total\": true, \"top\": 3".formatted(i / 8, 20 * i, i - 5));
            case 1 -> Request.post("/get_data",
                    "\"interventions\": [{\"layer\": %d, \"dim\": %d, \"coeff\": 1.0}]".formatted(i / 8, 20 * i));
            case 2 -> Request.post("/api/v1/generate",
                    "\"tokens\": 6, \"temperature\": 1, \"continuations\": [{\"edits\": [\"L%dD%d=9\"], \"seed\": %d}]"
                            .formatted(i / 8, 20 * i, i));
            default -> new Request("POST", "/api/v1/sweeps",
                    "{\"prompts\": [\"%s\"], \"neurons\": \"L%d\", \"operations\": [\"set:%d\"]}"
                            .formatted(PROMPT, i / 8, i));
        }).toList();
        var alone = clients.stream().map(Request::answer).toList();
        assertThat(alone).doesNotHaveDuplicates().noneMatch(answer -> answer.startsWith("4"));
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var together = new ArrayList<Future<String>>();
            for (int round = 0; round < 4; round++) {
                clients.forEach(client -> together.add(threads.submit(client::answer)));
            }
            for (int i = 0; i < together.size(); i++) {
                assertThat(together.get(i).get()).isEqualTo(alone.get(i % alone.size()));
            }
        }
    }
}
