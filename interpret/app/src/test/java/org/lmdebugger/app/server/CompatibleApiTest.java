package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.app.server.TestServer.PROMPT;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;

/** LM-Debugger's HTTP interface, rule by rule; numbers against PyTorch's. */
class CompatibleApiTest {
    private static final double TOLERANCE = 2e-5; // relative: fp32 against float64, over 4 layers

    @AutoClose
    private static final TestServer server = new TestServer();
    private static JsonNode golden;

    @BeforeAll
    static void start() throws Exception {
        var root = Path.of("").toAbsolutePath();
        while (!Files.exists(root.resolve("lmdebug"))) {
            root = root.getParent();
        }
        golden = json(Files.readString(root.resolve("interpret/core/src/test/resources/golden/sample.json")));
    }

    private static String body(String prompt, String interventions) {
        return "{\"prompt\": %s, \"interventions\": [%s]}".formatted(TestServer.JSON.valueToTree(prompt),
                interventions);
    }

    private static String off(int layer, int dim) {
        return one(layer, dim, "0.0");
    }

    private static String one(int layer, int dim, String coeff) {
        return "{\"layer\": %d, \"dim\": %d, \"coeff\": %s}".formatted(layer, dim, coeff);
    }

    private static JsonNode data(String prompt, String... interventions) {
        return good("/get_data", body(prompt, String.join(",", interventions)));
    }

    private static String generate(String prompt, int tokens, String... interventions) {
        return good("/generate",
                body(prompt, String.join(",", interventions)).replaceFirst("\\{", "{\"generate_k\": " + tokens + ","))
                        .get("generate_text").textValue();
    }

    private static JsonNode good(String path, String body) {
        var response = server.post(path, body);
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.headers().firstValue(Responses.REASON)).isEmpty();
        return json(response);
    }

    private static List<JsonNode> list(JsonNode array) {
        var nodes = new ArrayList<JsonNode>();
        array.forEach(nodes::add);
        return nodes;
    }

    /** The layers of a view against PyTorch's: [[id, probability], …] and [[neuron, score], …]. */
    private static void assertLayers(JsonNode view, JsonNode expected) {
        assertThat(view.get("layers")).hasSameSizeAs(expected);
        for (int l = 0; l < expected.size(); l++) {
            var layer = view.get("layers").get(l);
            assertThat(layer.fieldNames()).toIterable()
                    .containsExactly("layer", "predictions_before", "predictions_after", "significant_values");
            assertThat(layer.get("layer").intValue()).isEqualTo(l);
            for (var field : List.of("predictions_before", "predictions_after", "significant_values")) {
                assertThat(layer.get(field)).hasSize(10);
                for (int i = 0; i < 10; i++) {
                    var entry = layer.get(field).get(i);
                    var wanted = expected.get(l).get(field).get(i);
                    if (field.equals("significant_values")) {
                        assertThat(entry.get("layer").intValue()).isEqualTo(l);
                        assertThat(entry.get("dim").intValue()).isEqualTo(wanted.get(0).intValue());
                    } else {
                        assertThat(entry.get("token").textValue())
                                .isEqualTo(server.debugger.model().tokenizer().text(wanted.get(0).intValue()));
                    }
                    double score = wanted.get(1).doubleValue();
                    assertThat(entry.get("score").doubleValue()).isCloseTo(score, within(TOLERANCE * score + 1e-8));
                }
            }
        }
    }

    @Test
    void interventionsAsPyTorchDoesThem() {
        for (var prompt : golden.get("prompts")) {
            var text = prompt.get("prompt").textValue();
            var expected = prompt.get("lm_debugger");
            var interventions = list(expected.get("interventions")).stream().map(JsonNode::toString)
                    .toArray(String[]::new);
            var answer = data(text, interventions);
            assertThat(answer.at("/response/prompt").textValue()).isEqualTo(text);
            assertThat(answer.at("/intervention/prompt").textValue()).isEqualTo(text);
            assertLayers(answer.get("intervention"), expected.get("layers"));
            assertThat(answer.get("response")).isEqualTo(data(text).get("response"));
        }
    }

    @Test
    void cleanRunAtTheLastPositionAsPyTorchDoesIt() {
        for (var prompt : golden.get("prompts")) {
            var answer = data(prompt.get("prompt").textValue());
            assertThat(answer.has("intervention")).isFalse();
            var next = prompt.at("/next/top");
            var after = answer.at("/response/layers/3/predictions_after");
            for (int i = 0; i < 10; i++) {
                assertThat(after.get(i).get("token").textValue())
                        .isEqualTo(server.debugger.model().tokenizer().text(next.at("/ids/" + i).intValue()));
                double probability = next.at("/values/" + i).doubleValue();
                assertThat(after.get(i).get("score").doubleValue()).isCloseTo(probability,
                        within(TOLERANCE * probability));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0.0, -3.5", "1.0, 0.001", "1.0, 250"})
    void onlyTheSignOfACoefficientMatters(String one, String other) {
        assertThat(data(PROMPT, one(2, 7, one))).isEqualTo(data(PROMPT, one(2, 7, other)));
    }

    @Test
    void offAndOnDiffer() {
        assertThat(data(PROMPT, one(1, 483, "0.0")).get("intervention"))
                .isNotEqualTo(data(PROMPT, one(1, 483, "1.0")).get("intervention"));
    }

    @Test
    void theLastInterventionOnANeuronWins() {
        assertThat(data(PROMPT, one(2, 7, "1.0"), off(2, 7))).isEqualTo(data(PROMPT, off(2, 7)));
    }

    @Test
    void otherKeysAreIgnored() {
        var plain = data(PROMPT, off(1, 5));
        assertThat(good("/get_data",
                body(PROMPT, "{\"layer\": 1, \"dim\": 5, \"desc\": \"<script>alert(1)</script>\", \"coeff\": 0.0}")
                        .replaceFirst("\\{", "{\"generate_k\": null, \"more\": [1],"))).isEqualTo(plain);
    }

    @Test
    void greedyGenerationAsPyTorchDoesIt() {
        for (var prompt : golden.get("prompts")) {
            var expected = prompt.at("/generate/0/text").textValue();
            assertThat(generate(prompt.get("prompt").textValue(), 5)).isNotEqualTo(prompt.get("prompt").textValue());
            assertThat(expected).startsWith(generate(prompt.get("prompt").textValue(), 5));
            assertThat(generate(prompt.get("prompt").textValue(), 20)).isEqualTo(expected);
        }
    }

    @Test
    void interventionsHoldAtGeneratedPositions() {
        var clean = generate(PROMPT, 20);
        assertThat(generate(PROMPT, 20, one(3, 71, "1.0"), one(2, 253, "1.0"), one(0, 479, "1.0"))).startsWith(PROMPT)
                .isNotEqualTo(clean);
    }

    /** The value of a neuron that is on is that of the prompt, however long its continuation has become. */
    @Test
    void theOnValueStaysThatOfThePrompt() {
        var on = new String[] {one(3, 71, "1.0"), one(2, 253, "1.0")};
        var text = generate(PROMPT, 20, on);
        assertThat(text).startsWith(generate(PROMPT, 5, on));
        var edits = Intervention.parse(Mode.LM_DEBUGGER, List.of("L3D71=on", "L2D253=on"));
        assertThat(text).isEqualTo(server.debugger.generate(PROMPT, edits, 20).text());
    }

    /** Fault 8, not copied: the original's decoding eats spaces before punctuation. */
    @Test
    void textIsWhatTheTokensSay() {
        var prompt = "The cat , said he , do n't . No !";
        assertThat(generate(prompt, 5)).startsWith(prompt);
        assertThat(generate("A\r\n \t b  \u00e9\ud83d\ude00", 1)).startsWith("A\r\n \t b  \u00e9\ud83d\ude00");
        assertThat(data(prompt).at("/response/prompt").textValue()).isEqualTo(prompt);
    }

    @Test
    void generationStopsAtTheEndOfTextAndDropsSpecialTokens() {
        var text = generate("The end.", 100);
        assertThat(text).startsWith("The end.").doesNotContain("<|endoftext|>");
    }

    @Test
    void projectionsAreRawTokensAndDotProducts() {
        for (var vector : golden.get("value_vectors")) {
            var path = "/get_projections/layer/%d/dim/%d".formatted(vector.get("layer").intValue(),
                    vector.get("neuron").intValue());
            var answer = json(server.get(path));
            assertThat(answer.fieldNames()).toIterable().containsExactly("layer", "dim", "top_k");
            assertThat(answer.get("top_k")).hasSize(50);
            for (int i = 0; i < 50; i++) {
                double logit = vector.at("/top/values/" + i).doubleValue();
                assertThat(answer.at("/top_k/%d/logit".formatted(i)).doubleValue()).isCloseTo(logit, within(1e-5));
                assertThat(answer.at("/top_k/%d/token".formatted(i)).textValue())
                        .isEqualTo(server.debugger.model().tokenizer().raw(vector.at("/top/ids/" + i).intValue()));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/get_data", "/generate", "/get_projections/layer/1/dim/5"})
    void anAllowedPageMayAsk(String path) {
        var preflight = server.send("OPTIONS", path, null, "Origin", "http://localhost:3000",
                "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type");
        assertThat(preflight.statusCode()).isEqualTo(204);
        assertThat(preflight.headers().firstValue("Access-Control-Allow-Origin")).hasValue("http://localhost:3000");
        assertThat(preflight.headers().firstValue("Access-Control-Allow-Headers").orElseThrow())
                .contains("Content-Type");
        assertThat(preflight.headers().firstValue("Access-Control-Allow-Methods").orElseThrow()).contains("POST");
        var answer = path.contains("projections") ? server.send("GET", path, null, "Origin", "http://localhost:3000")
                : server.send("POST", path, body(PROMPT, "").replaceFirst("\\{", "{\"generate_k\": 1,"), "Origin",
                        "http://localhost:3000");
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Access-Control-Allow-Origin")).hasValue("http://localhost:3000");
    }

    static Stream<String> nothing() {
        return Stream.of(body("", ""), body("word ".repeat(400), ""), body(PROMPT, off(4, 0)),
                body(PROMPT, off(0, 768)),
                body(PROMPT, off(-1, 0)), body(PROMPT, off(0, -1)), "{\"prompt\": \"a\"}", "{\"interventions\": []}",
                "{}",
                body(PROMPT, "{\"dim\": 0, \"coeff\": 0.0}"), body(PROMPT, "{\"layer\": 0, \"coeff\": 0.0}"),
                body(PROMPT, "{\"layer\": 0, \"dim\": 0}"));
    }

    /** Faults 2, 4 and 5: what the original's page shows as nothing, and after which the original is broken. */
    @ParameterizedTest
    @MethodSource("nothing")
    void whatFailsHarmsNobodyAndSaysWhy(String bad) {
        var before = server.post("/get_data", body(PROMPT, off(1, 5))).body();
        var answer = server.post("/get_data", bad);
        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).isEqualTo("{}");
        assertThat(answer.headers().firstValue(Responses.REASON).orElseThrow()).contains("expected: ");
        assertFailedForThePage(server.post("/generate", bad.replaceFirst("\\{(?=\"prompt)", "{\"generate_k\": 5,")));
        assertThat(server.post("/get_data", body(PROMPT, off(1, 5))).body()).isEqualTo(before);
    }

    /** The original's page breaks on JSON without what it looks for, whatever the status; other text it calls a failure. */
    private static void assertFailedForThePage(HttpResponse<String> answer) {
        assertThat(answer.statusCode()).isBetween(400, 499);
        assertThat(answer.headers().firstValue("Content-Type").orElseThrow()).startsWith("text/plain");
        assertThatThrownBy(() -> TestServer.JSON.readTree(answer.body())).isInstanceOf(JsonProcessingException.class);
        assertThat(answer.body()).contains("expected: ");
        assertThat(answer.headers().firstValue(Responses.REASON)).hasValue(answer.body());
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "0", "-1", "513", "121"})
    void continuationsOfAWrongLength(String tokens) {
        assertFailedForThePage(
                server.post("/generate", body(PROMPT, "").replaceFirst("\\{", "{\"generate_k\": " + tokens + ",")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/get_projections/layer/4/dim/0", "/get_projections/layer/0/dim/768",
            "/get_projections/layer/-1/dim/0",
            "/get_projections/layer/x/dim/99999999999"})
    void noSuchVector(String path) {
        assertFailedForThePage(server.get(path));
    }

    /** Its page cannot send these, so that they need not look like nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"{\"prompt\": \"a\", \"interventions\": [", "[]", "{\"prompt\": 1, \"interventions\": []}",
            "null", "",
            "{\"prompt\": \"a\", \"interventions\": [{\"layer\": \"x\", \"dim\": 0, \"coeff\": 0}]}"})
    void malformedBodies(String body) {
        var answer = server.post("/get_data", body);
        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        assertThat(json(answer).get("detail").textValue()).contains("expected");
    }

    @Test
    void aFreshServerAnswersTheSame() {
        var old = server.post("/get_data", body(PROMPT, one(2, 7, "1.0"))).body();
        try (var fresh = new TestServer()) {
            assertThat(fresh.post("/get_data", body(PROMPT, one(2, 7, "1.0"))).body()).isEqualTo(old);
        }
    }
}
