package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.app.server.TestServer.json;

import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused, and how. */
class SecurityTest {
    private static final String TOKEN = "correct horse battery staple";
    private static final String TRACE = "{\"prompt\": \"Once upon a time\", \"top\": 2}";

    private static TestServer server;
    private static TestServer locked;

    @BeforeAll
    static void start() {
        server = new TestServer();
        locked = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), TOKEN, TestServer.temporary()));
    }

    @AfterAll
    static void stop() {
        server.close();
        locked.close();
    }

    /** The answer to a request that no HTTP client would send. */
    private static String raw(String request) throws IOException {
        try (var socket = new Socket("127.0.0.1", server.address().getPort())) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream().write(request.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void assertProblem(String answer, int status) {
        assertThat(answer).startsWith("HTTP/1.1 " + status).contains("\"status\":" + status);
    }

    @ParameterizedTest
    @ValueSource(strings = {"evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"})
    void foreignHosts(String host) throws IOException {
        assertProblem(raw("GET /api/v1/model HTTP/1.1\nHost: " + host + "\nConnection: close\n\n"), 403);
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost:8001", "127.0.0.1", "[::1]:8001", "LOCALHOST"})
    void ownHosts(String host) throws IOException {
        assertThat(raw("GET /api/v1/model HTTP/1.1\nHost: " + host + "\nConnection: close\n\n")).startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://evil.example", "null", "http://localhost:3001", "https://localhost:3000", "http://localhost:3000.evil.example"})
    void foreignOrigins(String origin) {
        for (var path : new String[] {"/api/v1/trace", "/get_data", "/generate"}) {
            var answer = server.send("POST", path, TRACE, "Origin", origin);
            assertThat(answer.statusCode()).isEqualTo(403);
            assertThat(answer.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
        }
        assertThat(server.send("OPTIONS", "/get_data", null, "Origin", origin).statusCode()).isEqualTo(403);
        assertThat(server.send("GET", "/get_projections/layer/0/dim/0", null, "Origin", origin).statusCode()).isEqualTo(403);
    }

    @Test
    void ownOriginAndNavigation() {
        var own = server.address().toString().replaceFirst("/$", "");
        assertThat(server.send("POST", "/api/v1/trace", TRACE, "Origin", own).statusCode()).isEqualTo(200);
        assertThat(server.send("GET", "/", null, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate").statusCode()).isEqualTo(200);
        assertThat(server.send("GET", "/api/v1/model", null, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors").statusCode())
                .isEqualTo(403);
    }

    @ParameterizedTest
    @ValueSource(strings = {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"})
    void onlyJson(String type) {
        assertThat(server.send("POST", "/api/v1/trace", TRACE, "Content-Type", type).statusCode()).isEqualTo(415);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/../pom.xml", "/..%2f..%2fpom.xml", "/%2e%2e/%2e%2e/etc/passwd", "/lib/../../etc/passwd", "//etc/passwd",
            "/index.html/../../x", "/%00", "/..\\..\\etc\\passwd", "/lib/%252e%252e/x", "/;/etc/passwd",
            "/api/v1/experiments/..%2f..%2fetc", "/api/v1/sweeps/../../etc/passwd"})
    void noPathOfAClientLeadsToAFile(String path) throws IOException {
        assertThat(raw("GET " + path + " HTTP/1.1\nHost: localhost\nConnection: close\n\n"))
                .containsPattern("^HTTP/1.1 4\\d\\d ").doesNotContain("root:", "<project");
    }

    @Test
    void oversizedBodies() throws IOException {
        var large = "{\"prompt\": \"" + "a".repeat(Limits.BODY) + "\"}";
        assertThat(server.post("/api/v1/trace", large).statusCode()).isEqualTo(413);
        assertProblem(raw("POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 999999999999\n\n"), 413);
        var chunk = "%x\n%s\n".formatted(1 << 16, "a".repeat(1 << 16));
        assertThat(raw("POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n"
                + chunk.repeat(Limits.BODY / (1 << 16)) + "1\na\n0\n\n")).startsWith("HTTP/1.1 413");
        assertThat(server.post("/api/v1/trace", TRACE).statusCode()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "3", "\"x\"", "null", "", "{\"prompt\": \"a\"} x", "{\"prompt\": 3}", "{\"prompt\": \"a\", \"top\": \"2\"}",
            "{\"prompt\": \"a\", \"top\": 1.5}", "{\"prompt\": \"a\", \"edits\": \"L0D0=1\"}", "{\"prompt\": \"a\", \"edits\": [null]}",
            "{\"prompt\": \"a\", \"edits\": [3]}", "{\"prompt\": \"a\", \"unknown\": 1}", "{\"prompt\": \"a\", \"positions\": \"x\"}",
            "{\"prompt\": \"a\", \"positions\": [1e3]}", "{\"prompt\": \"a\", \"positions\": {}}", "{\"prompt\": \"a\", \"verdict\": \"true\"}",
            "{\"prompt\": \"\\ud800\"}", "{\"prompt\": \"a\", \"mode\": \"other\"}", "{\"prompt\": \"a\", \"edits\": [\"L0D0=1e99\"]}",
            "{\"prompt\": \"a\", \"tokens\": [\"#99999999\"]}"})
    void malformedBodies(String body) {
        var answer = server.post("/api/v1/trace", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    @Test
    void deepJson() {
        assertThat(server.post("/api/v1/trace", "[".repeat(100_000)).statusCode()).isEqualTo(400);
        assertThat(server.post("/api/v1/trace", "{\"positions\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}").statusCode()).isEqualTo(400);
    }

    @ParameterizedTest
    @CsvSource({"top, 101", "top, 0", "top, -1"})
    void numbersOutOfBounds(String name, int value) {
        var answer = server.post("/api/v1/trace", "{\"prompt\": \"a\", \"%s\": %d}".formatted(name, value));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).isEqualTo("%s: %d (expected: 1 to 100)".formatted(name, value));
    }

    @Test
    void tooManyOfThem() {
        var edits = "\"L0D0=1\",".repeat(Limits.EDITS) + "\"L0D0=1\"";
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\", \"edits\": [" + edits + "]}").statusCode()).isEqualTo(400);
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"" + "a".repeat(Limits.PROMPT + 1) + "\"}").statusCode()).isEqualTo(400);
        assertThat(json(server.post("/api/v1/trace", "{\"prompt\": \"" + "a ".repeat(200) + "\"}")).get("detail").textValue())
                .contains("tokens (expected: at most 128 in this model)");
    }

    @Test
    void scriptInAPromptIsText() {
        var script = "<script>alert(1)</script>";
        var answer = server.post("/api/v1/trace", "{\"prompt\": \"%s\", \"top\": 1}".formatted(script));
        assertThat(json(answer).get("prompt").textValue()).isEqualTo(script);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/json");
        assertThat(answer.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
        var policy = server.get("/").headers().firstValue("Content-Security-Policy").orElseThrow();
        assertThat(policy).contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'").doesNotContain("unsafe");
    }

    @Test
    void withoutTheTokenNothing() {
        for (var path : new String[] {"/", "/index.html", "/api/v1/model", "/lib/vue.js", "/nothing", "/get_projections/layer/0/dim/0"}) {
            assertThat(locked.get(path).statusCode()).as(path).isEqualTo(401);
        }
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer " + TOKEN + "x").statusCode()).isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Basic " + TOKEN).statusCode()).isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Cookie", "lmdebugger=" + TOKEN).statusCode()).isEqualTo(401);
        assertThat(locked.post("/get_data", "{}").statusCode()).isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer " + TOKEN).statusCode()).isEqualTo(200);
    }

    @Test
    void aLinkWorksOnceAndSetsACookie() {
        assertThat(locked.get("/login").statusCode()).isEqualTo(403);
        assertThat(locked.get("/login?key=guess").statusCode()).isEqualTo(403);
        var link = locked.links.getLast().getRawPath() + "?" + locked.links.getLast().getRawQuery();
        var answer = locked.get(link);
        assertThat(answer.statusCode()).isEqualTo(303);
        var cookie = answer.headers().firstValue("Set-Cookie").orElseThrow();
        assertThat(cookie).contains("HttpOnly", "SameSite=Strict").doesNotContain(TOKEN);
        assertThat(locked.send("GET", "/", null, "Cookie", cookie.split(";")[0]).statusCode()).isEqualTo(200);
        assertThat(locked.get(link).statusCode()).isEqualTo(403);
        assertThat(locked.links).hasSizeGreaterThan(1);
    }

    @Test
    void weakTokensAndWrongOrigins() {
        assertThatThrownBy(() -> new ServerOptions("127.0.0.1", 0, Set.of(), "short", null)).hasMessageContaining("token: 5 characters");
        assertThatThrownBy(() -> new ServerOptions("127.0.0.1", 0, Set.of("*"), null, null)).hasMessageContaining("origin: *");
        assertThatThrownBy(() -> new ServerOptions("0.0.0.0", 0, Set.of(), null, null)).hasMessageContaining("token: none");
    }

    @Test
    void whatIsNotThere() {
        assertThat(server.get("/nothing").statusCode()).isEqualTo(404);
        assertThat(server.get("/api/v1/nothing").statusCode()).isEqualTo(404);
        var wrong = server.send("DELETE", "/api/v1/model", null);
        assertThat(wrong.statusCode()).isEqualTo(405);
        assertThat(wrong.headers().firstValue("Content-Type")).hasValue("application/problem+json");
    }
}
