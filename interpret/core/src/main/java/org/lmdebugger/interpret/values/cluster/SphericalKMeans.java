package org.lmdebugger.interpret.values.cluster;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.values.Vectors;

/**
 * Spherical k-means (Dhillon and Modha, 2001): each vector belongs to the centroid with the largest cosine, ties to the
 * lower number, and each centroid points where the sum of its vectors does, for {@value #ROUNDS} rounds or until
 * nothing moves. Starts from vectors drawn with a seed; a centroid without vectors takes the vector that is farthest
 * from its own.
 */
final class SphericalKMeans {
    static final int ROUNDS = 25;
    private static final int TILE = 1024;

    private final Operations session;
    private final Tensor unit;
    private final ClusterOptions options;
    private final int n;
    private final int d;
    private final int[] labels;
    private final float[] cosines; // of each vector with its centroid

    /** @param unit vectors of length 1, [n, d] */
    SphericalKMeans(Operations session, Tensor unit, ClusterOptions options) {
        this.session = session;
        this.unit = unit;
        this.options = options;
        n = (int) unit.rows();
        d = (int) unit.columns();
        labels = new int[n];
        cosines = new float[n];
    }

    /**
     * Returns a label for each vector, below the number of clusters; calls {@code done} with the number of finished
     * rounds.
     */
    int[] labels(IntConsumer done) {
        int count = options.count();
        try (var scope = new TensorScope(unit.device())) {
            var centroids = scope.allocate(ElementType.F32, count, d);
            session.gatherRows(centroids, unit, scope.vector(session, drawn()));
            for (int round = 1; round <= ROUNDS; round++) {
                var before = labels.clone();
                assign(centroids, scope);
                done.accept(round);
                if (round > 1 && Arrays.equals(before, labels)) {
                    break;
                }
                session.upload(centroids, means());
            }
        }
        return labels;
    }

    /** Chooses as many different vectors as there are clusters. */
    private int[] drawn() {
        var random = new SplittableRandom(options.seed());
        var all = IntStream.range(0, n).toArray();
        for (int i = 0; i < options.count(); i++) {
            int j = random.nextInt(i, n);
            int other = all[j];
            all[j] = all[i];
            all[i] = other;
        }
        return Arrays.copyOf(all, options.count());
    }

    private void assign(Tensor centroids, TensorScope all) {
        try (var scope = new TensorScope(all.device())) {
            int tile = Math.min(TILE, n);
            var products = scope.allocate(ElementType.F32, tile, centroids.rows());
            var nearest = scope.allocate(ElementType.I32, n, 1);
            var values = scope.allocate(ElementType.F32, n, 1);
            for (int from = 0; from < n; from += tile) {
                int rows = Math.min(tile, n - from);
                session.innerProducts(products.rows(0, rows), unit.rows(from, rows), centroids);
                session.topK(nearest.rows(from, rows), values.rows(from, rows), products.rows(0, rows));
            }
            session.download(labels, nearest);
            session.download(cosines, values);
        }
    }

    /** Returns the centroids, [count, d]: sums of length 1. */
    private float[] means() {
        int count = options.count();
        fillEmpty(count);
        var sums = new double[count * d];
        for (int from = 0; from < n; from += TILE) {
            int rows = Math.min(TILE, n - from);
            var vectors = Vectors.download(session, unit.rows(from, rows));
            for (int r = 0; r < rows; r++) {
                int to = labels[from + r] * d;
                for (int i = 0; i < d; i++) {
                    sums[to + i] += vectors[r * d + i];
                }
            }
        }
        var centroids = new float[count * d];
        for (int i = 0; i < centroids.length; i++) {
            centroids[i] = (float) sums[i];
        }
        Vectors.normalise(centroids, d);
        return centroids;
    }

    /** Gives each centroid that has no vector the one that is farthest from its own, among those that can be spared. */
    private void fillEmpty(int count) {
        var sizes = new int[count];
        for (int label : labels) {
            sizes[label]++;
        }
        for (int empty = 0; empty < count; empty++) {
            if (sizes[empty] == 0) {
                int farthest = -1;
                for (int i = 0; i < n; i++) {
                    if (sizes[labels[i]] > 1 && (farthest < 0 || cosines[i] < cosines[farthest])) {
                        farthest = i;
                    }
                }
                sizes[labels[farthest]]--;
                sizes[empty]++;
                labels[farthest] = empty;
                cosines[farthest] = 1;
            }
        }
    }
}
