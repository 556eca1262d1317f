package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.app.ranking.WordSearch;
import org.lmdebugger.app.server.work.Job;
import org.lmdebugger.app.store.Names;
import org.lmdebugger.app.store.ValueCache;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.ValueVectors.Reading;

/** Value vectors, searches and names, as the page asks for them. */
class ValuesApiTest {
    private static final Neuron VECTOR = new Neuron(2, 253);
    private static final Path DATA = TestServer.temporary();
    private static final Path CACHE = TestServer.temporary();

    @AutoClose
    private static final TestServer server = new TestServer(options());

    private static ServerOptions options() {
        return new ServerOptions("127.0.0.1", 0, Set.of(), null, DATA, CACHE);
    }

    private static JsonNode ok(String path) {
        var response = server.get(path);
        for (int i = 0; i < 1000 && response.statusCode() == 202; i++) {
            pause();
            response = server.get(path);
        }
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
    }

    private static List<String> keys(JsonNode node) {
        var keys = new ArrayList<String>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    @Test
    void whatAVectorSays() {
        var json = ok("/api/v1/values/L2D253");
        assertThat(keys(json)).containsExactly("layer", "neuron", "name", "reading", "norm", "top", "bottom");
        assertThat(json.get("reading").textValue()).isEqualTo("raw");
        assertThat(json.get("name").isNull()).isTrue();
        assertThat(json.get("top")).hasSize(50);
        assertThat(json.get("bottom")).hasSize(50);
        var expected = new ValueVectors(server.debugger.model()).project(VECTOR, 5, Reading.FINAL_NORM);
        json = ok("/api/v1/values/L2D253?top=5&reading=final-norm");
        for (int j = 0; j < 5; j++) {
            assertThat(keys(json.get("top").get(j))).containsExactly("id", "token", "raw", "logit");
            assertThat(json.get("top").get(j).get("id").intValue()).isEqualTo(expected.top().get(j).id());
            assertThat(json.get("bottom").get(j).get("logit").floatValue()).isEqualTo(expected.bottom().get(j).logit());
        }
        var row = server.debugger.model().layer(2).ffnOut().row(253).toFloats();
        double squares = IntStream.range(0, row.length).mapToDouble(i -> (double) row[i] * row[i]).sum();
        assertThat(json.get("norm").doubleValue()).isCloseTo(Math.sqrt(squares), within(1e-5));
    }

    @Test
    void similarVectors() {
        var json = ok("/api/v1/values/L2D253/similar?top=7");
        var expected = new ValueVectors(server.debugger.model()).similar(VECTOR, 7);
        assertThat(json.get("similar")).hasSize(7);
        for (int j = 0; j < 7; j++) {
            var each = json.get("similar").get(j);
            assertThat(keys(each)).containsExactly("layer", "neuron", "name", "score", "tokens");
            assertThat(each.get("neuron").intValue()).isEqualTo(expected.get(j).vector().neuron());
            assertThat(each.get("score").floatValue()).isEqualTo(expected.get(j).score());
            assertThat(each.get("tokens")).hasSize(8);
        }
    }

    @Test
    void vectorsThatPromoteOrSuppressTokens() {
        for (boolean suppress : new boolean[] {false, true}) {
            var json = ok("/api/v1/search/tokens?token=%20king&token=%20queen&top=3&suppress=" + suppress);
            assertThat(keys(json)).containsExactly("tokens", "suppress", "results");
            assertThat(json.at("/tokens/1/token").textValue()).isEqualTo(" queen");
            var vectors = new ValueVectors(server.debugger.model());
            int[] ids = {json.at("/tokens/0/id").intValue(), json.at("/tokens/1/id").intValue()};
            var expected = suppress ? vectors.suppress(ids, 3) : vectors.promote(ids, 3);
            assertThat(json.get("results")).hasSize(3).extracting(each -> each.get("score").floatValue())
                    .containsExactlyElementsOf(expected.stream().map(match -> match.score()).toList());
        }
    }

    @Test
    void vectorsFoundByWords() {
        var json = ok("/api/v1/search?words=King,%20queen&top=5");
        assertThat(json.get("terms").toString()).isEqualTo("[\"king\",\"queen\"]");
        assertThat(json.get("results")).hasSize(5);
        var first = json.at("/results/0");
        assertThat(keys(first)).containsExactly("layer", "neuron", "name", "score", "tokens");
        assertThat(first.get("tokens")).hasSize(50);
        assertThat(keys(first.at("/tokens/0"))).containsExactly("token", "raw", "matches");
        assertThat(first.get("tokens")).anySatisfy(token -> assertThat(token.get("matches").booleanValue()).isTrue())
                .allSatisfy(token -> assertThat(token.get("matches").booleanValue())
                        .isEqualTo(token.get("raw").textValue().matches("(?i)Ġ?(king|queen)")));
        try (var cache = new ValueCache(CACHE, server.debugger.model(), server.debugger.model().fingerprint())) {
            var search = new WordSearch(cache.projections().find().orElseThrow(), cache.vectors(),
                    server.debugger.model().tokenizer());
            assertThat(ok("/api/v1/search?words=king&weigh=true").get("results"))
                    .extracting(each -> each.get("score").floatValue())
                    .containsExactlyElementsOf(
                            search.search("king", 20, true).stream().map(WordSearch.Found::score).toList());
        }
        assertThat(ok("/api/v1/search?words=zzzzz").get("results")).isEmpty();
    }

    @Test
    void clusters() {
        var json = ok("/api/v1/values/L2D253/cluster");
        assertThat(keys(json)).containsExactly("label", "clusters", "method", "size", "representative", "tokens",
                "members");
        assertThat(json.get("method").textValue()).isEqualTo("complete_linkage");
        assertThat(json.get("clusters").intValue()).isEqualTo(256);
        assertThat(json.get("tokens")).hasSize(30);
        assertThat(json.get("members")).hasSize(Math.min(10, json.get("size").intValue()));
        assertThat(keys(json.at("/members/0"))).containsExactly("layer", "neuron", "name", "top");
        assertThat(json.at("/members/0/top")).hasSize(20);
        assertThat(keys(json.at("/members/0/top/0"))).containsExactly("id", "token", "raw", "logit");
        assertThat(json.at("/representative/neuron")).isEqualTo(json.at("/members/0/neuron"));
        assertThat(ok("/api/v1/clusters/" + json.get("label"))).isEqualTo(json);
        assertThat(server.get("/api/v1/clusters/256").statusCode()).isEqualTo(404);
    }

    @Test
    void names() {
        var put = server.send("PUT", "/api/v1/names/L2D253", "{\"name\": \" Könige 👑 \"}");
        assertThat(put.statusCode()).isEqualTo(200);
        assertThat(put.body()).isEqualTo("{\"layer\":2,\"neuron\":253,\"name\":\"Könige 👑\"}");
        assertThat(ok("/api/v1/names").toString()).isEqualTo("{\"names\":[%s]}".formatted(put.body()));
        assertThat(ok("/api/v1/values/L2D253").get("name").textValue()).isEqualTo("Könige 👑");
        var others = new Names(DATA, server.debugger.model()::fingerprint); // the command line's
        assertThat(others.of(VECTOR)).contains("Könige 👑");
        others.put(VECTOR, "queens");
        assertThat(ok("/api/v1/values/L2D253").get("name").textValue()).isEqualTo("queens");
        for (int i = 0; i < 2; i++) {
            assertThat(server.send("DELETE", "/api/v1/names/L2D253", null).statusCode()).isEqualTo(204);
        }
        assertThat(ok("/api/v1/names").toString()).isEqualTo("{\"names\":[]}");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            GET|/api/v1/values/12||value vector: 12 (expected: a layer and a neuron, as in L12D345)
            GET|/api/v1/values/L4D0||value vector: L4D0 (expected: L0 to L3 and D0 to D767 in this model)
            GET|/api/v1/values/L0D0?top=0||top: 0 (expected: 1 to 100)
            GET|/api/v1/values/L0D0?top=101||top: 101 (expected: 1 to 100)
            GET|/api/v1/values/L0D0?top=-1||top: not a number (expected: 1 to 100)
            GET|/api/v1/values/L0D0?reading=aloud||reading: of another kind (expected: raw or final-norm)
            GET|/api/v1/values/L0D0/similar?top=1000||top: 1000 (expected: 1 to 100)
            GET|/api/v1/values/L9D0/cluster||value vector: L9D0
            GET|/api/v1/clusters/one||cluster: not a number
            GET|/api/v1/search||words: missing
            GET|/api/v1/search?words=,||words: none
            GET|/api/v1/search?words=a&weigh=yes||weigh: of another kind (expected: true or false)
            GET|/api/v1/search/tokens||tokens: none
            GET|/api/v1/search/tokens?token=boyhoods||(expected: one token
            GET|/api/v1/search/tokens?token=%239999||token: 9999 (expected: 0 to 8191)
            PUT|/api/v1/names/L2D253|{"name": " "}|name: 0 characters (expected: 1 to 100)
            PUT|/api/v1/names/L2D253|{"name": "a\\nb"}|name: a control character
            PUT|/api/v1/names/L2D253|{}|name: missing
            PUT|/api/v1/names/L2D253|{"name": 5}|name: of another kind (expected: a text)
            PUT|/api/v1/names/L2D768|{"name": "x"}|value vector: L2D768
            DELETE|/api/v1/names/L4D0||value vector: L4D0
            """)
    void whatCannotBeAnswered(String method, String path, String body, String message) {
        var response = server.send(method, path, body);
        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).get("detail").textValue()).contains(message);
    }

    @Test
    void aNameThatCannotBeWrittenIsSaid() throws Exception {
        var file = Files.createTempFile("lmdebugger", null); // where a folder should be
        try (var full = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), null, file, CACHE))) {
            var answer = full.send("PUT", "/api/v1/names/L2D253", "{\"name\": \"x\"}");
            assertThat(answer.statusCode()).isEqualTo(507);
            assertThat(json(answer).get("detail").textValue()).contains("--data");
        }
    }

    @Test
    void whatIsNotBuiltYetIsBuiltInTheBackground() throws Exception {
        var go = new CountDownLatch(1);
        var cache = TestServer.temporary();
        try (var fresh = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), null, DATA, cache));
                Closeable _ = go::countDown) {
            fresh.server.queue().interactive(job -> await(go));
            for (var path : List.of("/api/v1/search?words=king", "/api/v1/values/L2D253/cluster")) {
                var building = fresh.get(path);
                assertThat(building.statusCode()).isEqualTo(202);
                assertThat(json(building).get("state").textValue()).isEqualTo("building");
                assertThat(keys(json(building))).containsExactly("state", "what", "done", "total");
            }
            assertThat(fresh.server.queue().waiting()).hasSize(2).noneMatch(Job::isInteractive);
            go.countDown();
            while (fresh.get("/api/v1/search?words=king").statusCode() == 202) {
                pause();
            }
            assertThat(fresh.get("/api/v1/search?words=king").body())
                    .isEqualTo(ok("/api/v1/search?words=king").toString());
        }
    }

    @Test
    void aServerThatStopsDoesNotBuild() throws Exception {
        var go = new CountDownLatch(1);
        var cache = TestServer.temporary();
        var stopping = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), null, DATA, cache));
        Thread closing;
        try (Closeable _ = go::countDown) {
            stopping.server.queue().interactive(job -> await(go));
            assertThat(stopping.get("/api/v1/search?words=king").statusCode()).isEqualTo(202);
            closing = Thread.ofVirtual().start(stopping::close);
            Thread.sleep(50);
        }
        closing.join();
        try (var files = Files.walk(cache)) {
            assertThat(files.filter(Files::isRegularFile))
                    .noneMatch(file -> file.getFileName().toString().endsWith("fp32"));
        }
    }

    private static Void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
        return null;
    }
}
