package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.server.routes.Limits;
import org.lmdebugger.app.store.Experiments;

/** What lies in the data folder may come from anywhere: a bad file is said, and harms nothing else. */
class SavedFilesTest {
    private static final String GOOD = """
            {"version": 1, "id": "elsewhere", "name": "good", "saved": "2026-01-31T12:00:00Z", "lmdebug": "0.1.0",
             "model": "sample", "fingerprint": "f", "prompt": "a b", "mode": "exact", "edits": ["L0D5=2"], "view": null,
             "results": {"kl": 1}}""";

    @TempDir
    private Path data;
    @AutoClose
    private TestServer server;

    @BeforeEach
    void start() throws IOException {
        Files.createDirectories(data.resolve("experiments"));
        Files.createDirectories(data.resolve("names"));
        server = server();
    }

    private TestServer server() {
        return new TestServer(new ServerOptions("127.0.0.1", 0, Set.of(), null, data, data.resolve("cache")));
    }

    private Path write(String id, String content) throws IOException {
        return Files.writeString(data.resolve("experiments").resolve(id + ".json"), content);
    }

    private static JsonNode list(TestServer server) {
        return json(server.get("/api/v1/experiments"));
    }

    private int status(String method, String id) {
        return server.send(method, "/api/v1/experiments/" + id, null).statusCode();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
            "`\"edits\": [\"L0D5=2\"]` | `\"edits\": null` | edits or mode: missing (expected: both)",
            "`\"edits\": [\"L0D5=2\"]` | `\"edits\": [null]` | edits: null among them",
            "`\"edits\": [\"L0D5=2\"]` | `\"edits\": [\"L0D\"]` | `edit: L0D (expected: `",
            "`\"edits\": [\"L0D5=2\"]` | `\"edits\": {\"a\": 1}` | `edits: of another kind (expected: a list)`",
            "`\"version\": 1` | `\"version\": 2` | version: 2 (expected: 1)",
            "`\"name\": \"good\"` | `\"name\": [\"x\"]` | `name: of another kind (expected: a text)`",
            "`\"name\": \"good\"` | `\"name\": \"\"` | `name: 0 characters (expected: 1 to 200)`",
            "`\"saved\": \"2026` | `\"saved\": \"x` | saved: no time",
            "`\"prompt\": \"a b\"` | `\"prompt\": null` | prompt: missing",
            "`\"mode\": \"exact\"` | `\"mode\": \"other\"` | mode: other (expected: exact or lm-debugger)",
            "`\"view\": null` | `\"more\": 1` | more: unknown",
            "`\"results\": {\"kl\": 1}` | `\"results\": 1e999` | too large",
            "`\"results\": {\"kl\": 1}}` | `\"results\"` | not JSON"})
    void aDamagedExperimentIsSaidAndCanBeDeleted(String part, String instead, String problem) throws IOException {
        assertThat(GOOD).contains(part);
        write("good", GOOD);
        var file = write("bad", GOOD.replace(part, instead));
        var list = list(server);
        assertThat(list.get("experiments")).singleElement()
                .satisfies(each -> assertThat(each.get("id").textValue()).isEqualTo("good"));
        assertThat(list.at("/damaged/0/id").textValue()).isEqualTo("bad");
        assertThat(list.at("/damaged/0/problem").textValue()).contains(problem).hasSizeLessThan(500);
        assertThat(status("GET", "bad")).isEqualTo(422);
        assertThat(status("GET", "good")).isEqualTo(200);
        assertThat(status("DELETE", "bad")).isEqualTo(204);
        assertThat(file).doesNotExist();
        assertThat(list(server).get("damaged")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{}", "[]", "null", "\0\0\0", "[[[[[[[["})
    void nothingOfAnExperimentInAFile(String content) throws IOException {
        write("bad", content);
        assertThat(list(server).at("/damaged/0/problem").textValue()).contains("expected: ");
    }

    @Test
    void anExperimentIsKnownByTheNameOfItsFile() throws IOException {
        for (var id : new String[] {"one", "two", "elsewhere"}) {
            write(id, GOOD);
        }
        assertThat(list(server).get("experiments")).extracting(each -> each.get("id").textValue())
                .containsExactlyInAnyOrder("one", "two", "elsewhere");
        assertThat(status("DELETE", "two")).isEqualTo(204);
        assertThat(json(server.get("/api/v1/experiments/one")).get("id").textValue()).isEqualTo("one");
        assertThat(status("GET", "two")).isEqualTo(404);
        assertThat(list(server).get("experiments")).hasSize(2);
    }

    @Test
    void serversThatShareAFolderSeeTheSame() throws IOException {
        try (var other = server()) {
            var saved = json(server.post("/api/v1/experiments", "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\"}"))
                    .get("id").textValue();
            assertThat(list(other)).isEqualTo(list(server));
            assertThat(other.send("DELETE", "/api/v1/experiments/" + saved, null).statusCode()).isEqualTo(204);
            assertThat(list(server).get("experiments")).isEmpty();
            write("changes", GOOD);
            assertThat(list(server).get("experiments")).hasSize(1);
            write("changes", "{");
            assertThat(list(server).get("damaged")).hasSize(1);
        }
    }

    @Test
    void aListIsBoundedInNumber() throws IOException {
        for (int i = 0; i < Experiments.MAX_COUNT + 3; i++) {
            write("x" + i, "{");
        }
        assertThat(list(server).get("damaged")).hasSize(Experiments.MAX_COUNT);
        assertThat(list(server).get("more").intValue()).isEqualTo(3);
        assertThat(server.post("/api/v1/experiments", "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\"}")
                .statusCode()).isEqualTo(409);
    }

    @Test
    void andInSize() throws IOException {
        for (int i = 0; i < 300; i++) {
            write("x" + i, GOOD.replace("a b", "a".repeat(Limits.PROMPT)));
        }
        var list = list(server);
        assertThat(list.get("experiments")).hasSizeBetween(250, 260);
        assertThat(list.get("more").intValue()).isEqualTo(300 - list.get("experiments").size());
        write("x0", GOOD.replace("\"f\"", "\"f\"" + " ".repeat(Limits.BODY)));
        assertThat(list(server).at("/damaged/0/problem").textValue()).startsWith("larger than 4,194,304 bytes");
        var edits = "\"L0D5=from:\\\"%s\\\"\"".formatted("a".repeat(20_000));
        write("x0", GOOD.replace("\"L0D5=2\"", edits + ", " + edits));
        assertThat(list(server).at("/damaged/0/problem").textValue()).contains("characters (expected: at most 32,768)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "{\"version\": 1, \"names\": {\"L0D5\": null}}",
            "{\"version\": 1, \"names\": {\"L0D5\": 3}}",
            "{\"version\": 1, \"names\": {\"L0D5\": \"\\u001b[31m\"}}",
            "{\"version\": 1, \"names\": {\"L0D\": \"a\"}}", "{\"version\": 1, \"names\": {}} x"})
    void aDamagedFileOfNamesIsSaidAndKeepsNothingElseFromWorking(String content) throws IOException {
        var file = Files.writeString(data.resolve("names").resolve(server.debugger.model().fingerprint() + ".json"),
                content);
        var answer = server.get("/api/v1/names");
        assertThat(answer.statusCode()).isEqualTo(500);
        assertThat(json(answer).get("detail").textValue()).contains(file.toString(), "not a file of names (expected: ")
                .doesNotContain("\u001b");
        assertThat(server.send("PUT", "/api/v1/names/L0D5", "{\"name\": \"a\"}").statusCode()).isEqualTo(507);
        assertThat(server.send("DELETE", "/api/v1/names/L0D5", null).statusCode()).isEqualTo(500);
        assertThat(json(server.get("/api/v1/values/L0D5")).get("name").isNull()).isTrue();
        assertThat(server.get("/api/v1/values/L0D5/similar").statusCode()).isEqualTo(200);
        assertThat(file).hasContent(content);
    }

    /** One who edited the file by hand. */
    @Test
    void namesOfVectorsThatTheModelHasNotAreListed() throws IOException {
        Files.writeString(data.resolve("names").resolve(server.debugger.model().fingerprint() + ".json"),
                "{\"version\": 1, \"names\": {\"L99D99999\": \"far\", \"L0D5\": \"near\"}}");
        assertThat(json(server.get("/api/v1/names")).get("names")).hasSize(2);
        assertThat(json(server.get("/api/v1/values/L0D5")).get("name").textValue()).isEqualTo("near");
    }
}
