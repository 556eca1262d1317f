package org.lmdebugger.interpret.values.cluster;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;

/**
 * Exact agglomerative clustering, complete linkage on cosine distance, by the nearest-neighbour chain (Murtagh, 1983;
 * Müllner, 2011): a chain of clusters, each the nearest of the one before, ends in two that are nearest to each other;
 * they are merged, and the chain goes on from what is left of it. Every cluster's similarities are a row of one matrix
 * on the device.
 *
 * <p>Ties, as in SciPy: the previous cluster of the chain before others, then the one in the lower row; a chain starts
 * in the lowest row; a merged cluster takes the higher of its two rows; equal merges are done in the order of the
 * chains.
 */
final class CompleteLinkage implements AutoCloseable {
    private static final int TILE = 1024; // rows of the matrix in one product
    private static final int TOLD = 256; // merges from one report to the next

    private final Operations session;
    private final TensorScope scope;
    private final int n;
    private final Tensor similarities; // [n, n]
    private final Tensor nearest; // [1, 1]
    private final Tensor similarity; // [1, 1]
    private final List<Merge> merges = new ArrayList<>();

    private final int[] chain; // rows
    private final float[] links; // by place in the chain: the similarity to the one before
    private int length;
    private final boolean[] chained; // by row
    private final boolean[] merged; // by row: is part of another now

    /** Two clusters, by their rows, become one; both rows' own vectors are in it. */
    private record Merge(int kept, int dropped, float similarity) {
    }

    static long byteSize(long vectors) {
        return 4 * vectors * vectors;
    }

    /** Returns the number of steps to report: a row of the matrix each, then a merge each. */
    static int steps(int vectors) {
        return 2 * vectors - 1;
    }

    /**
     * @param unit vectors of length 1, [n, d]
     * @param done hears how many rows of the matrix are there
     */
    CompleteLinkage(Operations session, Tensor unit, IntConsumer done) {
        this.session = session;
        scope = new TensorScope(unit.device());
        n = (int) unit.rows();
        chain = new int[n];
        links = new float[n];
        chained = new boolean[n];
        merged = new boolean[n];
        try {
            similarities = scope.allocate(ElementType.F32, n, n);
            nearest = scope.allocate(ElementType.I32, 1, 1);
            similarity = scope.allocate(ElementType.F32, 1, 1);
            for (int from = 0; from < n; from += TILE) {
                int rows = Math.min(TILE, n - from);
                session.innerProducts(similarities.rows(from, rows), unit.rows(from, rows), unit);
                done.accept(from + rows);
            }
            var diagonal = scope.vector(session, IntStream.range(0, n).toArray());
            var infinities = new float[n];
            Arrays.fill(infinities, Float.NEGATIVE_INFINITY);
            session.editCoefficients(similarities, diagonal, diagonal, scope.vector(session, new float[n]),
                    scope.vector(session, infinities));
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    /**
     * Returns a label for each vector; clusters are numbered in the order of their first vectors. {@code done}
     * continues the count of rows.
     */
    int[] labels(int count, IntConsumer done) {
        for (int start = 0; merges.size() < n - 1;) {
            if (length == 0) {
                while (merged[start]) {
                    start++;
                }
                push(start, Float.NEGATIVE_INFINITY);
            }
            extend();
            merge();
            if (merges.size() % TOLD == 0 || merges.size() == n - 1) {
                done.accept(n + merges.size());
            }
        }
        return cut(n - count);
    }

    /**
     * Until the last two clusters of the chain are nearest to each other. The matrix is symmetric but for rounding: a
     * cluster that is in the chain already is as near as the previous one, but for that.
     */
    private void extend() {
        var row = new int[1];
        var value = new float[1];
        while (true) {
            session.topK(nearest, similarity, similarities.row(chain[length - 1]));
            session.download(row, nearest);
            session.download(value, similarity);
            if (length > 1 && (chained[row[0]] || !(value[0] > links[length - 1]))) {
                return;
            }
            push(row[0], value[0]);
        }
    }

    private void push(int row, float link) {
        chain[length] = row;
        links[length++] = link;
        chained[row] = true;
    }

    private void merge() {
        int last = chain[--length];
        float link = links[length];
        int other = chain[--length];
        chained[last] = false;
        chained[other] = false;
        int kept = Math.max(last, other);
        int dropped = Math.min(last, other);
        session.linkClusters(similarities, kept, dropped);
        merged[dropped] = true;
        merges.add(new Merge(kept, dropped, link));
    }

    /**
     * Returns the clusters after the {@code count} merges of the most similar; the sort keeps the order of equal ones.
     */
    private int[] cut(int count) {
        var parents = IntStream.range(0, n).toArray();
        merges.stream().sorted(Comparator.comparingDouble(merge -> -merge.similarity())).limit(count)
                .forEach(merge -> parents[root(parents, merge.kept())] = root(parents, merge.dropped()));
        var numbers = new int[n];
        Arrays.fill(numbers, -1);
        var labels = new int[n];
        int next = 0;
        for (int i = 0; i < n; i++) {
            int root = root(parents, i);
            if (numbers[root] < 0) {
                numbers[root] = next++;
            }
            labels[i] = numbers[root];
        }
        return labels;
    }

    private static int root(int[] parents, int i) {
        while (parents[i] != i) {
            parents[i] = parents[parents[i]];
            i = parents[i];
        }
        return i;
    }

    @Override
    public void close() {
        scope.close();
    }
}
