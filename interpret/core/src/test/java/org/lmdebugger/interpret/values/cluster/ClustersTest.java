package org.lmdebugger.interpret.values.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.Vectors;
import org.lmdebugger.model.Gpt2;

/** Clusters against the definition; the golden test compares them with SciPy's. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public class ClustersTest {
    private static final long SEED = Long.getLong("test.seed", 20_261_123);

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Device device = sample.device();
    private final Gpt2 model = sample.model();
    private final ValueVectors vectors = new ValueVectors(model);

    private int[] linkage(float[] unit, int n, int count) {
        return device.call(session -> {
            try (var scope = new TensorScope(device)) {
                var tensor = scope.allocate(ElementType.F32, n, unit.length / n);
                session.upload(tensor, unit);
                try (var linkage = new CompleteLinkage(session, tensor, done -> {})) {
                    return linkage.labels(count, done -> {});
                }
            }
        });
    }

    /** Merges the two clusters whose farthest members are nearest, again and again. */
    private static int[] byDefinition(float[] unit, int n, int count) {
        int d = unit.length / n;
        var clusters = new ArrayList<List<Integer>>();
        IntStream.range(0, n).forEach(i -> clusters.add(new ArrayList<>(List.of(i))));
        while (clusters.size() > count) {
            double best = Double.NEGATIVE_INFINITY;
            int first = 0, second = 1;
            for (int a = 0; a < clusters.size(); a++) {
                for (int b = a + 1; b < clusters.size(); b++) {
                    double least = Double.POSITIVE_INFINITY;
                    for (int i : clusters.get(a)) {
                        for (int j : clusters.get(b)) {
                            least = Math.min(least, IntStream.range(0, d)
                                    .mapToDouble(c -> (double) unit[i * d + c] * unit[j * d + c]).sum());
                        }
                    }
                    if (least > best) {
                        best = least;
                        first = a;
                        second = b;
                    }
                }
            }
            clusters.get(first).addAll(clusters.remove(second));
        }
        var labels = new int[n];
        for (int c = 0; c < clusters.size(); c++) {
            for (int i : clusters.get(c)) {
                labels[i] = c;
            }
        }
        return canonical(labels);
    }

    /** Labels renamed in the order of their first vectors. */
    public static int[] canonical(int[] labels) {
        var names = new HashMap<Integer, Integer>();
        return Arrays.stream(labels).map(label -> names.computeIfAbsent(label, key -> names.size())).toArray();
    }

    private static float[] random(int n, int d, int salt) {
        var random = new Random(SEED + salt);
        var unit = new float[n * d];
        for (int i = 0; i < unit.length; i++) {
            unit[i] = (float) random.nextGaussian();
        }
        Vectors.normalise(unit, d);
        return unit;
    }

    /** With the default seed, labels stay the same if cosines change by 1e-4; single precision changes them by 1e-7. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 3", "3, 2", "17, 5", "40, 16", "70, 3"})
    void completeLinkageIsWhatItsDefinitionSays(int n, int d) {
        var unit = random(n, d, n);
        for (int count : new int[] {1, 2, (n + 1) / 2, n}) {
            if (count <= n) {
                assertThat(linkage(unit, n, count)).as("%d of %d, seed %d", count, n, SEED)
                        .isEqualTo(byDefinition(unit, n, count));
            }
        }
    }

    @Test
    void equalVectorsAreTogether() {
        int n = 60, d = 8;
        var unit = random(n, d, 1);
        for (int i = 0; i < n; i++) {
            System.arraycopy(unit, i % 5 * d, unit, i * d, d);
        }
        Arrays.fill(unit, 3 * d, 4 * d, 0); // and one that points nowhere
        var labels = linkage(unit, n, 6);
        for (int i = 0; i < n; i++) {
            assertThat(labels[i]).as("vector %d", i).isEqualTo(i == 3 || i % 5 != 3 ? i % 5 : 5);
        }
    }

    /** All vectors, or as many as an emulated GPU clusters in seconds. */
    private int some() {
        return TestDevice.isCpu() ? vectors.count() : 200;
    }

    private Clusters clusters(ClusterOptions options) {
        return Clusters.of(vectors, options, some(), (done, total) -> {});
    }

    @Test
    void exactly() {
        var options = ClusterOptions.of(vectors);
        var told = new ArrayList<Long>();
        assertThat(options.count()).isEqualTo(256);
        var clusters = Clusters.of(vectors, options.count(80), some(), (done, total) -> told.add(done));
        assertThat(clusters.method()).isEqualTo(Clusters.Method.COMPLETE_LINKAGE);
        assertThat(clusters.count()).isEqualTo(80);
        assertThat(told).isSorted().startsWith((long) Math.min(some(), 1024)).endsWith(2L * some() - 1);
        assertThat(clusters(options.count(80)).labels()).isEqualTo(clusters.labels());
        assertThatThrownBy(() -> Clusters.of(vectors, options, (done, total) -> {
            throw new CancellationException();
        })).isInstanceOf(CancellationException.class);
    }

    @Test
    void aClusterToLookAt() {
        var clusters = Clusters.of(vectors, Clusters.Method.COMPLETE_LINKAGE,
                IntStream.range(0, vectors.count()).map(i -> i % 300).toArray());
        int label = clusters.label(new Neuron(1, 100));
        var cluster = clusters.cluster(label, 30);
        assertThat(label).isEqualTo(868 % 300);
        assertThat(cluster.label()).isEqualTo(label);
        assertThat(cluster.members()).hasSize(10).contains(new Neuron(0, 268), new Neuron(0, 568), new Neuron(1, 100))
                .startsWith(cluster.representative());
        var mean = Vectors.mean(cluster.members().stream().map(member -> vectors.row(member).toFloats()).toList());
        assertThat(
                cluster.members().stream().map(member -> Vectors.cosine(vectors.row(member).toFloats(), mean)).toList())
                        .isSortedAccordingTo(Comparator.reverseOrder());
        for (var token : cluster.tokens()) { // the mean of the members' logits
            var embedding = model.head().row(token.id()).toFloats();
            double logit = cluster.members().stream()
                    .mapToDouble(m -> Vectors.dot(vectors.row(m).toFloats(), embedding)).average().orElseThrow();
            assertThat((double) token.logit()).isCloseTo(logit, within(1e-5));
        }
        assertThat(cluster.tokens()).hasSize(30);
        assertThatThrownBy(() -> clusters.cluster(300, 5)).hasMessage("cluster: 300 (expected: 0 to 299)");
    }

    @Test
    void withoutMemoryForTheMatrixItIsKMeansAndSaysSo() {
        var options = ClusterOptions.of(vectors).memory(CompleteLinkage.byteSize(some()) - 1).count(40);
        var clusters = clusters(options);
        assertThat(clusters.method()).isEqualTo(Clusters.Method.SPHERICAL_K_MEANS);
        assertThat(IntStream.of(clusters.labels()).distinct().count()).isEqualTo(clusters.count()).isEqualTo(40);
        assertThat(clusters(options).labels()).isEqualTo(clusters.labels());
        assertThat(clusters(options.seed(1)).labels()).isNotEqualTo(clusters.labels());
        assertThat(spread(clusters.labels()))
                .isGreaterThan(1.2 * spread(IntStream.range(0, some()).map(i -> i % 40).toArray()));
    }

    @Test
    void kMeansFillsEveryCluster() {
        int count = some() - 5;
        assertThat(
                IntStream.of(clusters(ClusterOptions.of(vectors).memory(0).count(count)).labels()).distinct().count())
                        .isEqualTo(count);
    }

    /** The mean cosine of the vectors with their clusters' sums. */
    private double spread(int[] labels) {
        var members = new HashMap<Integer, List<float[]>>();
        for (int i = 0; i < labels.length; i++) {
            members.computeIfAbsent(labels[i], key -> new ArrayList<>()).add(vectors.row(vectors.at(i)).toFloats());
        }
        return members.values().stream().flatMapToDouble(cluster -> {
            var mean = Vectors.mean(cluster);
            return cluster.stream().mapToDouble(vector -> Vectors.cosine(vector, mean));
        }).average().orElseThrow();
    }

    @Test
    void whatCannotBeClusteredIsSaid() {
        assertThatThrownBy(() -> Clusters.of(vectors, ClusterOptions.of(vectors).count(0), (done, total) -> {}))
                .hasMessage("clusters: 0 (expected: 1 to 3072)");
        assertThatThrownBy(() -> Clusters.of(vectors, ClusterOptions.of(vectors).count(3073), (done, total) -> {}))
                .hasMessage("clusters: 3073 (expected: 1 to 3072)");
        assertThatThrownBy(() -> Clusters.of(vectors, Clusters.Method.COMPLETE_LINKAGE, new int[3]))
                .hasMessage("labels: 3 (expected: 3072, one for each vector)");
    }
}
