package org.lmdebugger.interpret;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.Debugger.TokenLogit;
import org.lmdebugger.interpret.Edits.Neuron;

/** A division of all value vectors of a model into clusters, which are numbered from 0. Any thread may ask. */
public final class Clusters {
    private final ValueVectors vectors;
    private final Method method;
    private final int[] labels; // by vector
    private final int count;

    /** How vectors were clustered. */
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
     * @param members        its vectors, those first that point most nearly where the members' sum does
     * @param representative the first member
     * @param tokens         those with the largest mean of the members' raw logits, which their logits are
     */
    public record Cluster(int label, List<Neuron> members, Neuron representative, List<TokenLogit> tokens) {
    }

    Clusters(ValueVectors vectors, Method method, int[] labels) {
        this.vectors = vectors;
        this.method = method;
        this.labels = labels;
        count = IntStream.of(labels).max().orElse(-1) + 1;
    }

    public Method method() {
        return method;
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** The cluster of each vector, by its {@linkplain ValueVectors#index index}. */
    public int[] labels() {
        return labels.clone();
    }

    /** The number of the cluster that {@code vector} belongs to. */
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
        var sorted = IntStream.range(0, cosines.length).boxed().sorted(Comparator.comparingDouble(i -> -cosines[i])).map(members::get).toList();
        return new Cluster(label, sorted, sorted.getFirst(), vectors.tokens(mean, k));
    }
}
