package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.lmdebugger.checkpoint.CheckpointCases;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.LoadOptions;

/**
 * Each of {@link CheckpointCases} gives the logits of transformers 5, or is refused for a reason that helps. The
 * expected ones are made by {@code expected.py}, which lies beside them.
 */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CheckpointTest {
    /** Of the largest logit: single precision through two layers, measured below 2e-6. */
    private static final double TOLERANCE = 1e-5;
    private static final JsonNode EXPECTED = expected();
    private static final Map<String, CheckpointCases.Case> CASES = CheckpointCases.all();

    @AutoClose
    private final Device device = TestDevice.open();

    private static JsonNode expected() {
        try (var file = CheckpointTest.class.getResourceAsStream("/checkpoints/transformers.json")) {
            return new ObjectMapper().readTree(file);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private static Stream<String> computed() {
        return CASES.keySet().stream().filter(EXPECTED.get("cases")::has);
    }

    private static Stream<String> refused() {
        return CASES.keySet().stream().filter(name -> !EXPECTED.get("cases").has(name));
    }

    @ParameterizedTest
    @MethodSource("computed")
    void logitsAreThoseOfTransformers(String name, @TempDir Path folder) {
        var files = ModelFiles.of(CASES.get(name).checkpoint().write(folder));
        var warnings = new ArrayList<String>();
        try (var model = Gpt2.load(files, device, new LoadOptions(false, warnings::add))) {
            var ids = ints(EXPECTED.get("ids"));
            var expected = EXPECTED.at("/cases/" + name);
            assertThat(model.config().endTokens()).isEqualTo(Arrays.stream(ints(expected.get("ends")))
                    .filter(id -> id >= 0 && id < model.config().vocabularySize()).boxed().collect(Collectors.toSet()));
            try (var run = Activations.forward(model,
                    Arrays.copyOf(ids, Math.min(ids.length, model.config().positions())), CompiledIntervention.NONE,
                    Activations.Keep.ALL);
                    var logits = run.logits()) {
                var last = logits.row(run.length() - 1).toFloats();
                double largest = expected.at("/logits/0").doubleValue();
                for (int i = 0; i < 5; i++) {
                    double logit = expected.get("logits").get(i).doubleValue();
                    assertThat((double) last[expected.get("ids").get(i).intValue()]).isCloseTo(logit,
                            within(TOLERANCE * largest));
                }
            }
        }
        var said = CASES.get(name).said();
        assertThat(warnings).hasSize(said == null ? 0 : 1).allSatisfy(warning -> assertThat(warning).contains(said));
    }

    @ParameterizedTest
    @MethodSource("refused")
    void whatCannotBeComputedIsRefused(String name, @TempDir Path folder) {
        var files = ModelFiles.of(CASES.get(name).checkpoint().write(folder));
        assertThatThrownBy(() -> Gpt2.load(files, device)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining(CASES.get(name).said());
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
