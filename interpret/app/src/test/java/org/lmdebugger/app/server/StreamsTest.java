package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** Generations and sweeps, which come in events; experiments, which stay. */
class StreamsTest {
    @AutoClose
    private static final TestServer server = new TestServer();

    private record Event(String name, JsonNode data) {
    }

    private static List<Event> events(String body) {
        var events = new ArrayList<Event>();
        for (var block : body.split("\n\n")) {
            var lines = block.split("\n");
            assertThat(lines).hasSize(2);
            events.add(new Event(lines[0].replaceFirst("event: ", ""), json(lines[1].replaceFirst("data: ", ""))));
        }
        return events;
    }

    @Test
    void cleanAndEditedContinuations() {
        var answer = server.post("/api/v1/generate", """
                {"prompt": "%s", "tokens": 6, "continuations": [{}, {"edits": ["L1D5=9"]}]}""".formatted(PROMPT));
        assertThat(answer.headers().firstValue("Content-Type").orElseThrow()).startsWith("text/event-stream");
        assertThat(answer.body()).startsWith("""
                event: token
                data: {"continuation":0,"id":620,"text":" girl","log_probability":-0.""");
        var events = events(answer.body());
        var clean = new StringBuilder();
        events.stream()
                .filter(event -> event.name().equals("token") && event.data().get("continuation").intValue() == 0)
                .forEach(event -> clean.append(event.data().get("text").textValue()));
        assertThat(PROMPT + clean).isEqualTo(server.debugger.generate(PROMPT, 6).text());
        assertThat(events.getLast().name()).isEqualTo("end");
        assertThat(events.getLast().data().at("/generations/1/edits/0").textValue()).isEqualTo("L1D5=9");
        assertThat(PROMPT + events.getLast().data().at("/generations/1/continuation").textValue())
                .isEqualTo(server.debugger.generate(PROMPT, Intervention.parse("L1D5=9"), 6).text());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"\"tokens\": 0", "\"tokens\": 513", "\"tokens\": 127", "\"temperature\": -1", "\"top_p\": 2",
                    "\"continuations\": []", "\"continuations\": [{\"edits\": [\"L9D0=0\"]}]",
                    "\"continuations\": [{},{},{},{},{},{},{},{},{}]"})
    void whatIsWrongIsAProblemBeforeTheFirstEvent(String field) {
        var answer = server.post("/api/v1/generate", "{\"prompt\": \"%s\", %s}".formatted(PROMPT, field));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    private static JsonNode sweep(String body) {
        var answer = server.post("/api/v1/sweeps", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(201);
        assertThat(answer.headers().firstValue("Location"))
                .hasValue("/api/v1/sweeps/" + json(answer).get("id").textValue());
        return json(answer);
    }

    @Test
    void aSweepFromStartToDownload(@TempDir Path folder) throws Exception {
        var sweep = sweep("""
                {"prompts": ["%s"], "neurons": "all", "operations": ["off"], "measures": ["kl", "logit:\\" girl\\""]}"""
                .formatted(PROMPT));
        assertThat(sweep.get("effects").intValue()).isEqualTo(4 * 768);
        var path = "/api/v1/sweeps/" + sweep.get("id").textValue();
        var events = events(server.get(path + "/events").body());
        assertThat(events.getLast().name()).isEqualTo("end");
        assertThat(events.getLast().data().get("state").textValue()).isEqualTo("done");
        assertThat(events.getLast().data().get("done").intValue()).isEqualTo(4 * 768);

        var strongest = json(server.get(path + "/strongest?top=3"));
        assertThat(strongest.get("effects")).hasSize(3);
        assertThat(strongest.fieldNames()).toIterable().containsExactly("measures", "sorted_by", "clean", "effects");
        assertThat(strongest.at("/effects/0").fieldNames()).toIterable().containsExactly("prompt", "edits", "layer",
                "neuron", "values", "says");
        assertThat(strongest.at("/effects/0/edits/0").textValue()).isEqualTo("L0D409=0@last");
        assertThat(strongest.at("/effects/0/values/0").doubleValue()).isCloseTo(0.006323, within(1e-5));
        assertThat(strongest.at("/effects/0/says/0").textValue()).isEqualTo(" liked");
        assertThat(json(server.get(path + "/strongest?top=3&measure=logit:%22%20girl%22")).get("sorted_by").textValue())
                .isEqualTo("logit:\" girl\"");
        var lowered = json(server.get(path + "/strongest?top=3&measure=logit:%22%20girl%22&change=lowers"));
        lowered.get("effects").forEach(effect -> assertThat(effect.at("/values/1").doubleValue())
                .isLessThan(lowered.at("/clean/1").doubleValue()));
        for (var part : List.of("L2", "L2D30", "L2D304")) { // of a sweep of all neurons
            var ofPart = json(server.get(path + "/strongest?top=1000&part=" + part)).get("effects");
            assertThat(ofPart).hasSize(part.equals("L2") ? 768 : 1);
            assertThat(ofPart).allSatisfy(
                    effect -> assertThat(effect.at("/edits/0").textValue()).matches(part + "(D\\d+)?=0@last"));
        }
        assertThat(json(server.get(path + "/strongest?part=")).get("effects")).hasSize(50);
        assertThat(json(server.get(path + "/strongest?part=L9")).get("effects")).isEmpty();
        assertThat(server.get(path + "/strongest?change=up").statusCode()).isEqualTo(400);
        assertThat(server.get(path + "/strongest?top=0").statusCode()).isEqualTo(400);
        assertThat(server.get(path + "/strongest?measure=entropy").statusCode()).isEqualTo(400);

        var map = json(server.get(path + "/map")).get("changes");
        assertThat(map).hasSize(4);
        assertThat(map.get(0)).hasSize(768);
        assertThat(map.get(0).get(409).floatValue()).isEqualTo(strongest.at("/effects/0/values/0").floatValue());

        for (var format : List.of("csv", "parquet")) {
            var file = folder.resolve("effects." + format);
            var answer = server.http.send(
                    HttpRequest.newBuilder(server.address().resolve(path + "/effects." + format)).build(),
                    BodyHandlers.ofFile(file));
            assertThat(answer.headers().firstValue("Content-Disposition"))
                    .hasValue("attachment; filename=\"effects." + format + "\"");
            try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement();
                    var rows = statement.executeQuery("select count(*), max(kl) from '%s'".formatted(file))) {
                assertThat(rows.next()).isTrue();
                assertThat(rows.getInt(1)).isEqualTo(4 * 768);
                assertThat(rows.getFloat(2)).isEqualTo(strongest.at("/effects/0/values/0").floatValue());
            }
        }
        assertThat(server.get(path + "/effects.sql").statusCode()).isEqualTo(404);
    }

    @Test
    void aSweepGivesWhatItGivesInTheLibrary() {
        var sweep = sweep(
                "{\"prompts\": [\"%s\"], \"neurons\": \"dominant:5\", \"operations\": [\"set:3\"], \"at\": \"all\"}"
                        .formatted(PROMPT));
        var path = "/api/v1/sweeps/" + sweep.get("id").textValue();
        server.get(path + "/events");
        var measure = Measure.kl();
        var map = json(server.get(path + "/map")).get("changes");
        server.debugger.sweep(Sweep.of(PROMPT).dominant(5).set(3).atAll().measure(measure), effects -> {
            for (int i = 0; i < effects.size(); i++) {
                double expected = effects.values(measure)[i];
                assertThat(map.get(effects.layers()[i]).get(effects.neurons()[i]).doubleValue())
                        .isCloseTo(expected, within(1e-5 + 1e-4 * expected)); // other chunks, other rounding
            }
            return true;
        });
        assertThat(map.get(0)).anyMatch(JsonNode::isNull);
    }

    @Test
    void promptsOfASweepHaveTheirOwnTargets() {
        var sweep = sweep("""
                {"prompts": ["%s", "The king"], "targets": [" girl", "#17"], "against": [" boy"], "neurons": "L3D5",
                 "measures": ["difference:target/against"]}""".formatted(PROMPT));
        assertThat(sweep.get("targets")).map(JsonNode::textValue).containsExactly(" girl", "#17");
        assertThat(sweep.get("against")).map(JsonNode::textValue).containsExactly(" boy", " boy");
        var path = "/api/v1/sweeps/" + sweep.get("id").textValue();
        server.get(path + "/events");
        var strongest = json(server.get(path + "/strongest"));
        assertThat(strongest.get("effects")).hasSize(2).allSatisfy(effect -> {
            int prompt = effect.get("prompt").intValue();
            var measure = Measure.difference(List.of(Measure.Token.of(" girl"), Measure.Token.ofId(17)).get(prompt),
                    Measure.Token.of(" boy"));
            server.debugger
                    .sweep(Sweep.of(List.of(PROMPT, "The king").get(prompt)).neurons(NeuronSelection.parse("L3D5"))
                            .off().measure(measure), effects -> {
                                assertThat(effect.at("/values/0").floatValue()).isEqualTo(effects.values(measure)[0]);
                                return true;
                            });
        });
        assertThat(sweep("{\"prompts\": [\"a\"], \"neurons\": \"L1D0\"}").has("targets")).isFalse();
    }

    @Test
    void aSweepIsCancelled() {
        var sweep = sweep(
                "{\"prompts\": [\"%s\"], \"neurons\": \"all\", \"operations\": [\"set:1\", \"set:2\", \"set:3\", \"set:4\"], \"at\": \"all\"}"
                        .formatted("and then ".repeat(50)));
        var path = "/api/v1/sweeps/" + sweep.get("id").textValue();
        assertThat(server.get(path + "/effects.csv").statusCode()).isEqualTo(409);
        assertThat(json(server.post("/api/v1/trace", "{\"prompt\": \"a\"}")).has("positions")).isTrue(); // between its chunks
        assertThat(json(server.get(path)).get("state").textValue()).isIn("running", "waiting");
        assertThat(server.send("DELETE", path, null).statusCode()).isEqualTo(204);
        var events = events(server.get(path + "/events").body());
        assertThat(events.getLast().data().get("state").textValue()).isEqualTo("cancelled");
        assertThat(events.getLast().data().get("done").longValue()).isLessThan(4L * 4 * 768);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"prompts\": []}", "{\"prompts\": [\"\"]}", "{\"prompts\": [null]}",
            "{\"prompts\": [\"a\"], \"neurons\": \"L9\"}",
            "{\"prompts\": [\"a\"], \"operations\": [\"on\"]}", "{\"prompts\": [\"a\"], \"operations\": []}",
            "{\"prompts\": [\"a\"], \"at\": \"generated\"}",
            "{\"prompts\": [\"a\"], \"measures\": [\"logit:\\\" two words\\\"\"]}",
            "{\"prompts\": [\"a\"], \"measures\": [\"kl\", \"kl\"]}",
            "{\"prompts\": [\"a\"], \"measures\": [\"logit:target\"]}",
            "{\"prompts\": [\"a\"], \"targets\": [\" girl\"], \"measures\": [\"difference:target/against\"]}",
            "{\"prompts\": [\"a\"], \"targets\": [\" girl\", \" boy\"]}", "{\"prompts\": [\"a\"], \"targets\": [null]}",
            "{\"prompts\": [\"a\"], \"neurons\": \"L0-1D0-9999999999\"}",
            "{\"prompts\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\"], \"neurons\": \"all\", \"measures\": [\"top:100\"]}"})
    void sweepsThatCannotBe(String body) {
        var answer = server.post("/api/v1/sweeps", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    @Test
    void noSuchSweep() {
        for (var path : List.of("", "/events", "/map", "/strongest", "/effects.csv")) {
            assertThat(server.get("/api/v1/sweeps/none" + path).statusCode()).isEqualTo(404);
        }
    }

    @Test
    void experimentsOutliveTheServer(@TempDir Path data) throws Exception {
        var options = new ServerOptions("127.0.0.1", 0, Set.of(), null, data, data.resolve("cache"));
        String id;
        try (var first = new TestServer(options)) {
            var saved = first.post("/api/v1/experiments",
                    """
                            {"version": 1, "name": "<b>mine</b>", "prompt": "a", "edits": ["L1D2*=2@last"], "view": {"tab": "sweep"},
                             "results": {"kl": [1, 2.5]}}""");
            assertThat(saved.statusCode()).as(saved.body()).isEqualTo(201);
            id = json(saved).get("id").textValue();
        }
        Files.writeString(data.resolve("experiments").resolve("a".repeat(32) + ".json"), "{\"version\": 2}");
        try (var second = new TestServer(options)) {
            var list = json(second.get("/api/v1/experiments")).get("experiments");
            assertThat(list).hasSize(1);
            assertThat(list.get(0).has("results")).isFalse();
            assertThat(json(second.get("/api/v1/experiments")).at("/damaged/0/problem").textValue())
                    .isEqualTo("version: 2 (expected: 1)");
            var loaded = json(second.get("/api/v1/experiments/" + id));
            assertThat(loaded.get("name").textValue()).isEqualTo("<b>mine</b>");
            assertThat(loaded.at("/edits/0").textValue()).isEqualTo("L1D2*=2@last");
            assertThat(loaded.at("/results/kl/1").doubleValue()).isEqualTo(2.5);
            assertThat(second.send("DELETE", "/api/v1/experiments/" + id, null).statusCode()).isEqualTo(204);
            assertThat(second.get("/api/v1/experiments/" + id).statusCode()).isEqualTo(404);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"version\": 2, \"name\": \"a\", \"prompt\": \"a\"}",
            "{\"version\": 1, \"name\": \" \", \"prompt\": \"a\"}",
            "{\"version\": 1, \"name\": \"a\", \"prompt\": \"a\", \"edits\": [\"L1\"]}",
            "{\"version\": 1, \"name\": \"a\"}"})
    void experimentsThatCannotBe(String body) {
        assertThat(server.post("/api/v1/experiments", body).statusCode()).isEqualTo(400);
    }
}
