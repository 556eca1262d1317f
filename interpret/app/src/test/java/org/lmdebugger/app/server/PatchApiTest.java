package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.progress.Progress;

/** Activation patching, as the page asks for it. */
class PatchApiTest {
    private static final String CLEAN = "Sara was sad. Then";
    private static final String CORRUPTED = "Tom was sad. Then";
    private static final Pair PAIR = Pair.of(CLEAN, CORRUPTED, " she", " he");
    private static final String REQUEST = """
            {"clean": "%s", "corrupted": "%s", "answers": [" she"], "wrong": [" he"],\
            """.formatted(CLEAN, CORRUPTED);

    @AutoClose
    private static final TestServer server = new TestServer();

    private static List<String> events(String body) {
        var answer = server.post("/api/v1/patch", body);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        return List.of(answer.body().strip().split("\n\n"));
    }

    /** Returns the data of the last event. */
    private static JsonNode patched(String body) {
        var last = events(body).getLast();
        assertThat(last).startsWith("event: end\ndata: ");
        return json(last.substring(last.indexOf('{')));
    }

    private static void isThat(JsonNode json, Grid grid) {
        assertThat(json.get("parts")).map(JsonNode::textValue).isEqualTo(grid.parts().stream().map(Object::toString)
                .toList());
        assertThat(json.get("columns")).map(JsonNode::textValue).isEqualTo(grid.columns());
        for (int part = 0; part < grid.parts().size(); part++) {
            for (int column = 0; column < grid.columns().size(); column++) {
                var cell = grid.cells().get(part).get(column);
                for (var number : Map.of("difference", cell.difference(), "effect", cell.effect(), "normalised",
                        cell.normalised(), "kl", cell.kl()).entrySet()) {
                    assertThat(json.at("/%s/%d/%d".formatted(number.getKey(), part, column)).doubleValue())
                            .as("%s of %s", number.getKey(), grid.parts().get(part))
                            .isCloseTo(number.getValue(), within(1e-5)); // other chunks: on some machines other rounding
                }
            }
        }
    }

    @Test
    void itsNumbersAreThoseOfTheLibrary() {
        var answer = patched(REQUEST + "\"sites\": [\"pre\", \"heads:L1-2\"]}");
        var grids = server.debugger.patch(PAIR,
                List.of(Patching.denoise(PartSelection.Kind.PRE), new Patching(PartSelection.parse("heads:L1-2"),
                        Direction.DENOISE, Columns.POSITIONS)),
                Progress.NONE);
        assertThat(answer.get("grids")).hasSize(2);
        isThat(answer.at("/grids/0"), grids.getFirst());
        isThat(answer.at("/grids/1"), grids.getLast());
        assertThat(answer.at("/grids/1/sites").textValue()).isEqualTo("heads:L1-2");
        assertThat(answer.at("/grids/0/normalised/0/0").doubleValue()).isCloseTo(1, within(1e-3)); // the name itself
        assertThat(answer.get("divisor").doubleValue()).isEqualTo(grids.getFirst().baseline().divisor());
        assertThat(answer.at("/clean/difference").doubleValue()).isEqualTo(grids.getFirst().baseline().clean());
        assertThat(answer.at("/clean/tokens/0/token").textValue()).isEqualTo("Sara");
        assertThat(answer.at("/corrupted/tokens/0/token").textValue()).isEqualTo("Tom");
        assertThat(answer.at("/answers/0/token").textValue()).isEqualTo(" she");
        assertThat(answer.get("right").booleanValue()).isTrue();
    }

    @Test
    void directionAndPositionsAreChosen() {
        var noise = patched(REQUEST + "\"sites\": [\"v\"], \"direction\": \"noise\", \"at\": \"all\"}");
        assertThat(noise.get("direction").textValue()).isEqualTo("noise");
        isThat(noise.at("/grids/0"), server.debugger.patch(PAIR, new Patching(PartSelection.parse("v"), Direction.NOISE,
                Columns.ALL)));
        var roles = Map.of("subject", 0, "end", 4);
        var named = patched(REQUEST + "\"sites\": [\"mid\"], \"positions\": {\"subject\": 0, \"end\": 4}}");
        assertThat(named.at("/grids/0/columns")).map(JsonNode::textValue).containsExactly("subject", "end");
        var grid = server.debugger.patch(PAIR.roles(roles), Patching.denoise(PartSelection.Kind.MID)
                .by(Columns.ROLES));
        for (var role : roles.keySet()) {
            assertThat(named.at("/grids/0/effect/3/" + List.of("subject", "end").indexOf(role)).doubleValue())
                    .isCloseTo(grid.cells().get(3).get(grid.columns().indexOf(role)).effect(), within(1e-5));
        }
    }

    @Test
    void editsHoldInEveryRun() {
        var edits = Intervention.parse("L2H5=0", "L1D7=on");
        var answer = patched(REQUEST + "\"sites\": [\"mid\"], \"edits\": [\"L2H5=0\", \"L1D7=on\"]}");
        var grid = server.debugger.patch(PAIR, Patching.denoise(PartSelection.Kind.MID).under(edits));
        assertThat(answer.get("edits")).map(JsonNode::textValue).containsExactly("L2H5=0", "L1D7=on");
        isThat(answer.at("/grids/0"), grid);
        assertThat(answer.get("divisor").doubleValue()).isEqualTo(server.debugger.baseline(PAIR, edits).divisor())
                .isNotEqualTo(server.debugger.baseline(PAIR).divisor());
    }

    @Test
    void withoutAnswersTheLikeliestTokensAreCompared() {
        var answer = patched("""
                {"clean": "Once upon a time there was a little girl named",
                 "corrupted": "Once upon a time there was a little boy named", "sites": ["pre:L3"], "at": "all"}""");
        assertThat(answer.at("/answers/0/token").textValue()).isEqualTo(" Lily");
        assertThat(answer.at("/wrong/0/token").textValue()).isEqualTo(" Timmy");
    }

    @Test
    void progressComesWithEachPart() {
        var events = events(REQUEST + "\"sites\": [\"neurons\"]}");
        var progress = events.subList(0, events.size() - 1);
        assertThat(progress).hasSizeGreaterThan(1)
                .allSatisfy(event -> assertThat(event).startsWith("event: progress\ndata: {\"done\":"))
                .doesNotHaveDuplicates();
        assertThat(progress.getFirst()).endsWith("{\"done\":0,\"cells\":15360}");
        assertThat(progress.getLast()).endsWith("{\"done\":15360,\"cells\":15360}");
    }

    @Test
    void aDivisorThatIsTooSmallMakesNoNormalisedNumbers() {
        var answer = patched("""
                {"clean": "%s", "corrupted": "%s", "answers": [" she"], "wrong": [" he"], "sites": ["pre"]}"""
                .formatted(CLEAN, CLEAN));
        assertThat(answer.get("divisor").isNull()).isTrue();
        assertThat(answer.at("/grids/0/normalised/0/0").isNull()).isTrue();
        assertThat(answer.at("/grids/0/effect/0/0").doubleValue()).isZero();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '^', value = {
            "\"clean\": \"a\"| corrupted: missing (expected: a text)",
            "\"corrupted\": \"a\"| clean: missing",
            "\"clean\": \"a little girl\", \"corrupted\": \"a girl\", \"answers\": [\" a\"]| pair: prompts of 3 and 2 tokens, which differ from position 1 on: \" little\" and \" girl\" (expected: equal lengths)",
            "\"clean\": \"a\", \"corrupted\": \"a\"| answers: none, and the likeliest token is the same after both",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"answers\": [\" Rumpelstiltskin\"]| token: \" Rumpelstiltskin\" (expected: one token, but it is",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"answers\": [null]| answers: null among them",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"sites\": []| patchings: [] (expected: at least one",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"sites\": [\"links\"]| sites: links (expected: neurons, heads",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"sites\": [\"heads:L9\"]| sites: heads:L9 (expected: L0 to L3",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"sites\": [\"pre\", \"pre\"]| patchings: ",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"direction\": \"up\"| direction: up (expected: denoise or noise)",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"at\": \"last\"| at: last (expected: each or all)",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"at\": \"all\", \"positions\": {\"end\": 0}| positions: beside at",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edits\": [\"L9H0=0\"]| edit: L9H0 (expected: L0 to L3",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edits\": [\"L1.mid+=a.npy#0\"]| direction: a file (expected: ",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edits\": [\"L1D2=0\"], \"mode\": \"lm-debugger\"| edit: L1D2=0 (expected: ",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"positions\": {}| roles: none",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"positions\": {\"end\": null}| positions: null among them",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"positions\": {\"end\": 1}| role: end: position 1 (expected: 0 to 0)"})
    void whatCannotBePatchedIsRefused(String fields, String detail) {
        var answer = server.post("/api/v1/patch", "{" + fields + "}");
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).startsWith(detail).contains("expected");
    }

    @Test
    void moreCellsThanAnAnswerTakesAreRefused() {
        var prompt = "a" + " girl".repeat(40);
        var answer = server.post("/api/v1/patch", """
                {"clean": "%s", "corrupted": "%s", "answers": [" a"], "wrong": [" the"], "sites": ["neurons"]}"""
                .formatted(prompt, "b" + prompt.substring(1)));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue())
                .isEqualTo("sites: 125,952 cells (expected: at most 100,000; choose fewer, or use lmdebug patch)");
    }
}
