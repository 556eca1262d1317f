package org.lmdebugger.interpret.values.cluster;

import java.util.Comparator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.Vectors;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;

/** A division of all value vectors of a model into clusters, which are numbered from 0. Any thread may ask. */
public final class Clusters {
    private final ValueVectors vectors;
    private final Method method;
    private final int[] labels; // by vector
    private final int count;

    /** A method of clustering. */
    public enum Method {
        /** Exactly: complete linkage on cosine distance. */
        COMPLETE_LINKAGE,
        /** Approximately, as the matrix of all similarities did not fit: k-means on the sphere. */
        SPHERICAL_K_MEANS
    }

    /**
     * A cluster to look at.
     *
     * @param label          its number
     * @param members        its vectors, sorted by cosine similarity to their mean, the largest first
     * @param representative the first member
     * @param tokens         those with the largest mean of the members' raw logits, which their logits are
     */
    public record Cluster(int label, List<Neuron> members, Neuron representative, List<TokenLogit> tokens) {
    }

    /**
     * Divides all value vectors into clusters by cosine distance: exactly if the matrix of all similarities fits, else
     * by k-means; {@link #method()} tells which. The same options give the same clusters.
     *
     * @param progress of the rows of the matrix and the merges, or of k-means' rounds
     * @throws IllegalArgumentException if the number of clusters is not from 1 to that of the vectors
     */
    public static Clusters of(ValueVectors vectors, ClusterOptions options, Progress progress) {
        return of(vectors, options, vectors.count(), progress);
    }

    /** Divides the first {@code n} vectors alone. */
    public static Clusters of(ValueVectors vectors, ClusterOptions options, int n, Progress progress) {
        ValueVectors.check("clusters", options.count(), n);
        var model = vectors.model();
        return model.call(session -> {
            try (var scope = new TensorScope(model.device())) {
                var unit = unitVectors(model, session, scope, n);
                if (CompleteLinkage.byteSize(n) <= options.memory()) {
                    IntConsumer done = steps -> progress.report(steps, CompleteLinkage.steps(n));
                    try (var linkage = new CompleteLinkage(session, unit, done)) {
                        return new Clusters(vectors, Method.COMPLETE_LINKAGE, linkage.labels(options.count(), done));
                    } catch (OutOfDeviceMemoryException tooLarge) {
                        // the method of the result tells it
                    }
                }
                IntConsumer done = rounds -> progress.report(rounds, SphericalKMeans.ROUNDS);
                return new Clusters(vectors, Method.SPHERICAL_K_MEANS,
                        new SphericalKMeans(session, unit, options).labels(done));
            }
        });
    }

    private static Tensor unitVectors(Gpt2 model, Operations session, TensorScope scope, int n) {
        int width = model.config().feedForwardWidth();
        var unit = scope.allocate(ElementType.F32, n, model.config().width());
        for (int from = 0; from < n; from += width) {
            int rows = Math.min(width, n - from);
            var vectors = Vectors.download(session, model.layer(from / width).ffnOut().rows(0, rows));
            Vectors.normalise(vectors, model.config().width());
            session.upload(unit.rows(from, rows), vectors);
        }
        return unit;
    }

    /** Returns a division that was computed before: the cluster of each vector. */
    public static Clusters of(ValueVectors vectors, Method method, int[] labels) {
        if (labels.length != vectors.count()) {
            throw new IllegalArgumentException("labels: %d (expected: %d, one for each vector)"
                    .formatted(labels.length, vectors.count()));
        }
        return new Clusters(vectors, method, labels.clone());
    }

    private Clusters(ValueVectors vectors, Method method, int[] labels) {
        this.vectors = vectors;
        this.method = method;
        this.labels = labels;
        count = IntStream.of(labels).max().orElse(-1) + 1;
    }

    public Method method() {
        return method;
    }

    /** Returns the number of clusters. */
    public int count() {
        return count;
    }

    /** Returns the cluster of each vector, by its {@linkplain ValueVectors#index index}. */
    public int[] labels() {
        return labels.clone();
    }

    /** Returns the number of the cluster that {@code vector} belongs to. */
    public int label(Neuron vector) {
        return labels[vectors.index(vector)];
    }

    /**
     * Cluster {@code label} with the {@code k} tokens that its members together promote most.
     *
     * @throws IllegalArgumentException if there is no such cluster, or not so many tokens
     */
    public Cluster cluster(int label, int k) {
        if (label < 0 || label >= count) {
            throw new IllegalArgumentException("cluster: %d (expected: 0 to %d)".formatted(label, count - 1));
        }
        var members = IntStream.range(0, labels.length).filter(i -> labels[i] == label).mapToObj(vectors::at).toList();
        var values = members.stream().map(member -> vectors.row(member).toFloats()).toList();
        var mean = Vectors.mean(values);
        var cosines = values.stream().mapToDouble(value -> Vectors.cosine(value, mean)).toArray();
        var sorted = IntStream.range(0, cosines.length).boxed().sorted(Comparator.comparingDouble(i -> -cosines[i]))
                .map(members::get).toList();
        return new Cluster(label, sorted, sorted.getFirst(), vectors.tokens(mean, k));
    }
}
