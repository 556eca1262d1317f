package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.checkpoint.Fuzz;

/**
 * Whatever is sent or lies in the data folder, it is answered as described, never by a mistake of the server, and the
 * next request is not affected.
 */
@Tag("slow")
class FuzzTest {
    private static final String REFERENCE = "{\"prompt\": \"%s\", \"edits\": [\"L1D483=0\"], \"top\": 3}"
            .formatted(PROMPT);

    /** Good bodies, to be spoilt. */
    private static final List<List<String>> GOOD = List.of(
            List.of("PUT", "/api/v1/names/L1D5", "{\"name\": \"a\"}"),
            List.of("POST", "/api/v1/tokenize", "{\"text\": \"Once upon\"}"),
            List.of("POST", "/api/v1/trace",
                    "{\"prompt\": \"a b\", \"edits\": [\"L0D5=2@last\"], \"mode\": \"exact\", \"positions\": [0], \"top\": 2, "
                            + "\"tokens\": [\" boy\", \"#12\"], \"total\": true}"),
            List.of("POST", "/api/v1/generate",
                    "{\"prompt\": \"a b\", \"tokens\": 2, \"continuations\": [{\"edits\": [\"L0D5=2\"], \"seed\": 3}, {}], "
                            + "\"temperature\": 0.5, \"top_k\": 5, \"top_p\": 0.9}"),
            List.of("POST", "/api/v1/sweeps",
                    "{\"prompts\": [\"a b\"], \"neurons\": \"L0D1-3\", \"operations\": [\"off\", \"set:2\"], \"at\": \"last\", "
                            + "\"measures\": [\"kl\", \"logit:\\\" boy\\\"\"]}"),
            List.of("POST", "/api/v1/experiments",
                    "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\", \"edits\": [\"L0D5=2\"], \"view\": {\"b\": 1.5}, "
                            + "\"results\": [\"c\"]}"),
            List.of("POST", "/api/v1/edges",
                    "{\"clean\": \"a b\", \"corrupted\": \"a c\", \"answers\": [\" boy\"], \"wrong\": [\"#12\"], "
                            + "\"edges\": [\"L0H1>*\"], \"direction\": \"noise\"}"),
            List.of("POST", "/api/v1/patch",
                    "{\"clean\": \"a b\", \"corrupted\": \"a c\", \"answers\": [\" boy\"], \"wrong\": [\"#12\"], "
                            + "\"sites\": [\"heads:L1\"], \"direction\": \"noise\", \"positions\": {\"end\": 1}}"),
            List.of("POST", "/get_data",
                    "{\"prompt\": \"a b\", \"interventions\": [{\"layer\": 1, \"dim\": 5, \"coeff\": 1.0}]}"),
            List.of("POST", "/generate",
                    "{\"prompt\": \"a b\", \"generate_k\": 2, \"interventions\": [{\"layer\": 1, \"dim\": 5, \"coeff\": 0.0}]}"));

    private static final List<String> VALUES = List.of("null", "true", "0", "-1", "1", "1.5", "128", "1e999", "-1e-999",
            "9223372036854775808",
            "1e400000000", "NaN", "-Infinity", "1".repeat(2000), "[]", "{}", "[null]", "[[[[[[]]]]]]",
            "[".repeat(70) + "]".repeat(70), "\"\"",
            "\" \"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\u0000\"", "\"é😀 Ġ\"", "\"<script>alert(1)</script>\"",
            "\"../../etc/passwd\"",
            "\"L0D5=3e38\"", "\"L99D0=0\"", "\"L0D5=from:\\\"\\\"\"", "\"dominant:3\"", "\"all\"", "\"lm-debugger\"",
            "\"#99999999999\"",
            "\"%s %n\"", "\"" + "ab".repeat(3000) + "\"", "{\"a\": 1, \"a\": 2}", "[\"L0D5=on\", \"kl\"]",
            "[1, \"x\", {}]", "'x'", "01", "+1");

    @AutoClose
    private static final TestServer server = new TestServer();
    private static String expected;

    private static final String TOKENIZE = "POST /api/v1/tokenize HTTP/1.1\nHost: localhost\n"
            + "Content-Type: application/json\nConnection: close\n";

    private static final List<String> METHODS = List.of("GET", "GET", "GET", "POST", "DELETE", "PUT", "PATCH", "HEAD",
            "OPTIONS", "TRACE", "CONNECT", "FOO");

    private static final List<String> PARTS = List.of("api", "v1", "values", "L0D5", "L0D99999", "similar", "names",
            "clusters", "search?words=%ff,(", "search", "tokens?token=%ff", "sweeps", "experiments", "get_projections",
            "layer", "dim", "0", "..", "%2e%2e", "%2f",
            "%00", "%ff", "%", "%zz", ";x=1", "\\", "", "events", "map?measure=%ff", "strongest?top=9999999999",
            "effects.csv", "lib", "vue.js", "\u00e9",
            "\"<script>", "*");

    @BeforeAll
    static void start() {
        try (var fresh = new TestServer()) {
            expected = fresh.post("/api/v1/trace", REFERENCE).body();
        }
    }

    @AfterEach
    void theNextRequestIsNotAffected() {
        assertThat(server.post("/api/v1/trace", REFERENCE).body()).isEqualTo(expected);
    }

    private static <T> T any(List<T> list, RandomGenerator random) {
        return list.get(random.nextInt(list.size()));
    }

    @Test
    void bodies() {
        Fuzz.run("bodies of requests", 2_000, random -> {
            var good = any(GOOD, random);
            var answer = server.send(good.get(0), good.get(1), spoilt(good.get(2), random)); // and is as described
            assertThat(answer.statusCode()).isBetween(200, 499);
            answer.headers().firstValue("Location")
                    .ifPresent(made -> assertThat(server.send("DELETE", made, null).statusCode()).isEqualTo(204));
            return String.valueOf(answer.statusCode());
        });
    }

    /** Problems quote a bounded piece of what was sent: {@link Description} sees to it. */
    @Test
    void largeValuesEverywhere() {
        var text = "x".repeat(100_000);
        for (var good : GOOD) {
            int fields = json(good.get(2)).size();
            for (int field = 0; field < fields; field++) {
                for (var large : List.of(text, "L0D" + "9".repeat(100_000), "L0D5=" + text,
                        "L0D5=1@" + "0..1048575,".repeat(5_000),
                        "logit:\"" + text + "\"", "\u001b".repeat(50_000), "-".repeat(100_000))) {
                    var tree = (ObjectNode) json(good.get(2));
                    var name = key(tree, field);
                    tree.putArray(name).add(large);
                    var list = server.send(good.get(0), good.get(1), tree.toString());
                    var one = server.send(good.get(0), good.get(1), tree.put(name, large).toString());
                    assertThat(List.of(list.statusCode(), one.statusCode()))
                            .allMatch(status -> status >= 200 && status < 500);
                }
            }
        }
        var path = "x".repeat(5_000);
        for (var target : List.of("/", "/api/v1/", "/api/v1/values/", "/api/v1/names/", "/api/v1/clusters/",
                "/api/v1/sweeps/", "/api/v1/experiments/",
                "/api/v1/search?words=", "/api/v1/search?words=a&top=", "/api/v1/search/tokens?token=",
                "/get_projections/layer/", "/api/v1/values/L0D5?reading=")) {
            for (var method : List.of("GET", "DELETE", "PUT")) {
                assertThat(server.send(method, target + path, method.equals("PUT") ? "{\"name\": \"a\"}" : null)
                        .statusCode()).isBetween(200, 499);
            }
        }
    }

    /** Returns {@code good} with one or two changes of its values, then perhaps of its text. */
    private static String spoilt(String good, RandomGenerator random) {
        var tree = json(good);
        for (int changes = 1 + random.nextInt(2); changes > 0; changes--) {
            change(any(containers(tree, new ArrayList<>()), random), random);
        }
        var text = tree.toString();
        int at = random.nextInt(text.length() + 1);
        return switch (random.nextInt(10)) {
            case 0 -> text.replaceFirst("\\{(\"\\w+\":)", "{$1" + Matcher.quoteReplacement(any(VALUES, random))
                    + ",$1");
            case 1 -> text.substring(0, at);
            case 2, 3 -> text.substring(0, at) + (char) random.nextInt(256) + text.substring(at);
            default -> text;
        };
    }

    private static List<JsonNode> containers(JsonNode node, List<JsonNode> to) {
        if (node.isContainerNode() && (to.isEmpty() || !node.isEmpty())) {
            to.add(node);
            node.forEach(each -> containers(each, to));
        }
        return to;
    }

    private static void change(JsonNode container, RandomGenerator random) {
        var value = new POJONode(new RawValue(any(VALUES, random)));
        int child = random.nextInt(Math.max(container.size(), 1));
        int change = container.isEmpty() ? 0 : random.nextInt(10);
        switch (container) {
            case ArrayNode array when change == 0 -> array.add(value);
            case ArrayNode array when change < 3 -> array.remove(child);
            case ArrayNode array -> array.set(child, value);
            case ObjectNode object when change == 0 -> object.set("more", value);
            case ObjectNode object when change < 3 -> object.remove(key(object, child));
            case ObjectNode object -> object.set(key(object, child), value);
            default -> throw new AssertionError(container);
        }
    }

    private static String key(ObjectNode object, int index) {
        var names = new ArrayList<String>();
        object.fieldNames().forEachRemaining(names::add);
        return names.get(index);
    }

    @Test
    void paths() {
        Fuzz.run("paths", 300, random -> {
            var parts = new ArrayList<String>();
            for (int length = random.nextInt(7); length > 0; length--) {
                parts.add(any(PARTS, random));
            }
            var method = any(METHODS, random);
            var answer = RawRequests.send(server.address(), method + " /" + String.join("/", parts)
                    + " HTTP/1.1\nHost: localhost\nConnection: close\n\n");
            assertThat(answer).containsPattern("^HTTP/1.1 [24]\\d\\d").doesNotContain("root:x:0:"); // of /etc/passwd
            if (answer.startsWith("HTTP/1.1 4") && !method.equals("HEAD")) {
                assertThat(answer).containsPattern("Content-Type: (application/problem\\+json|text/plain)");
            }
            return status(answer);
        });
    }

    private static String status(String answer) {
        return answer.isEmpty() ? "closed" : answer.substring("HTTP/1.1 ".length(), "HTTP/1.1 200".length());
    }

    @Test
    void bytes() {
        Fuzz.run("bodies of any bytes", 300, random -> {
            var body = new byte[random.nextInt(200)];
            random.nextBytes(body);
            var head = TOKENIZE + "Content-Length: " + body.length + "\n\n";
            var answer = RawRequests.send(server.address(), head, body);
            assertThat(answer).startsWith("HTTP/1.1 400").contains("application/problem+json");
            return status(answer);
        });
    }

    /** What Jetty does not do for a client (a coding, a version of HTTP) is said with 501 and 505. */
    @Test
    void wholeRequests() {
        var good = (TOKENIZE + "Accept: */*\nTransfer-Encoding: chunked\n\n10\n{\"text\": \"Once\"}\n0\n\n"
                + "GET / HTTP/1.1\nHost: localhost\n\n").replace("\n", "\r\n");
        Fuzz.run("whole requests", 300, random -> {
            var answer = RawRequests.send(server.address(), "",
                    Fuzz.spoilt(good.getBytes(StandardCharsets.US_ASCII), random));
            assertThat(answer).matches("(?s)|HTTP/1.1 ([234]\\d\\d|501|505) .*");
            return status(answer);
        });
    }

    private static byte[] spoiltFile(String good, RandomGenerator random) {
        return random.nextBoolean() ? spoilt(good, random).getBytes(StandardCharsets.UTF_8)
                : Fuzz.spoilt(good.getBytes(StandardCharsets.UTF_8), random);
    }

    @Test
    void experiments() throws IOException {
        var made = server.post("/api/v1/experiments", GOOD.get(5).get(2)).headers().firstValue("Location")
                .orElseThrow();
        var good = server.get(made).body();
        server.send("DELETE", made, null);
        var file = server.options.data().resolve("experiments").resolve("x.json");
        Fuzz.run("files of experiments", 300, random -> {
            Files.write(file, spoiltFile(good, random));
            var list = json(server.get("/api/v1/experiments")); // and is as described
            boolean isGood = list.get("experiments").findValuesAsText("id").contains("x");
            assertThat(list.get("damaged").findValuesAsText("id").contains("x")).isNotEqualTo(isGood);
            assertThat(server.get("/api/v1/experiments/x").statusCode()).isEqualTo(isGood ? 200 : 422);
            assertThat(server.send("DELETE", "/api/v1/experiments/x", null).statusCode()).isEqualTo(204);
            return isGood ? "good" : "damaged";
        });
    }

    @Test
    void names() throws IOException {
        server.send("PUT", "/api/v1/names/L0D5", "{\"name\": \"royalty\"}");
        server.send("PUT", "/api/v1/names/L1D483", "{\"name\": \"boys\"}");
        var file = server.options.data().resolve("names").resolve(server.debugger.model().fingerprint() + ".json");
        var good = Files.readString(file);
        Fuzz.run("files of names", 300, random -> {
            Files.write(file, spoiltFile(good, random));
            var answer = server.get("/api/v1/names");
            boolean isGood = answer.statusCode() == 200;
            assertThat(isGood || answer.body().contains("not a file of names")).as(answer.body()).isTrue();
            assertThat(server.get("/api/v1/values/L0D5?top=1").statusCode()).isEqualTo(200);
            return isGood ? "good" : "damaged";
        });
        Files.delete(file);
    }

    /** Other encodings, as Jackson would guess them, and half a character at the end. */
    @Test
    void encodings() throws Exception {
        for (var charset : List.of(StandardCharsets.UTF_16LE, StandardCharsets.UTF_16BE, StandardCharsets.UTF_32LE,
                StandardCharsets.UTF_32BE)) {
            var body = "{\"text\": \"a\"}\ud83d".getBytes(charset);
            var head = TOKENIZE + "Content-Length: " + body.length + "\n\n";
            assertThat(RawRequests.send(server.address(), head, body)).as(charset.name()).startsWith("HTTP/1.1 400");
        }
    }
}
