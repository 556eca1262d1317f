package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.Version;

/** The description says all that the server does, and nothing else. That every answer is as described {@link TestServer} checks. */
class DescriptionTest {
    private static final Description DESCRIPTION = Description.INSTANCE;
    @AutoClose
    private static final TestServer server = new TestServer();

    @Test
    void everyRouteAndNoOther() {
        var routes = new HashSet<>(server.server.routes());
        assertThat(routes.remove("GET /*")).isTrue(); // the page
        assertThat(DESCRIPTION.operations().keySet()).containsExactlyInAnyOrderElementsOf(routes);
    }

    @Test
    void isServed() {
        var answer = server.get("/api/v1/openapi.yaml");
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/yaml");
        assertThat(answer.body()).startsWith("openapi: 3.1.0");
    }

    @Test
    void hasTheVersionOfTheProgram() {
        assertThat(DESCRIPTION.document.at("/info/version").textValue()).isEqualTo(Version.NUMBER);
    }

    @Test
    void referencesLeadSomewhereAndEverySchemaIsUsed() {
        var unused = new HashSet<String>();
        for (var kind : List.of("schemas", "responses", "parameters", "headers")) {
            DESCRIPTION.document.at("/components/" + kind).fieldNames()
                    .forEachRemaining(name -> unused.add("/components/" + kind + "/" + name));
        }
        for (var reference : DESCRIPTION.document.findValues("$ref")) {
            var pointer = reference.textValue().substring(1);
            assertThat(DESCRIPTION.document.at(pointer).isMissingNode()).as(pointer).isFalse();
            unused.remove(pointer);
        }
        assertThat(unused).isEmpty();
    }

    @Test
    void operationsHaveNamesOfTheirOwn() {
        assertThat(DESCRIPTION.document.findValuesAsText("operationId")).doesNotHaveDuplicates()
                .hasSameSizeAs(DESCRIPTION.operations().keySet());
    }

    @Test
    void limitsAreThoseOfTheServer() {
        var limits = json(server.get("/api/v1/model")).get("limits");
        var schemas = DESCRIPTION.document.at("/components/schemas");
        assertThat(List.of(schemas.at("/TraceRequest/properties/top/maximum"),
                schemas.at("/TraceRequest/properties/neurons/maximum"),
                schemas.at("/GenerateRequest/properties/tokens/maximum"),
                schemas.at("/GenerateTextRequest/properties/generate_k/maximum"),
                schemas.at("/GenerateRequest/properties/continuations/maxItems"),
                schemas.at("/SweepRequest/properties/prompts/maxItems"),
                schemas.at("/SweepRequest/properties/targets/maxItems"),
                schemas.at("/SweepRequest/properties/against/maxItems"),
                schemas.at("/SweepRequest/properties/operations/maxItems"),
                schemas.at("/SweepRequest/properties/measures/maxItems")))
                        .isEqualTo(List.of(limits.get("top"), limits.get("top"),
                                limits.get("generated_tokens"), limits.get("generated_tokens"),
                                limits.get("continuations"),
                                limits.get("sweep_prompts"), limits.get("sweep_prompts"),
                                limits.get("sweep_prompts"), limits.get("sweep_operations"),
                                limits.get("followed_tokens")));
        var names = new ArrayList<String>();
        DESCRIPTION.document.at("/components/schemas/Model/properties/limits/required")
                .forEach(name -> names.add(name.textValue()));
        assertThat(limits.fieldNames()).toIterable().containsExactlyInAnyOrderElementsOf(names);
    }

    static Stream<String> examples() {
        return DESCRIPTION.operations().entrySet().stream()
                .filter(each -> !example(each.getValue()).isMissingNode())
                .map(each -> each.getKey() + " " + example(each.getValue()));
    }

    private static JsonNode example(String operation) {
        return DESCRIPTION.document.at(operation + "/requestBody/content/application~1json/example");
    }

    @ParameterizedTest
    @MethodSource("examples")
    void examplesWork(String example) {
        var parts = example.split(" ", 3);
        assertThat(server.send(parts[0], parts[1], parts[2]).statusCode()).isIn(200, 201);
    }

    /** Or the checks of all other tests would mean nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"{\"id\": 3}", "{\"id\": -1, \"text\": \"a\"}", "{\"id\": 3, \"text\": \"a\", \"more\": 1}",
            "[]"})
    void schemasRefuse(String token) {
        assertThat(DESCRIPTION.errors("/components/schemas/Token", json(token))).isNotEmpty();
        assertThat(DESCRIPTION.errors("/components/schemas/Token", json("{\"id\": 3, \"text\": \"a\"}"))).isEmpty();
    }
}
