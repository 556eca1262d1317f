package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.lmdebugger.app.server.work.Job;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.TestFiles;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.interpret.trace.Flow;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Model, tokens and traces, as programs ask for them. */
class ApiTest {
    @AutoClose
    private static final TestServer server = new TestServer();

    @Test
    void model() {
        var model = json(server.get("/api/v1/model"));
        assertThat(model.get("model").textValue()).isEqualTo("sample");
        assertThat(model.get("layers").intValue()).isEqualTo(4);
        assertThat(model.get("neurons").intValue()).isEqualTo(768);
        assertThat(model.at("/limits/queued_requests").intValue()).isGreaterThanOrEqualTo(64);
        assertThat(model.fieldNames()).toIterable().containsExactly("version", "model", "fingerprint", "device",
                "hardware", "precision", "layers", "neurons", "width", "heads", "positions", "vocabulary", "limits");
        assertThat(model.get("limits").toString()).isEqualTo(
                """
                        {"body_bytes":4194304,"prompt_characters":32768,"edits":256,"generated_tokens":512,"continuations":8,\
                        "top":100,"followed_tokens":32,"trace_cells":300000,"trace_total_effects":10000,"attention_weights":1000000,\
                        "interventions":256,\
                        "sweep_prompts":64,"sweep_operations":8,"sweep_effects":1000000,"sweep_numbers":4000000,"patch_cells":100000,\
                        "search_characters":1000,"name_characters":100,"queued_requests":128,"sweeps":32}""");
    }

    @Test
    void tokens() {
        var tokens = json(server.post("/api/v1/tokenize", "{\"text\": \"Once upon\"}")).get("tokens");
        assertThat(tokens).hasSize(2);
        assertThat(tokens.get(1).get("text").textValue()).isEqualTo(" upon");
        assertThat(tokens.get(1).get("raw").textValue()).isEqualTo("Ġupon");
        var none = json(server.post("/api/v1/tokenize", "{\"text\": \"\"}"));
        assertThat(none.get("tokens")).isEmpty();
        assertThat(none.get("added")).isEmpty();
    }

    @Test
    void aDeviceWithoutMemoryIsBusyForNow() {
        try (var own = new TestServer()) {
            var request = "{\"prompt\": \"Once upon\"}";
            own.device.full = true;
            var answer = own.post("/api/v1/trace", request);
            assertThat(answer.statusCode()).isEqualTo(503);
            assertThat(json(answer).get("detail").textValue()).isEqualTo("memory of cpu: full");
            own.device.full = false;
            assertThat(own.post("/api/v1/trace", request).statusCode()).isEqualTo(200);
        }
    }

    @Test
    void traceOfEditsWithWhatTheyStartFrom() {
        var trace = json(server.post("/api/v1/trace",
                """
                        {"prompt": "%s", "edits": ["L1D483=0", "L0D95*=3@last"], "positions": [0, 7], "top": 3, "tokens": [" boy", "#620"],
                         "total": true}"""
                        .formatted(PROMPT)));
        assertThat(trace.at("/positions/1/layers/0/dominant/0/total").isNumber()).isTrue();
        assertThat(trace.at("/positions/1/layers/3/chosen/1/token").textValue()).isEqualTo(" girl");
        assertThat(trace.at("/edited/positions/1/layers/3/after")).hasSize(3);
        assertThat(trace.at("/coefficients/0/clean")).hasSize(8);
        assertThat(trace.at("/coefficients/0/clean/7").floatValue())
                .isEqualTo(server.debugger.trace(PROMPT).position(-1).layer(1).dominant().getFirst().coefficient());
        assertThat(trace.at("/coefficients/1/neuron").intValue()).isEqualTo(95);
    }

    /** The ids decode to another text, as the tokenizer begins every text by itself. */
    @Test
    void theTracedPromptIsTheRequests() throws Exception {
        var folder = TestServer.temporary();
        for (var name : List.of("config.json", "model.safetensors", "vocab.json", "merges.txt")) {
            Files.copy(TestFiles.sample().resolve(name), folder.resolve(name));
        }
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"add_bos_token\": true}");
        try (var other = new TestServer(server.options, ModelFiles.of(folder))) {
            var trace = json(other.post("/api/v1/trace", """
                    {"prompt": "Once upon", "edits": ["L1D2=0"], "positions": "all", "top": 1}"""));
            assertThat(trace.fieldNames()).toIterable().containsExactly("model", "device", "precision", "mode",
                    "prompt", "tokens", "added", "positions", "edited", "coefficients");
            assertThat(trace.get("prompt").textValue()).isEqualTo("Once upon");
            assertThat(trace.get("tokens")).hasSize(3);
            assertThat(trace.get("positions")).hasSize(3);
            assertThat(trace.at("/coefficients/0/clean")).hasSize(3);
        }
    }

    @Test
    void positions() {
        assertThat(json(server.post("/api/v1/trace",
                "{\"prompt\": \"%s\", \"positions\": \"all\", \"top\": 1}".formatted(PROMPT)))
                        .get("positions")).hasSize(8);
        assertThat(json(server.post("/api/v1/trace", "{\"prompt\": \"%s\", \"top\": 1}".formatted(PROMPT)))
                .at("/positions/0/position").intValue())
                        .isEqualTo(7);
    }

    @Test
    void attributionsAndAttentionAreThoseOfTheLibrary() throws Exception {
        var positions = json(server.post("/api/v1/trace",
                """
                        {"prompt": "%s", "edits": ["L1.mid*=2"], "positions": [3, -1], "target": " girl", "against": " boy",
                         "attribution": true, "neurons": 2, "neurons_by": "coefficient", "attention": true, "top": 2}"""
                        .formatted(PROMPT)));
        var options = AttributionOptions.DEFAULT.target(Target.of(" girl", " boy")).neurons(2)
                .by(NeuronOrder.COEFFICIENT);
        for (var run : Map.of("/positions", Intervention.NONE, "/edited/positions", Intervention.parse("L1.mid*=2"))
                .entrySet()) {
            var expected = server.debugger.attribute(Prompt.of(PROMPT), run.getValue(), options, Progress.NONE);
            var attribution = positions.at(run.getKey() + "/1/attribution");
            assertThat(attribution.get("logit").floatValue()).isEqualTo((float) expected.logit());
            assertThat(attribution.get("parts")).hasSameSizeAs(expected.contributions());
            assertThat(attribution.at("/parts/5/direct").floatValue())
                    .isEqualTo((float) expected.contributions().get(5).direct());
            var ffn = expected.contributions().get(9);
            assertThat(attribution.at("/parts/9/neurons")).hasSize(2);
            assertThat(attribution.at("/parts/9/neurons/1/neuron").textValue())
                    .isEqualTo(ffn.neurons().get(1).neuron().toString());
            assertThat(attribution.at("/parts/9/neurons/1/direct").floatValue())
                    .isEqualTo((float) ffn.neurons().get(1).direct());
            assertThat(attribution.at("/parts/9/other_neurons").floatValue()).isEqualTo((float) ffn.otherNeurons());
            assertThat(positions.at(run.getKey() + "/1/attention/3/total").floatValue())
                    .isEqualTo((float) expected.heads().get(3).total().getAsDouble());
        }
        assertThat(positions.at("/positions/0/against/token").textValue()).isEqualTo(" boy");
        assertThat(positions.at("/positions/0/attention/0/total").isNumber()).isTrue();
        assertThat(positions.at("/edited/positions/0/attention/0/total").isMissingNode()).isTrue();
    }

    @Test
    void theEditedRunAlone() throws Exception {
        var body = "{\"prompt\": \"%s\", \"edits\": [\"L1D483=-9\"], \"target\": \" girl\", \"top\": 3%s}";
        var both = json(server.post("/api/v1/trace", body.formatted(PROMPT, "")));
        var edited = json(server.post("/api/v1/trace", body.formatted(PROMPT, ", \"clean\": false")));
        assertThat(edited.get("edited")).isEqualTo(both.get("edited"));
        assertThat(edited.has("positions")).isFalse();
        assertThat(edited.has("coefficients")).isFalse();
        for (var wrong : List.of("{\"prompt\": \"a\", \"clean\": false}",
                "{\"prompt\": \"a\", \"clean\": false, \"edits\": [\"L1D483=0\"], \"total\": true}")) {
            var answer = server.post("/api/v1/trace", wrong);
            assertThat(answer.statusCode()).isEqualTo(400);
            assertThat(json(answer).get("detail").textValue()).startsWith("clean: left out, with ");
        }
    }

    @Test
    void coefficientsAndAttentionAreThoseOfTheRun() throws Exception {
        var coefficients = json(server.post("/api/v1/coefficients",
                "{\"prompt\": \"%s\", \"neurons\": [\"L1D483\", \"L0D7\"]}".formatted(PROMPT)));
        var weights = json(server.post("/api/v1/attention",
                "{\"prompt\": \"%s\", \"layer\": 2, \"edits\": [\"L1D483=-9\"]}".formatted(PROMPT)));
        try (var clean = server.debugger.run(PROMPT);
                var edited = server.debugger.run(PROMPT, Intervention.parse("L1D483=-9"));
                var pattern = edited.pattern(2)) {
            assertThat(coefficients.at("/neurons/0/clean/7").floatValue())
                    .isEqualTo(clean.coefficients(1).columns(483, 1).toFloats()[7]);
            assertThat(coefficients.at("/neurons/1/neuron").intValue()).isEqualTo(7);
            int heads = server.debugger.model().config().heads();
            assertThat(weights.get("heads")).hasSize(heads);
            assertThat(weights.at("/heads/1/5")).hasSize(6);
            assertThat(weights.at("/heads/1/5/3").floatValue()).isEqualTo(pattern.toFloats()[(8 + 5) * 8 + 3]);
        }
        assertThat(json(server.post("/api/v1/coefficients", "{\"prompt\": \"a\", \"neurons\": [\"L9D0\"]}"))
                .get("detail").textValue()).contains("L9D0");
        assertThat(json(server.post("/api/v1/attention", "{\"prompt\": \"a\", \"layer\": 4}")).get("detail")
                .textValue()).isEqualTo("layer: 4 (expected: 0 to 3)");
    }

    @Test
    void routesAreThoseOfTheRunAndEffectsThoseOfEachIntervention() {
        var flow = json(server.post("/api/v1/flow", "{\"prompt\": \"%s\", \"least\": 0.1}".formatted(PROMPT)));
        try (var run = server.debugger.run(PROMPT)) {
            var expected = Flow.of(run, Intervention.NONE, 7, 0.1);
            assertThat(flow.get("nodes")).hasSize(expected.nodes().size());
            assertThat(flow.get("links")).hasSize(expected.links().size());
            var link = expected.links().getFirst();
            assertThat(flow.at("/links/0/share").doubleValue()).isEqualTo(link.share());
            assertThat(flow.at("/links/0/head").intValue()).isEqualTo(link.head());
        }
        var effects = json(server.post("/api/v1/effects",
                """
                        {"prompt": "%s", "target": " girl", "against": " boy", "edits": ["L1D483=0"],
                         "interventions": [["L3H0=0@last"], [], ["L0.ffn=0@2", "L1.ffn=0@2"], ["L2H1.link=off@7->4"]]}"""
                        .formatted(PROMPT))).get("effects");
        assertThat(effects).hasSize(4);
        assertThat(effects.get(0).floatValue()).isCloseTo(
                difference("L1D483=0") - difference("L1D483=0", "L3H0=0@last"),
                within(1e-4f));
        assertThat(effects.get(1).floatValue()).isZero();
        assertThat(effects.get(2).floatValue()).isCloseTo(
                difference("L1D483=0") - difference("L1D483=0", "L0.ffn=0@2", "L1.ffn=0@2"), within(1e-4f));
        assertThat(effects.get(3).floatValue()).isCloseTo(
                difference("L1D483=0") - difference("L1D483=0", "L2H1.link=off@7->4"), within(1e-4f));
    }

    /** Returns the logit of " girl" minus that of " boy" after the prompt. */
    private float difference(String... edits) {
        try (var run = server.debugger.run(PROMPT, Intervention.parse(edits)); var logits = run.logits()) {
            var row = logits.row(7).toFloats();
            var tokenizer = server.debugger.model().tokenizer();
            return row[tokenizer.single(" girl")] - row[tokenizer.single(" boy")];
        }
    }

    @Test
    void whatFlowAndEffectsCannotTakeIsSaid() {
        for (var wrong : List.of(List.of("flow", "\"least\": 0.001", "least: 0.001 (expected: 0.01 to 1)"),
                List.of("flow", "\"position\": 8", "position: 8 (expected: 0 to 7)"),
                List.of("effects", "\"interventions\": [[]]", "target: missing (expected: a token)"),
                List.of("effects", "\"target\": \"#1\"", "interventions: none (expected: at least one list of edits)"),
                List.of("effects",
                        "\"target\": \"#1\", \"interventions\": [[]], \"position\": 3, \"edits\": [\"L0D0=0\"]",
                        "position: 3 under edits, which may name theirs by the prompt's end (expected: the last, 7; or no edits)"))) {
            var answer = server.post("/api/v1/" + wrong.get(0),
                    "{\"prompt\": \"%s\", %s}".formatted(PROMPT, wrong.get(1)));
            assertThat(answer.statusCode()).as(wrong.get(1)).isEqualTo(400);
            assertThat(json(answer).get("detail").textValue()).isEqualTo(wrong.get(2));
        }
    }

    @Test
    void answersAreCompressedAndFilesOfThePageAreKept() {
        var script = server.send("GET", "/lib/vue.js", null, "Accept-Encoding", "gzip");
        assertThat(script.headers().firstValue("Content-Encoding")).hasValue("gzip");
        assertThat(script.headers().firstValue("Cache-Control")).hasValue("no-cache");
        var again = server.send("GET", "/lib/vue.js", null, "If-None-Match",
                script.headers().firstValue("ETag").orElseThrow());
        assertThat(again.statusCode()).isEqualTo(304);
        assertThat(again.body()).isEmpty();
        assertThat(server.send("GET", "/lib/vue.js", null, "If-None-Match", "\"other\"").statusCode()).isEqualTo(200);
        assertThat(server.get("/api/v1/model").headers().firstValue("Cache-Control")).hasValue("no-store");
    }

    @Test
    void anAttributionOfManyPositionsIsRefused() throws Exception {
        var answer = server.post("/api/v1/trace",
                "{\"prompt\": \"%s\", \"positions\": \"all\", \"top\": 1, \"attribution\": true}"
                        .formatted("a ".repeat(120)));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).startsWith("positions: attributions of ")
                .endsWith(
                        " neurons (expected: at most 10,000, 300,000 and 300,000; ask for fewer positions)");
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\", \"attribution\": true, \"neurons\": 101}").body())
                .contains("neurons: 101 (expected: 0 to 100)");
    }

    /** Everyone with another intervention, all at once. */
    @Test
    void usersDoNotAffectEachOther() throws Exception {
        var bodies = IntStream.range(0, 12)
                .mapToObj(i -> "{\"prompt\": \"%s\", \"edits\": [\"L%dD%d=%d\"], \"top\": 5, \"total\": true}"
                        .formatted(PROMPT, i % 4, 40 * i, i - 5))
                .toList();
        var alone = bodies.stream().map(body -> server.post("/api/v1/trace", body).body()).toList();
        assertThat(alone).doesNotHaveDuplicates();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var together = new ArrayList<Future<String>>();
            for (int round = 0; round < 3; round++) {
                bodies.forEach(body -> together.add(threads.submit(() -> server.post("/api/v1/trace", body).body())));
            }
            for (int i = 0; i < together.size(); i++) {
                assertThat(together.get(i).get()).isEqualTo(alone.get(i % alone.size()));
            }
        }
    }

    @Test
    void promptsThatEditsTakeFromAreBoundedAsAllPromptsAre() {
        var from = "from:\\\"" + "a ".repeat(17_000) + "\\\"";
        for (var answer : List.of(
                server.post("/api/v1/trace", "{\"prompt\": \"a\", \"edits\": [\"L0D0=%s\"]}".formatted(from)),
                server.post("/api/v1/generate",
                        "{\"prompt\": \"a\", \"continuations\": [{\"edits\": [\"L0D0=%s\"]}]}".formatted(from)),
                server.post("/api/v1/experiments",
                        "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\", \"edits\": [\"L0D0=%s\"]}"
                                .formatted(from)),
                server.post("/api/v1/sweeps", "{\"prompts\": [\"a\"], \"operations\": [\"%s\"]}".formatted(from)))) {
            assertThat(answer.statusCode()).isEqualTo(400);
            assertThat(json(answer).get("detail").textValue())
                    .isEqualTo("prompt: 34,000 characters (expected: at most 32,768)");
        }
    }

    @Test
    void aNetworkThatOverflowsIsTheRequestsFault() {
        var body = "{\"prompt\": \"Once upon a time\", %s[\"L0D1=1e38\", \"L0D1*=1e38%s\"]%s}";
        var detail = "edits: L0D1=1.0E38; L0D1*=1.0E38: the network's numbers are not finite from layer 0 on "
                + "(expected: smaller edits, as FP32 ends at 3.4e38)";
        for (var answer : List.of(server.post("/api/v1/trace", body.formatted("\"edits\": ", "", "")),
                server.post("/api/v1/generate", body.formatted("\"continuations\": [{\"edits\": ", "", "}]")),
                server.post("/api/v1/generate",
                        body.formatted("\"temperature\": 1, \"continuations\": [{\"edits\": ", "", "}]")))) {
            assertThat(answer.statusCode()).isEqualTo(400);
            assertThat(json(answer).get("detail").textValue()).isEqualTo(detail);
        }
        var later = server.post("/api/v1/generate",
                body.formatted("\"continuations\": [{\"edits\": ", "@generated", "}]"));
        assertThat(later.statusCode()).isEqualTo(200);
        assertThat(later.body()).containsSubsequence("event: token\n", "event: problem\n", "\"status\":400",
                "the network's numbers are not finite from layer 0 on").doesNotContain("NaN");
    }

    /** A refusal quotes the beginning alone, and ranges are not counted out. */
    @Test
    void aLongEditIsRefusedInAFewWords() {
        for (var edit : List.of("L0D0=0@" + "0..999999999,".repeat(100_000) + "0", "L0D0=0@" + "x".repeat(1_000_000),
                "L0D0=" + "1 ".repeat(500_000))) {
            var answer = server.post("/api/v1/trace", "{\"prompt\": \"a\", \"edits\": [\"%s\"]}".formatted(edit));
            assertThat(answer.statusCode()).isEqualTo(400);
            assertThat(json(answer).get("detail").textValue()).hasSizeLessThan(500);
        }
    }

    @Test
    void whoGoesAwayIsNotWaitedFor() throws Exception {
        var go = new CountDownLatch(1);
        try (var slow = new TestServer()) {
            var queue = slow.server.queue();
            queue.interactive(job -> await(go));
            while (queue.running().isEmpty()) {
                Thread.sleep(5); // else this job is the one that waits
            }
            var cancelled = new ArrayList<Job<?>>();
            try (var socket = new Socket("127.0.0.1", slow.address().getPort())) {
                send(socket, "{\"prompt\": \"a\"}");
                while (queue.waiting().isEmpty()) {
                    Thread.sleep(5);
                }
                cancelled.addAll(queue.waiting());
            }
            for (int i = 0; i < 1000 && !cancelled.getFirst().isCancelled(); i++) {
                Thread.sleep(10);
            }
            assertThat(cancelled).singleElement().matches(Job::isCancelled);
            go.countDown();
            assertThat(slow.get("/api/v1/model").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void requestsOnOneConnectionAreAnsweredInOrder() throws Exception {
        var go = new CountDownLatch(1);
        try (var slow = new TestServer(); var socket = new Socket("127.0.0.1", slow.address().getPort())) {
            slow.server.queue().interactive(job -> await(go));
            send(socket, "{\"prompt\": \"a b\", \"top\": 1}");
            Thread.sleep(300); // looked for, and not found
            send(socket, "{\"prompt\": \"c d\", \"top\": 1}");
            Thread.sleep(500); // found, while the first still waits
            go.countDown();
            var answer = new StringBuilder();
            var buffer = new byte[1 << 16];
            socket.setSoTimeout(10_000);
            while (!answer.toString().contains("\"prompt\":\"c d\"")) {
                int read = socket.getInputStream().read(buffer);
                assertThat(read).as(answer.toString()).isPositive();
                answer.append(new String(buffer, 0, read, StandardCharsets.UTF_8));
            }
            assertThat(answer).containsSubsequence("HTTP/1.1 200", "\"prompt\":\"a b\"", "HTTP/1.1 200",
                    "\"prompt\":\"c d\"");
        }
    }

    private static void send(Socket socket, String body) throws IOException {
        socket.getOutputStream().write(
                ("POST /api/v1/trace HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body).getBytes(StandardCharsets.UTF_8));
        socket.getOutputStream().flush();
    }

    private static Void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
        return null;
    }
}
