package org.lmdebugger.bench;

import java.io.IOException;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.cluster.ClusterOptions;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.model.Gpt2;

/** Clusters all value vectors of a model once, which takes minutes on a CPU, and prints how long it took. */
public final class Clustering {
    private Clustering() {
    }

    /** @param arguments a shape and a device, as in {@code gpt2 cpu} */
    public static void main(String[] arguments) throws IOException {
        try (var device = Devices.open(arguments[1]); var model = Gpt2.load(Checkpoints.of(arguments[0]), device)) {
            var vectors = new ValueVectors(model);
            long start = System.nanoTime();
            long[] rows = new long[1]; // when the matrix was there
            var clusters = Clusters.of(vectors, ClusterOptions.of(vectors), (done, total) -> {
                if (done == vectors.count()) {
                    rows[0] = System.nanoTime();
                }
            });
            System.out.printf(
                    "{\"vectors\": %d, \"clusters\": %d, \"method\": \"%s\", \"seconds\": %.2f, \"matrix_seconds\": %.2f}%n",
                    vectors.count(),
                    clusters.count(), clusters.method(), (System.nanoTime() - start) / 1e9, (rows[0] - start) / 1e9);
        }
    }
}
