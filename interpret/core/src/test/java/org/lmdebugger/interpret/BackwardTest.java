package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.model.Backward;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/** Gradients of a whole model, against central differences of a forward pass in double precision. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BackwardTest {
    private static final double STEP = 1e-5;
    private static final int ANSWER = 3;
    private static final int WRONG = 7;

    @AutoClose
    private final Device device = TestDevice.open();

    private record Place(Site site, int layer) {
    }

    @Test
    void gradientsAreThoseOfCentralDifferences(@TempDir Path directory) throws IOException {
        var files = new RandomCheckpoint(3, 2, 16, 12, 8192).write(directory, 5);
        try (var model = Gpt2.load(ModelFiles.of(files), device)) {
            var random = new Random(11);
            for (int length : new int[] {6, 1}) {
                var ids = random.ints(length, 0, 8192).toArray();
                var gradients = gradients(model, ids);
                assertThat(gradients).hasSize(3 * Site.values().length);
                assertThat(gradients(model, ids)).usingRecursiveComparison().isEqualTo(gradients); // to the bit
                var reference = new DoubleGpt2(model);
                gradients.forEach((place, gradient) -> {
                    for (int i = 0; i < 8; i++) {
                        int row = random.nextInt(length);
                        int columns = gradient.length / length;
                        int column = random.nextInt(columns);
                        double expected = (difference(reference, ids, place, row, column, STEP)
                                - difference(reference, ids, place, row, column, -STEP)) / (2 * STEP);
                        // a chain of some hundred roundings in single precision
                        assertThat((double) gradient[row * columns + column]).as("%s, row %d, column %d", place, row,
                                column).isCloseTo(expected, within(1e-6 + 3e-5 * Math.abs(expected)));
                    }
                });
            }
        }
    }

    private static double difference(DoubleGpt2 reference, int[] ids, Place place, int row, int column, double step) {
        var logits = reference.logits(ids, new int[] {ANSWER, WRONG}, (site, layer, rows) -> {
            if (site == place.site() && layer == place.layer()) {
                rows[row][column] += step;
            }
        });
        return logits[0] - logits[1];
    }

    private static Map<Place, float[]> gradients(Gpt2 model, int[] ids) {
        var gradients = new LinkedHashMap<Place, float[]>();
        try (var run = Activations.forward(model, ids, CompiledIntervention.NONE, Activations.Keep.ALL);
                var scope = new TensorScope(model.device())) {
            model.call(session -> {
                var logits = new float[model.config().vocabularySize()];
                logits[ANSWER] = 1;
                logits[WRONG] = -1;
                Backward.run(model, session, run::at, scope.vector(session, logits), (site, layer, rows) -> {
                    var numbers = new float[(int) (rows.rows() * rows.columns())];
                    session.download(numbers, rows);
                    gradients.put(new Place(site, layer), numbers);
                });
                return null;
            });
        }
        return gradients;
    }
}
