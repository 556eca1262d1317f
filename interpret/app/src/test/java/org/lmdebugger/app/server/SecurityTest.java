package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.app.server.TestServer.json;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.app.server.routes.Limits;

/** What is refused, and how. */
class SecurityTest {
    private static final String TOKEN = "correct horse battery staple";
    private static final String TRACE = "{\"prompt\": \"Once upon a time\", \"top\": 2}";

    @AutoClose
    private static final TestServer server = new TestServer();
    @AutoClose
    private static final TestServer locked = new TestServer(
            new ServerOptions("127.0.0.1", 0, Set.of(), TOKEN, TestServer.temporary(), TestServer.temporary()));

    private static String raw(String request) throws IOException {
        return RawRequests.send(server.address(), request);
    }

    private static void assertProblem(String answer, int status) {
        assertThat(answer).startsWith("HTTP/1.1 " + status).contains("\"status\":" + status);
    }

    @ParameterizedTest
    @ValueSource(strings = {"evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost.evil.example:80",
            "10.0.0.1"})
    void foreignHosts(String host) throws IOException {
        assertProblem(raw("GET /api/v1/model HTTP/1.1\nHost: " + host + "\nConnection: close\n\n"), 403);
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost:8001", "127.0.0.1", "[::1]:8001", "LOCALHOST"})
    void ownHosts(String host) throws IOException {
        assertThat(raw("GET /api/v1/model HTTP/1.1\nHost: " + host + "\nConnection: close\n\n"))
                .startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://evil.example", "null", "http://localhost:3001", "https://localhost:3000",
            "http://localhost:3000.evil.example"})
    void foreignOrigins(String origin) {
        for (var path : new String[] {"/api/v1/trace", "/get_data", "/generate"}) {
            var answer = server.send("POST", path, TRACE, "Origin", origin);
            assertThat(answer.statusCode()).isEqualTo(403);
            assertThat(answer.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
        }
        assertThat(server.send("OPTIONS", "/get_data", null, "Origin", origin).statusCode()).isEqualTo(403);
        assertThat(server.send("GET", "/get_projections/layer/0/dim/0", null, "Origin", origin).statusCode())
                .isEqualTo(403);
    }

    @Test
    void ownOriginAndNavigation() {
        var own = server.address().toString().replaceFirst("/$", "");
        assertThat(server.send("POST", "/api/v1/trace", TRACE, "Origin", own).statusCode()).isEqualTo(200);
        assertThat(server.send("GET", "/", null, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
                .statusCode()).isEqualTo(200);
        for (var path : List.of("/api/v1/model", "/get_projections/layer/0/dim/0")) { // images and frames of other pages
            assertThat(server.send("GET", path, null, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors")
                    .statusCode()).isEqualTo(403);
            assertThat(server.send("GET", path, null, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate")
                    .statusCode()).isEqualTo(403);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "application/jsonp"})
    void onlyJson(String type) {
        assertThat(server.send("POST", "/api/v1/trace", TRACE, "Content-Type", type).statusCode()).isEqualTo(415);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/../pom.xml", "/..%2f..%2fpom.xml", "/%2e%2e/%2e%2e/etc/passwd", "/lib/../../etc/passwd",
            "//etc/passwd",
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
        assertProblem(raw(
                "POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 999999999999\n\n"),
                413);
        var chunk = "%x\n%s\n".formatted(1 << 16, "a".repeat(1 << 16));
        assertThat(raw(
                "POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n"
                        + chunk.repeat(Limits.BODY / (1 << 16)) + "1\na\n0\n\n")).startsWith("HTTP/1.1 413");
        assertThat(server.post("/api/v1/trace", TRACE).statusCode()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "3", "\"x\"", "null", "", "{\"prompt\": \"a\"} x", "{\"prompt\": 3}",
            "{\"prompt\": \"a\", \"top\": \"2\"}",
            "{\"prompt\": \"a\", \"top\": 1.5}", "{\"prompt\": \"a\", \"edits\": \"L0D0=1\"}",
            "{\"prompt\": \"a\", \"edits\": [null]}",
            "{\"prompt\": \"a\", \"edits\": [3]}", "{\"prompt\": \"a\", \"unknown\": 1}",
            "{\"prompt\": \"a\", \"positions\": \"x\"}",
            "{\"prompt\": \"a\", \"positions\": [1e3]}", "{\"prompt\": \"a\", \"positions\": {}}",
            "{\"prompt\": \"a\", \"total\": \"true\"}",
            "{\"prompt\": \"\\ud800\"}", "{\"prompt\": \"a\", \"mode\": \"other\"}",
            "{\"prompt\": \"a\", \"edits\": [\"L0D0=1e99\"]}",
            "{\"prompt\": \"a\", \"tokens\": [\"#99999999\"]}"})
    void malformedBodies(String body) {
        var answer = server.post("/api/v1/trace", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    @Test
    void deepJson() {
        assertThat(server.post("/api/v1/trace", "[".repeat(100_000)).statusCode()).isEqualTo(400);
        assertThat(server.post("/api/v1/trace", "{\"positions\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}")
                .statusCode()).isEqualTo(400);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"prompt\": \"a\", \"prompt\": \"b\"}",
            "{\"prompt\": \"a\", \"positions\": [{\"a\": 1, \"a\": 2}]}"})
    void keysTwice(String body) {
        assertThat(json(server.post("/api/v1/trace", body)).get("detail").textValue()).contains("a key twice");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"prompt\": NaN}", "{\"prompt\": \"a\", \"temperature\": NaN}",
            "{\"prompt\": \"a\", \"temperature\": Infinity}",
            "{\"prompt\": \"a\", \"temperature\": 1e999}", "{\"prompt\": \"a\", \"temperature\": 3.5e38}",
            "{\"prompt\": \"a\", \"top_p\": -1e400}",
            "{\"prompt\": \"a\", \"tokens\": 2147483648}", "{\"prompt\": \"a\", \"tokens\": 1e2}",
            "{\"prompt\": \"a\", \"continuations\": [{\"seed\": 9223372036854775808}]}"})
    void numbersThatAreNone(String body) {
        var answer = server.post("/api/v1/generate", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    /** They could be read, but neither saved nor sent back. */
    @ParameterizedTest
    @ValueSource(strings = {"\"name\": \"\\ud800\", \"prompt\": \"a\"",
            "\"name\": \"a\", \"prompt\": \"a\", \"view\": {\"x\\udc00\": 1}",
            "\"name\": \"a\", \"prompt\": \"a\", \"results\": [\"\\ud83d\"]",
            "\"name\": \"a\", \"prompt\": \"a\", \"results\": 1e999"})
    void halfCharactersAndEndlessNumbersAreNotKept(String fields) {
        var answer = server.post("/api/v1/experiments", "{\"version\": 1, " + fields + "}");
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
    }

    @Test
    void whatCannotBeWrittenIsSaidAndLeavesNothing() throws IOException {
        var file = Files.createTempFile("lmdebugger", null); // where a folder should be
        try (var full = new TestServer(
                new ServerOptions("127.0.0.1", 0, Set.of(), null, file, TestServer.temporary()))) {
            var answer = full.post("/api/v1/experiments", "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\"}");
            assertThat(answer.statusCode()).isEqualTo(507);
            assertThat(json(answer).get("detail").textValue()).contains("--data");
            assertThat(json(full.get("/api/v1/experiments")).get("experiments")).isEmpty();
        }
    }

    @Test
    void editsThatTheNetworkCannotBearAreRefused() {
        var edits = IntStream.range(0, 200).mapToObj("\"L0D%d=3.4e38\""::formatted).collect(Collectors.joining(", "));
        var answer = server.post("/api/v1/trace", "{\"prompt\": \"a\", \"edits\": [%s], \"top\": 1}".formatted(edits));
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("L0D0=3.4");
    }

    @Test
    void halfSentAndSlowBodies() throws Exception {
        var head = "POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 1000\n\n{\"prompt\"";
        assertProblem(raw(head), 400);
        var waiting = new ArrayList<Socket>();
        for (int i = 0; i < 50; i++) {
            waiting.add(RawRequests.connect(server.address()));
            RawRequests.write(waiting.getLast(), i % 2 == 0 ? head : "POST /api/v1/tr");
        }
        assertThat(server.post("/api/v1/trace", TRACE).statusCode()).isEqualTo(200); // they keep nobody else waiting
        for (var socket : waiting) {
            socket.close();
        }
        try (var slow = RawRequests.connect(server.address())) {
            RawRequests.write(slow, head);
            while (slow.getInputStream().available() == 0) {
                RawRequests.write(slow, " ");
                Thread.sleep(100); // ten bytes a second
            }
            assertThat(RawRequests.read(slow)).startsWith("HTTP/1.1 408").contains("application/problem+json");
        }
    }

    @Test
    void floodsOfHeaders() throws IOException {
        for (var headers : List.of("X: " + "a".repeat(20_000) + "\n", "X: a\n".repeat(5_000),
                "Cookie: " + "a=b; ".repeat(5_000) + "\n")) {
            assertProblem(raw("GET /api/v1/model HTTP/1.1\nHost: localhost\n" + headers + "\n"), 431);
        }
        assertProblem(raw("GET /" + "a".repeat(20_000) + " HTTP/1.1\nHost: localhost\n\n"), 414);
        assertProblem(raw("GARBAGE\n\n"), 400);
        assertProblem(raw("GET / HTTP/1.1\nHost: localhost\nHost: evil.example\n\n"), 400);
        assertProblem(raw("POST /api/v1/trace HTTP/1.1\nHost: localhost\nContent-Length: 5\nContent-Length: 6\n\n"),
                400);
        assertThat(server.get("/api/v1/model").statusCode()).isEqualTo(200);
    }

    @Test
    void withoutAHost() throws IOException {
        assertProblem(raw("GET /api/v1/model HTTP/1.1\nConnection: close\n\n"), 400);
        assertProblem(raw("GET /api/v1/model HTTP/1.0\n\n"), 403);
    }

    @ParameterizedTest
    @CsvSource({"top, 101", "top, 0", "top, -1"})
    void numbersOutOfBounds(String name, int value) {
        var answer = server.post("/api/v1/trace", "{\"prompt\": \"a\", \"%s\": %d}".formatted(name, value));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue())
                .isEqualTo("%s: %d (expected: 1 to 100)".formatted(name, value));
    }

    @Test
    void tooManyOfThem() {
        var edits = "\"L0D0=1\",".repeat(Limits.EDITS) + "\"L0D0=1\"";
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"a\", \"edits\": [" + edits + "]}").statusCode())
                .isEqualTo(400);
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"" + "a".repeat(Limits.PROMPT + 1) + "\"}").statusCode())
                .isEqualTo(400);
        assertThat(json(server.post("/api/v1/trace", "{\"prompt\": \"" + "a ".repeat(200) + "\"}")).get("detail")
                .textValue())
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
        assertThat(policy).contains("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'")
                .doesNotContain("unsafe");
    }

    @Test
    void withoutTheTokenNothing() {
        for (var path : new String[] {"/", "/index.html", "/api/v1/model", "/lib/vue.js", "/nothing",
                "/get_projections/layer/0/dim/0"}) {
            assertThat(locked.get(path).statusCode()).as(path).isEqualTo(401);
        }
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer " + TOKEN + "x").statusCode())
                .isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Basic " + TOKEN).statusCode())
                .isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Cookie", "lmdebugger=" + TOKEN).statusCode())
                .isEqualTo(401);
        assertThat(locked.post("/get_data", "{}").statusCode()).isEqualTo(401);
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer " + TOKEN).statusCode())
                .isEqualTo(200);
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
    void theCookieIsEnoughForTheEventsOfAPage() {
        var link = locked.links.getLast();
        var cookie = locked.get(link.getRawPath() + "?" + link.getRawQuery()).headers().firstValue("Set-Cookie")
                .orElseThrow().split(";")[0];
        var own = locked.address().toString().replaceFirst("/$", "");
        var sweep = locked.send("POST", "/api/v1/sweeps", "{\"prompts\": [\"a\"], \"neurons\": \"L0D1\"}", "Cookie",
                cookie, "Origin", own);
        var path = sweep.headers().firstValue("Location").orElseThrow();
        assertThat(locked.get(path + "/events").statusCode()).isEqualTo(401);
        assertThat(locked.send("GET", path + "/events", null, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").body())
                .contains("event: end");
        var generate = "{\"prompt\": \"a\", \"tokens\": 2}";
        assertThat(locked.post("/api/v1/generate", generate).statusCode()).isEqualTo(401);
        assertThat(locked.send("POST", "/api/v1/generate", generate, "Cookie", cookie, "Origin", own).body())
                .contains("event: end");
        assertThat(locked.send("POST", "/api/v1/generate", generate, "Cookie", cookie, "Origin", "http://evil.example")
                .statusCode()).isEqualTo(403);
        assertThat(locked.send("GET", "/api/v1/model", null, "Cookie", "other=1; " + cookie).statusCode())
                .isEqualTo(200);
        assertThat(locked.send("GET", "/api/v1/model", null, "Cookie", cookie + "x").statusCode()).isEqualTo(401);
    }

    /** On a connection, too, that has shown the right one before. */
    @Test
    void wrongTokens() throws IOException {
        var head = "GET /api/v1/model HTTP/1.1\nHost: localhost\nAuthorization: Bearer ";
        for (var token : List.of(TOKEN.substring(0, TOKEN.length() - 1), "C" + TOKEN.substring(1),
                TOKEN.toUpperCase(Locale.ROOT), "", "\u00e9")) {
            var answers = RawRequests.send(locked.address(),
                    head + TOKEN + "\n\n" + head + token + "\nConnection: close\n\n");
            assertThat(answers).as(token).containsSubsequence("HTTP/1.1 200", "HTTP/1.1 401");
        }
    }

    @Test
    void theSchemeHasNoCase() {
        for (var scheme : List.of("Bearer", "bearer", "BEARER", "bEaReR")) {
            assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", scheme + " " + TOKEN).statusCode())
                    .isEqualTo(200);
        }
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer" + TOKEN).statusCode())
                .isEqualTo(401);
    }

    @Test
    void whoGuessesATokenWaits() {
        long start = System.nanoTime();
        assertThat(locked.send("GET", "/api/v1/model", null, "Authorization", "Bearer guess").statusCode())
                .isEqualTo(401);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(Duration.ofMillis(400));
    }

    /** Browsers send the cookies of a host to all of its ports. */
    @Test
    void serversOnOneHostHaveCookiesOfTheirOwn() {
        try (var other = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), TOKEN, TestServer.temporary(),
                TestServer.temporary()))) {
            var names = Stream.of(locked, other).map(each -> each.links.getLast())
                    .map(link -> (link.getPort() == other.address().getPort() ? other : locked)
                            .get(link.getRawPath() + "?" + link.getRawQuery()))
                    .map(answer -> answer.headers().firstValue("Set-Cookie").orElseThrow().split(";")[0]).toList();
            assertThat(names).extracting(cookie -> cookie.split("=")[0]).doesNotHaveDuplicates();
            for (var each : List.of(locked, other)) {
                assertThat(each.send("GET", "/api/v1/model", null, "Cookie", String.join("; ", names)).statusCode())
                        .isEqualTo(200);
            }
        }
    }

    /** As behind a proxy that ends TLS, which names this server as host and leaves the page's origin. */
    @Test
    void behindAProxyThatEndsTls() {
        var page = "https://debugger.example.org";
        try (var behind = new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(page), TOKEN, TestServer.temporary(),
                TestServer.temporary()))) {
            var link = behind.links.getLast();
            var answer = behind.send("GET", link.getRawPath() + "?" + link.getRawQuery(), null, "X-Forwarded-Proto",
                    "https");
            assertThat(answer.headers().firstValue("Location")).hasValue("/");
            var cookie = answer.headers().firstValue("Set-Cookie").orElseThrow();
            assertThat(cookie).contains("Secure");
            assertThat(behind.send("POST", "/api/v1/trace", TRACE, "Cookie", cookie.split(";")[0], "Origin", page,
                    "Sec-Fetch-Site", "same-origin", "X-Forwarded-Proto", "https").statusCode()).isEqualTo(200);
            assertThat(behind.send("POST", "/api/v1/trace", TRACE, "Cookie", cookie.split(";")[0], "Origin",
                    "https://evil.example").statusCode())
                            .isEqualTo(403);
        }
    }

    /** Times cannot be asserted; which methods are called can. */
    @Test
    void tokensAreComparedInConstantTime() {
        var called = new ClassFileImporter().importClasses(AccessTokens.class).get(AccessTokens.class)
                .getMethodCallsFromSelf().stream()
                .map(call -> call.getTarget().getFullName().replaceFirst("\\(.*", "")).toList();
        assertThat(called).contains("java.security.MessageDigest.isEqual").doesNotContain("java.lang.String.equals",
                "java.util.Objects.equals",
                "java.lang.String.contentEquals", "java.lang.String.compareTo", "java.util.Arrays.equals");
    }

    @Test
    void weakTokensAndWrongOrigins() {
        assertThatThrownBy(() -> new ServerOptions("127.0.0.1", 0, Set.of(), "short", null, null))
                .hasMessageContaining("token: 5 characters");
        for (var token : List.of("correct horse battery stapl\u00e9", "correct horse battery staple\n",
                " correct horse battery staple", "correct\u0000horse battery")) {
            assertThatThrownBy(() -> new ServerOptions("127.0.0.1", 0, Set.of(), token, null, null))
                    .hasMessageContaining("token: a character")
                    .message().doesNotContain("horse");
        }
        assertThatThrownBy(() -> new ServerOptions("127.0.0.1", 0, Set.of("*"), null, null, null))
                .hasMessageContaining("origin: *");
        assertThatThrownBy(() -> new ServerOptions("0.0.0.0", 0, Set.of(), null, null, null))
                .hasMessageContaining("token: none");
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
