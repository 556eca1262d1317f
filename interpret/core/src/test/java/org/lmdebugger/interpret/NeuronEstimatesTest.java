package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.patch.NeuronEstimates;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** Estimates of the effects of neurons at positions. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NeuronEstimatesTest {
    private static final double STEP = 1e-4;
    private static final Pair PAIR = Pair.of("Once upon a time there was a little girl who had a",
            "Once upon a time there was a little bird who had a", " big", " nest");

    @AutoClose
    private final TestModel sample = TestModel.open("sample");

    @Test
    void anEstimateIsTheSlopeAtTheBaseRun(@TempDir Path directory) throws IOException {
        var files = new RandomCheckpoint(3, 2, 16, 12, 8192).write(directory, 29);
        var random = new Random(3);
        var clean = random.ints(5, 0, 8192).toArray();
        var corrupted = random.ints(5, 0, 8192).toArray();
        corrupted[0] = clean[0];
        var pair = new Pair(Prompt.ofIds(clean), Prompt.ofIds(corrupted), List.of(Measure.Token.ofId(3)),
                List.of(Measure.Token.ofId(7)), Map.of());
        try (var model = Gpt2.load(ModelFiles.of(files), sample.device())) {
            var reference = new DoubleGpt2(model);
            for (var direction : Direction.values()) {
                var base = direction == Direction.NOISE ? clean : corrupted;
                var source = direction == Direction.NOISE ? corrupted : clean;
                var estimates = NeuronEstimates.of(model, pair, direction);
                assertThat(estimates.effects()).hasSize(3 * 4 * 64)
                        .isEqualTo(NeuronEstimates.of(model, pair, direction).effects());
                for (int i = 0; i < 30; i++) {
                    int index = random.nextInt(estimates.effects().length);
                    var place = estimates.place(index);
                    double change = coefficient(reference, source, place) - coefficient(reference, base, place);
                    double expected = (difference(reference, base, place, STEP * change)
                            - difference(reference, base, place, -STEP * change)) / (2 * STEP);
                    assertThat(estimates.effects()[index]).as("%s, %s", place, direction).isCloseTo(expected,
                            within(3e-6 + 3e-5 * Math.abs(expected)));
                }
            }
        }
    }

    private static double coefficient(DoubleGpt2 reference, int[] ids, NeuronEstimates.Place place) {
        var coefficient = new double[1];
        reference.logits(ids, new int[0], (site, layer, rows) -> {
            if (site == Site.COEFFICIENTS && layer == place.neuron().layer()) {
                coefficient[0] = rows[place.position()][place.neuron().neuron()];
            }
        });
        return coefficient[0];
    }

    private static double difference(DoubleGpt2 reference, int[] ids, NeuronEstimates.Place place, double change) {
        var logits = reference.logits(ids, new int[] {3, 7}, (site, layer, rows) -> {
            if (site == Site.COEFFICIENTS && layer == place.neuron().layer()) {
                rows[place.position()][place.neuron().neuron()] += change;
            }
        });
        return logits[0] - logits[1];
    }

    @Test
    void whatASieveChoosesIsPatchedExactly() {
        var model = sample.model();
        var estimates = NeuronEstimates.of(model, PAIR, Direction.NOISE);
        int some = TestDevice.isEmulated() ? 10 : 200;
        var sieve = estimates.sieve(some, some, 1);
        var cells = estimates.exact(model, sieve, Progress.NONE);
        assertThat(cells.keySet()).containsExactlyInAnyOrderElementsOf(
                Arrays.stream(sieve.chosen()).boxed().toList());
        var place = estimates.place(sieve.best()[0]);
        var grid = sample.debugger().patch(PAIR, new Patching(NeuronSelection.of(place.neuron()), Direction.NOISE,
                Columns.POSITIONS));
        assertThat(cells.get(sieve.best()[0]).effect())
                .isCloseTo(grid.cells().getFirst().get(place.position()).effect(), within(1e-4));
        assertThat(sieve.quality(index -> cells.get(index).effect()).rankCorrelation()).isGreaterThan(0.5);
    }

    @Test
    void equalPromptsAreRefused() {
        assertThatThrownBy(() -> NeuronEstimates.of(sample.model(), Pair.of("Once", "Once", " a", " b"),
                Direction.NOISE)).isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("pair: the same prompt twice (expected: two that differ)");
    }
}
