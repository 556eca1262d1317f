package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.app.server.TestServer.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.interpret.corpus.Corpora;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.progress.Progress;

/** Corpora, the examples of a neuron, and searches in them, as the page asks for them. */
class CorpusApiTest {
    private static final Path CACHE = TestServer.temporary();

    @AutoClose
    private static final TestServer server = new TestServer(
            new ServerOptions("127.0.0.1", 0, Set.of(), null, TestServer.temporary(), CACHE));

    @BeforeAll
    static void build() {
        var model = server.debugger.model();
        new Corpora(CACHE, model).build("tales", Corpus.of(model, Stream.of("The king was in his castle.",
                "A little dog ran to the river.", "The queen saw the king and the dog."), 16), Progress.NONE);
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
    }
}
