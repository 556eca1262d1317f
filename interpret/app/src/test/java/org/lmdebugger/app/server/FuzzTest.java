package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** Whatever is sent, it is answered as described, never by a mistake of the server, and the next request is not affected. */
class FuzzTest {
    private static final String REFERENCE = "{\"prompt\": \"%s\", \"edits\": [\"L1D483=0\"], \"top\": 3}".formatted(PROMPT);

    /** Good bodies, to be spoilt. */
    private static final List<List<String>> GOOD = List.of(
            List.of("PUT", "/api/v1/names/L1D5", "{\"name\": \"a\"}"),
            List.of("POST", "/api/v1/tokenize", "{\"text\": \"Once upon\"}"),
            List.of("POST", "/api/v1/trace", "{\"prompt\": \"a b\", \"edits\": [\"L0D5=2@last\"], \"mode\": \"exact\", \"positions\": [0], \"top\": 2, "
                    + "\"tokens\": [\" boy\", \"#12\"], \"verdict\": true}"),
            List.of("POST", "/api/v1/generate", "{\"prompt\": \"a b\", \"tokens\": 2, \"continuations\": [{\"edits\": [\"L0D5=2\"], \"seed\": 3}, {}], "
                    + "\"temperature\": 0.5, \"top_k\": 5, \"top_p\": 0.9}"),
            List.of("POST", "/api/v1/sweeps", "{\"prompts\": [\"a b\"], \"neurons\": \"L0D1-3\", \"operations\": [\"off\", \"set:2\"], \"at\": \"last\", "
                    + "\"measures\": [\"kl\", \"logit:\\\" boy\\\"\"]}"),
            List.of("POST", "/api/v1/experiments", "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\", \"edits\": [\"L0D5=2\"], \"view\": {\"b\": 1.5}, "
                    + "\"results\": [\"c\"]}"),
            List.of("POST", "/get_data", "{\"prompt\": \"a b\", \"interventions\": [{\"layer\": 1, \"dim\": 5, \"coeff\": 1.0}]}"),
            List.of("POST", "/generate", "{\"prompt\": \"a b\", \"generate_k\": 2, \"interventions\": [{\"layer\": 1, \"dim\": 5, \"coeff\": 0.0}]}"));

    private static final List<String> VALUES = List.of("null", "true", "0", "-1", "1", "1.5", "128", "1e999", "-1e-999", "9223372036854775808",
            "1e400000000", "NaN", "-Infinity", "1".repeat(2000), "[]", "{}", "[null]", "[[[[[[]]]]]]", "[".repeat(70) + "]".repeat(70), "\"\"",
            "\" \"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\u0000\"", "\"é😀 Ġ\"", "\"<script>alert(1)</script>\"", "\"../../etc/passwd\"",
            "\"L0D5=3e38\"", "\"L99D0=0\"", "\"L0D5=from:\\\"\\\"\"", "\"dominant:3\"", "\"all\"", "\"lm-debugger\"", "\"#99999999999\"",
            "\"%s %n\"", "\"" + "ab".repeat(3000) + "\"", "{\"a\": 1, \"a\": 2}", "[\"L0D5=on\", \"kl\"]", "[1, \"x\", {}]", "'x'", "01", "+1");

    private static TestServer server;
    private static String expected;

    @BeforeContainer
    static void start() {
        try (var fresh = new TestServer()) {
            expected = fresh.post("/api/v1/trace", REFERENCE).body();
        }
        server = new TestServer();
    }

    @AfterContainer
    static void stop() {
        server.close();
    }

    enum Change {
        REPLACE, REMOVE, ADD, REPEAT, CUT, SPOIL
    }

    record Mutation(Change change, int where, int what) {
    }

    @Provide
    Arbitrary<List<Mutation>> mutations() {
        return Combinators.combine(Arbitraries.frequency(Tuple.of(8, Change.REPLACE), Tuple.of(2, Change.REMOVE),
                        Tuple.of(1, Change.ADD), Tuple.of(1, Change.REPEAT), Tuple.of(1, Change.CUT),
                        Tuple.of(2, Change.SPOIL)),
                Arbitraries.integers().between(0, 999), Arbitraries.integers().between(0, 255)).as(Mutation::new).list().ofMinSize(1).ofMaxSize(2);
    }

    @Property(tries = 400)
    void bodies(@ForAll("mutations") List<Mutation> mutations) {
        for (var good : GOOD) {
            var answer = server.send(good.get(0), good.get(1), spoilt(good.get(2), mutations)); // and is as described
            assertThat(answer.statusCode()).isBetween(200, 499);
            answer.headers().firstValue("Location").ifPresent(made -> assertThat(server.send("DELETE", made, null).statusCode()).isEqualTo(204));
        }
        assertThat(server.post("/api/v1/trace", REFERENCE).body()).isEqualTo(expected);
    }

    /** Problems quote a bounded piece of what was sent: {@link Description} sees to it. */
    @Example
    void largeValuesEverywhere() {
        var text = "x".repeat(100_000);
        for (var good : GOOD) {
            int fields = json(good.get(2)).size();
            for (int field = 0; field < fields; field++) {
                for (var large : List.of(text, "L0D" + "9".repeat(100_000), "L0D5=" + text, "L0D5=1@" + "0..1048575,".repeat(5_000),
                        "logit:\"" + text + "\"", "\u001b".repeat(50_000), "-".repeat(100_000))) {
                    var tree = (ObjectNode) json(good.get(2));
                    var name = key(tree, field);
                    tree.putArray(name).add(large);
                    var list = server.send(good.get(0), good.get(1), tree.toString());
                    var one = server.send(good.get(0), good.get(1), tree.put(name, large).toString());
                    assertThat(List.of(list.statusCode(), one.statusCode())).allMatch(status -> status >= 200 && status < 500);
                }
            }
        }
        var path = "x".repeat(5_000);
        for (var target : List.of("/", "/api/v1/", "/api/v1/values/", "/api/v1/names/", "/api/v1/clusters/", "/api/v1/sweeps/", "/api/v1/experiments/",
                "/api/v1/search?words=", "/api/v1/search?words=a&top=", "/api/v1/search/tokens?token=", "/get_projections/layer/", "/api/v1/values/L0D5?reading=")) {
            for (var method : List.of("GET", "DELETE", "PUT")) {
                assertThat(server.send(method, target + path, method.equals("PUT") ? "{\"name\": \"a\"}" : null).statusCode()).isBetween(200, 499);
            }
        }
        assertThat(server.post("/api/v1/trace", REFERENCE).body()).isEqualTo(expected);
    }

    private static String spoilt(String good, List<Mutation> mutations) {
        var tree = json(good);
        for (var mutation : mutations) {
            var containers = containers(tree, new ArrayList<>());
            change(containers.get(mutation.where() % containers.size()), mutation);
        }
        var text = tree.toString();
        for (var mutation : mutations) {
            int at = mutation.where() % (text.length() + 1);
            text = switch (mutation.change()) {
                case REPEAT -> text.replaceFirst("\\{(\"\\w+\":)", "{$1" + Matcher.quoteReplacement(value(mutation)) + ",$1");
                case CUT -> text.substring(0, at);
                case SPOIL -> text.substring(0, at) + (char) mutation.what() + text.substring(at);
                default -> text;
            };
        }
        return text;
    }

    private static String value(Mutation mutation) {
        return VALUES.get(mutation.what() % VALUES.size());
    }

    private static List<JsonNode> containers(JsonNode node, List<JsonNode> to) {
        if (node.isContainerNode() && (to.isEmpty() || !node.isEmpty())) {
            to.add(node);
            node.forEach(each -> containers(each, to));
        }
        return to;
    }

    private static void change(JsonNode container, Mutation mutation) {
        var value = new POJONode(new RawValue(value(mutation)));
        int child = mutation.what() % Math.max(container.size(), 1);
        switch (container) {
            case ArrayNode array when mutation.change() == Change.ADD || mutation.change() == Change.REPLACE && array.isEmpty() -> array.add(value);
            case ArrayNode array when mutation.change() == Change.REPLACE -> array.set(child, value);
            case ArrayNode array when mutation.change() == Change.REMOVE -> array.remove(child);
            case ObjectNode object when mutation.change() == Change.ADD -> object.set("more", value);
            case ObjectNode object when mutation.change() == Change.REPLACE && !object.isEmpty() -> object.set(key(object, child), value);
            case ObjectNode object when mutation.change() == Change.REMOVE && !object.isEmpty() -> object.remove(key(object, child));
            default -> { }
        }
    }

    private static String key(ObjectNode object, int index) {
        var names = new ArrayList<String>();
        object.fieldNames().forEachRemaining(names::add);
        return names.get(index);
    }

    @Provide
    Arbitrary<String> targets() {
        var part = Arbitraries.of("api", "v1", "values", "L0D5", "L0D99999", "similar", "names", "clusters", "search?words=%ff,(", "search", "tokens?token=%ff", "sweeps", "experiments", "get_projections", "layer", "dim", "0", "..", "%2e%2e", "%2f", "%00", "%ff", "%",
                "%zz", ";x=1", "\\", "", "events", "map?measure=%ff", "strongest?top=9999999999", "effects.csv", "lib", "vue.js", "\u00e9", "\"<script>", "*");
        return part.list().ofMaxSize(6).map(parts -> "/" + String.join("/", parts));
    }

    @Property(tries = 300)
    void paths(@ForAll("targets") String target, @ForAll("methods") String method) throws Exception {
        var answer = RawRequests.send(server.address(), method + " " + target + " HTTP/1.1\nHost: localhost\nConnection: close\n\n");
        assertThat(answer).containsPattern("^HTTP/1.1 [24]\\d\\d").doesNotContain("root:");
        if (answer.startsWith("HTTP/1.1 4") && !method.equals("HEAD")) {
            assertThat(answer).containsPattern("Content-Type: (application/problem\\+json|text/plain)");
        }
    }

    @Provide
    Arbitrary<String> methods() {
        return Arbitraries.of("GET", "GET", "GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO");
    }

    @Property(tries = 300)
    void bytes(@ForAll byte[] body) throws Exception {
        var head = "POST /api/v1/tokenize HTTP/1.1\nHost: localhost\nContent-Type: application/json\nConnection: close\nContent-Length: "
                + body.length + "\n\n";
        assertThat(RawRequests.send(server.address(), head, body)).startsWith("HTTP/1.1 400").contains("application/problem+json");
    }

    /** Other encodings, as Jackson would guess them, and half a character at the end. */
    @Example
    void encodings() throws Exception {
        for (var charset : List.of(StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE, StandardCharsets.UTF_32LE, StandardCharsets.UTF_32BE)) {
            var body = "{\"text\": \"a\"}\ud83d".getBytes(charset);
            var head = "POST /api/v1/tokenize HTTP/1.1\nHost: localhost\nContent-Type: application/json\nConnection: close\nContent-Length: "
                    + body.length + "\n\n";
            assertThat(RawRequests.send(server.address(), head, body)).as(charset.name()).startsWith("HTTP/1.1 400");
        }
    }
}
