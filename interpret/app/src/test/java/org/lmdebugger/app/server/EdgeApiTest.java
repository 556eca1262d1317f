package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.json;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.EdgePlan;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.progress.Progress;

/** Path patching, as a program asks for it. */
class EdgeApiTest {
    private static final Pair PAIR = Pair.of("Sara was sad. Then", "Tom was sad. Then", " she", " he");
    private static final String REQUEST = """
            {"clean": "Sara was sad. Then", "corrupted": "Tom was sad. Then", "answers": [" she"], "wrong": [" he"],\
             "edges": ["*>logits", "L0.ffn>L2H5.v"]""";

    @AutoClose
    private static final TestServer server = new TestServer();

    @Test
    void itsNumbersAreThoseOfTheLibrary() {
        for (var direction : Direction.values()) {
            var answer = server.post("/api/v1/edges", REQUEST + ", \"direction\": \"%s\"}".formatted(direction));
            assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
            var events = List.of(answer.body().strip().split("\n\n"));
            assertThat(events.getFirst()).isEqualTo("event: progress\ndata: {\"done\":0,\"edges\":30}");
            assertThat(events.get(events.size() - 2)).endsWith("{\"done\":30,\"edges\":30}");
            assertThat(events.getLast()).startsWith("event: end\ndata: ");
            var patched = json(events.getLast().substring(events.getLast().indexOf('{')));
            assertThat(patched.get("direction").textValue()).isEqualTo(direction.toString());
            var config = server.debugger.model().config();
            var edges = Edge.select(config, "*>logits");
            var effects = server.debugger.edges(PAIR, direction, edges, Progress.NONE);
            assertThat(patched.get("edges")).hasSize(edges.size() + 1);
            assertThat(patched.at("/edges/0/receiver").textValue()).isEqualTo("L2H5.v");
            for (int e = 0; e < edges.size(); e++) {
                var edge = patched.get("edges").get(e + 1);
                assertThat(edge.get("sender").textValue()).isEqualTo(edges.get(e).sender().toString());
                assertThat(edge.get("effect").doubleValue()).isCloseTo(effects.cells().get(e).effect(), within(1e-5));
            }
        }
    }

    @Test
    void aMeasureTakesThePlaceOfTheLogitDifference() {
        var answer = server.post("/api/v1/edges", REQUEST + ", \"measure\": \"probability:target\"}");
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        var patched = json(answer.body().substring(answer.body().indexOf('{', answer.body().indexOf("event: end"))));
        var edges = Edge.select(server.debugger.model().config(), "*>logits");
        var effects = EdgeEffects.of(server.debugger.model(),
                EdgePlan.of(server.debugger.model(), PAIR, Direction.NOISE,
                        edges, Optional.of(Measure.parse("probability:target"))),
                Progress.NONE);
        assertThat(patched.get("measure").textValue()).isEqualTo("probability:target");
        assertThat(patched.at("/clean/difference").doubleValue()).isEqualTo(effects.baseline().clean()).isBetween(0.0,
                1.0);
        for (int e = 0; e < edges.size(); e++) {
            assertThat(patched.at("/edges/" + (e + 1) + "/difference").doubleValue())
                    .isCloseTo(effects.cells().get(e).difference(), within(1e-6));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '^', value = {
            "\"clean\": \"a\", \"corrupted\": \"b\", \"measure\": \"top:3\"| measure: top:3 (expected: one that is a number",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"measure\": \"much\"| measure: much (expected: kl, entropy",
            "\"clean\": \"a\"| corrupted: missing (expected: a text)",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edges\": []| edges: 0 (expected: 1 to 256)",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edges\": [null]| edges: null among them",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"edges\": [\"L1H0>L0.ffn\"]| edge: L1H0>L0.ffn (expected: a sender",
            "\"clean\": \"a\", \"corrupted\": \"b\", \"direction\": \"up\"| direction: up (expected: noise or denoise)",
            "\"clean\": \"a little girl\", \"corrupted\": \"a girl\", \"answers\": [\" a\"]| pair: prompts of 3 and 2 tokens"})
    void whatCannotBePatchedIsRefused(String fields, String detail) {
        var answer = server.post("/api/v1/edges", "{" + fields + "}");
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).startsWith(detail).contains("expected");
    }
}
