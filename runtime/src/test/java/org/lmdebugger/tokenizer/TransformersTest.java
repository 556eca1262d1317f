package org.lmdebugger.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Ids of {@link TokenizerCases} are those of transformers 5. The expected ones are made by {@code expected.py}, which
 * lies beside them.
 */
class TransformersTest {
    private static final JsonNode EXPECTED = expected();
    private static final Map<String, Map<String, String>> CASES = TokenizerCases.all();

    private static JsonNode expected() {
        try (var file = TransformersTest.class.getResourceAsStream("/tokenizer/transformers.json")) {
            return TestTokenizers.JSON.readTree(file);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private static Stream<String> names() {
        return CASES.keySet().stream();
    }

    @Test
    void everyCaseIsExpected() {
        assertThat(EXPECTED.get("cases").fieldNames()).toIterable().containsExactlyInAnyOrderElementsOf(CASES.keySet());
    }

    @ParameterizedTest
    @MethodSource("names")
    void encodesAsTransformers(String name, @TempDir Path folder) {
        var tokenizer = Tokenizer.read(TokenizerCases.write(folder, CASES.get(name)), 600);
        for (int i = 0; i < EXPECTED.get("texts").size(); i++) {
            var text = EXPECTED.get("texts").get(i).textValue();
            assertThat(tokenizer.encode(text)).as(text).isEqualTo(ints(EXPECTED.at("/cases/" + name + "/" + i)));
        }
    }

    static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
