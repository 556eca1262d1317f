package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.interpret.corpus.Corpora;

/** Corpora, the examples of a neuron, and searches in them, as the page asks for them. */
class CorpusApiTest {
    @AutoClose
    private static final TestServer server = new TestServer();

    @BeforeAll
    static void build() {
        server.buildTales();
    }

    private static JsonNode ok(String path) {
        var response = server.get(path);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    @Test
    void corporaAreListed() {
        assertThat(ok("/api/v1/corpora").at("/corpora").findValuesAsText("name")).contains("tales");
        var corpus = ok("/api/v1/corpora/tales");
        assertThat(corpus.at("/corpus/documents").asInt()).isEqualTo(3);
        assertThat(corpus.at("/layers")).hasSize(4);
        assertThat(corpus.at("/layers/3/heads")).hasSize(6);
    }

    @Test
    void aNeuronHasExamples() {
        var examples = ok("/api/v1/values/L2D253/examples?corpus=tales&top=2");
        assertThat(examples.at("/largest")).hasSize(2);
        assertThat(examples.at("/bands")).hasSize(5);
        assertThat(examples.at("/summary/count")).isEqualTo(examples.at("/corpus/tokens"));
        var first = examples.at("/largest/0");
        assertThat(first.get("coefficient").floatValue())
                .isEqualTo(first.get("coefficients").get(first.get("at").asInt()).floatValue())
                .isEqualTo(examples.at("/summary/max").floatValue());
    }

    @Test
    void wordsNearTheLargestCoefficientsAreFound() {
        var found = ok("/api/v1/search/examples?words=castle&corpus=tales&top=5");
        assertThat(found.at("/results")).hasSize(5).allSatisfy(result -> {
            assertThat(result.get("examples")).hasSize(1);
            assertThat(result.at("/examples/0/document").asInt()).isZero();
        });
        assertThat(ok("/api/v1/search/examples?words=nowhere&corpus=tales").at("/results")).isEmpty();
    }

    @Test
    void samplesHaveMeansAndStandardErrors() throws InterruptedException {
        var started = server.post("/api/v1/sweeps", """
                {"prompts": ["The king was"], "sites": "L2H3,L1D5", "operations": ["resample:tales#1", "off"],
                 "measures": ["kl", "entropy"], "samples": 3}""");
        assertThat(started.statusCode()).as(started.body()).isEqualTo(201);
        var sweep = "/api/v1/sweeps/" + json(started).get("id").textValue();
        assertThat(json(started).get("effects").intValue()).isEqualTo(8);
        assertThat(server.get(sweep + "/events").body()).contains("event: end", "\"state\":\"done\"");
        var effects = ok(sweep + "/strongest?measure=entropy").get("effects");
        assertThat(effects).hasSize(4);
        var rows = server.get(sweep + "/effects.csv").body().lines().toList();
        assertThat(rows).hasSize(9);
        double clean = ok(sweep + "/strongest").get("clean").get(1).doubleValue();
        var map = ok(sweep + "/map?measure=entropy");
        for (var effect : effects) {
            var name = effect.at("/edits/0").textValue();
            if (!name.contains("resample")) {
                assertThat(effect.has("standard_errors")).isFalse();
                continue;
            }
            assertThat(name).isIn("L2H3=resample:tales@last", "L1D5=resample:tales@last");
            var numbers = rows.stream().filter(row -> row.contains(name.replace("@last", "#")))
                    .mapToDouble(row -> Double.parseDouble(row.substring(row.lastIndexOf(',') + 1))).toArray();
            assertThat(numbers).hasSize(3);
            double mean = (numbers[0] + numbers[1] + numbers[2]) / 3;
            double squares = DoubleStream.of(numbers).map(x -> (x - mean) * (x - mean)).sum();
            assertThat(effect.at("/values/1").doubleValue()).isCloseTo(mean, within(1e-6));
            assertThat(effect.at("/standard_errors/1").doubleValue()).isCloseTo(Math.sqrt(squares / 2 / 3),
                    within(1e-6));
            if (name.startsWith("L1D5")) {
                double off = Double.parseDouble(rows.stream().filter(row -> row.contains("L1D5=0@last")).findFirst()
                        .map(row -> row.substring(row.lastIndexOf(',') + 1)).orElseThrow());
                assertThat(Math.abs(map.at("/changes/1/5").doubleValue())).isCloseTo(
                        Math.max(Math.abs(mean - clean), Math.abs(off - clean)), within(1e-6));
            }
            var trace = json(server.post("/api/v1/trace", """
                    {"prompt": "The king was", "edits": ["%s"], "samples": 3, "tokens": [" sad"]}"""
                    .formatted(name.replace("tales", "tales#1"))));
            assertThat(trace.at("/samples/count").intValue()).isEqualTo(3);
            assertThat(trace.at("/samples/kl/mean").doubleValue())
                    .isCloseTo(effect.at("/values/0").doubleValue(), within(1e-6));
            assertThat(trace.at("/samples/tokens/0/clean").floatValue()).isCloseTo(
                    trace.at("/positions/0/layers/3/chosen/0/after/probability").floatValue(), within(1e-6f));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "sweeps | {'prompts': ['a'], 'samples': 3} | samples: 3 of no operation",
            "sweeps | {'prompts': ['a'], 'operations': ['resample:tales'], 'samples': 257} | samples: 257 (expected: 2 to 256)",
            "trace  | {'prompt': 'a', 'samples': 3} | samples: 3 without =resample:NAME",
            "trace  | {'prompt': 'a', 'edits': ['L2H3=resample:tales'], 'samples': 257} | samples: 257 (expected: 2 to 256)",
            "trace  | {'prompt': 'a b', 'edits': ['L2H3=resample:tales'], 'samples': 3, 'positions': [0]} | samples: 3 of position [0]",
            "trace  | {'prompt': 'a', 'edits': ['L2H3=resample:tales'], 'samples': 3, 'clean': false} | clean: left out, with samples"})
    void samplesThatCannotBeTakenAreRefused(String path, String body, String detail) {
        var answer = server.post("/api/v1/" + path, body.replace("'", "\""));
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(json(answer).get("detail").textValue()).startsWith(detail);
    }

    @ParameterizedTest
    @CsvSource({"/api/v1/corpora/none, 404", "/api/v1/values/L2D253/examples?corpus=none, 404",
            "/api/v1/values/L2D253/examples?corpus=../x, 404", "/api/v1/values/L9D253/examples?corpus=tales, 400",
            "/api/v1/values/L2D253/examples?corpus=tales&top=21, 400", "/api/v1/search/examples?corpus=tales, 400",
            "/api/v1/search/examples?words=%2C&corpus=tales, 400"})
    void badRequestsAreRefused(String path, int status) {
        assertThat(server.get(path).statusCode()).isEqualTo(status);
    }

    @Test
    @Tag("slow")
    void storiesAreBuiltBetweenOtherWork() throws InterruptedException {
        var edited = "{\"prompt\": \"The king\", \"edits\": [\"L2D253=mean:stories\"]}";
        var refused = server.post("/api/v1/trace", edited);
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(json(refused).get("detail").textValue()).isEqualTo("corpus: stories: not built for this model "
                + "(expected: GET /api/v1/corpora/stories first, which builds it)");
        var first = server.get("/api/v1/values/L2D253/examples");
        assertThat(first.statusCode()).isEqualTo(202);
        assertThat(json(first).get("what").asText()).isEqualTo("corpus");
        assertThat(server.post("/api/v1/trace", "{\"prompt\": \"The king\"}").statusCode()).isEqualTo(200);
        var answer = first;
        for (int i = 0; i < 600 && answer.statusCode() == 202; i++) {
            Thread.sleep(100);
            answer = server.get("/api/v1/values/L2D253/examples");
        }
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(json(answer).at("/corpus/name").asText()).isEqualTo("stories");
        assertThat(server.post("/api/v1/trace", edited).statusCode()).isEqualTo(200);
    }
}
