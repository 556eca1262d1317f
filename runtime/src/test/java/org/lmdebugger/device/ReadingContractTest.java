package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.device.Matrix.assertClose;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operations that read activations and logits, against plain loops in double precision. */
@OnEveryDevice
class ReadingContractTest extends ContractTest {
    ReadingContractTest() {
        super(Precision.FP32);
    }

    /** The indices of the k least of n multiples of 1/4; of equal ones those of the first. */
    private static int[] leastQuarters(int n, int k, IntToDoubleFunction numbers) {
        return IntStream.range(0, n).mapToLong(i -> Math.round(4 * numbers.applyAsDouble(i)) * n + i).sorted().limit(k)
                .mapToInt(key -> Math.floorMod(key, n)).toArray();
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 31, 31", "2, 33, 5", "70, 768, 10", "2, 50257, 50", "1, 1000, 1", "840, 10001, 3"})
    void theLargestOfEachRow(int rows, int n, int k) {
        // many equal numbers, so that ties are the rule
        var noise = Matrix.random(rows, n, 1);
        var x = Matrix.of(rows, n, (r, i) -> Math.rint(4 * noise.at(r, i)) / 4 + 0.0); // no −0
        var indices = scope.allocate(ElementType.I32, rows, k);
        var values = empty(rows, k);
        run(s -> s.topK(indices, values, x.windowOn(device, scope)));
        for (int r = 0; r < rows; r++) {
            int row = r;
            assertThat(indices.row(r).toInts()).as("row %d", r).isEqualTo(leastQuarters(n, k, i -> -x.at(row, i)));
        }
        assertClose(values, 1e-30, 0, (r, j) -> x.at(r, indices.row(r).toInts()[j]));
        run(s -> s.bottomK(indices, values, x.windowOn(device, scope)));
        for (int r = 0; r < rows; r++) {
            int row = r;
            assertThat(indices.row(r).toInts()).as("smallest of row %d", r)
                    .isEqualTo(leastQuarters(n, k, i -> x.at(row, i)));
        }
        assertClose(values, 1e-30, 0, (r, j) -> x.at(r, indices.row(r).toInts()[j]));
    }

    /** A row that 16 bytes at a time do not divide, in memory that they do. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void theLargestOfFewColumns(int n) {
        var x = Matrix.of(1, n, (r, i) -> i).on(device, scope);
        var indices = scope.allocate(ElementType.I32, 1, n);
        run(s -> s.topK(indices, empty(1, n), x));
        assertThat(indices.toInts()).isEqualTo(IntStream.range(0, n).map(j -> n - 1 - j).toArray());
    }

    /** Each element is larger than all before it, and more are wanted than are selected at a time. */
    @ParameterizedTest
    @ValueSource(ints = {1, 1024, 1025, 2500})
    void theLargestOfARowThatRises(int k) {
        int n = 5000;
        var x = Matrix.of(2, n, (r, i) -> i).on(device, scope);
        var indices = scope.allocate(ElementType.I32, 2, k);
        run(s -> s.topK(indices, empty(2, k), x));
        assertThat(indices.row(1).toInts()).isEqualTo(IntStream.range(0, k).map(j -> n - 1 - j).toArray());
        assertThat(indices.row(0).toInts()).isEqualTo(indices.row(1).toInts());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 60})
    void aNumberThatIsNoneIsNotHidden(int at) {
        var x = Matrix.of(1, 100, (r, i) -> i == at ? Double.NaN : i).on(device, scope);
        var indices = scope.allocate(ElementType.I32, 1, 2);
        run(s -> s.topK(indices, empty(1, 2), x));
        assertThat(indices.toInts()).containsExactly(at, 99);
        run(s -> s.bottomK(indices, empty(1, 2), x));
        assertThat(indices.toInts()).containsExactly(at, at == 0 ? 1 : 0);
    }

    /** Merge after merge, against the definition: the similarity of clusters is that of their least similar members. */
    @ParameterizedTest
    @CsvSource({"2, 1", "33, 32", "130, 129", "1100, 7"})
    void clustersAreLinked(int n, int merges) {
        var noise = Matrix.random(n, n, 5);
        var first = Matrix.of(n, n,
                (i, j) -> i.equals(j) ? Float.NEGATIVE_INFINITY : noise.at(Math.min(i, j), Math.max(i, j)));
        var s = first.windowOn(device, scope);
        var expected = first.data().clone();
        var living = IntStream.range(0, n).boxed().collect(Collectors.toCollection(ArrayList::new));
        var random = new Random(Matrix.SEED);
        for (int m = 0; m < merges; m++) {
            int dropped = living.remove(random.nextInt(living.size()));
            int kept = living.get(random.nextInt(living.size()));
            run(session -> session.linkClusters(s, kept, dropped));
            for (int i : living) {
                if (i != kept) {
                    expected[i * n + kept] = Math.min(expected[i * n + kept], expected[i * n + dropped]);
                    expected[kept * n + i] = expected[i * n + kept];
                }
                expected[i * n + dropped] = Float.NEGATIVE_INFINITY;
            }
        }
        var actual = s.toFloats();
        for (int i : living) {
            int wrong = Arrays.mismatch(actual, i * n, (i + 1) * n, expected, i * n, (i + 1) * n);
            assertThat(wrong).as("first wrong similarity of cluster %d (seed %d)", i, Matrix.SEED).isEqualTo(-1);
        }
    }

    @Test
    void dominantSubUpdates() {
        var m = Matrix.random(5, 130, 1);
        var values = Matrix.random(130, 33, 2);
        var norms = empty(1, 130);
        var neurons = scope.allocate(ElementType.I32, 5, 7);
        var coefficients = empty(5, 7);
        var scores = empty(5, 7);
        run(s -> {
            s.rowNorms(norms, values.windowOn(device, scope));
            s.dominant(neurons, coefficients, scores, m.windowOn(device, scope), norms);
        });
        var norm = IntStream.range(0, 130)
                .mapToDouble(
                        v -> Math.sqrt(IntStream.range(0, 33).mapToDouble(i -> Math.pow(values.at(v, i), 2)).sum()))
                .toArray();
        assertClose(norms, 0, FEW, (r, v) -> norm[v]);
        for (int r = 0; r < 5; r++) {
            int row = r;
            var expected = IntStream.range(0, 130).boxed()
                    .sorted(Comparator.comparingDouble((Integer v) -> -Math.abs(m.at(row, v)) * norm[v]))
                    .limit(7).mapToInt(v -> v).toArray();
            assertThat(neurons.row(r).toInts()).isEqualTo(expected);
        }
        assertClose(coefficients, 1e-30, 0, (r, j) -> m.at(r, neurons.row(r).toInts()[j]));
        assertClose(scores, 0, FEW,
                (r, j) -> Math.abs(m.at(r, neurons.row(r).toInts()[j])) * norm[neurons.row(r).toInts()[j]]);
    }

    /** Of many rows, a GPU measures two together, and the last alone. */
    @ParameterizedTest
    @CsvSource({"3, 3", "3, 33", "3, 1000", "3, 50257", "513, 70", "513, 1200"})
    void measures(int rows, int vocabulary) {
        var clean = Matrix.random(1, vocabulary, 9);
        var noise = Matrix.random(rows, vocabulary, 1);
        var logits = Matrix.of(rows, vocabulary, (r, i) -> 3 * noise.at(r, i));
        int[] tokens = {0, vocabulary - 1};
        var logSumExp = empty(1, rows);
        var entropy = empty(1, rows);
        var kl = empty(1, rows);
        var klOfPacks = empty(1, rows);
        var chosen = empty(rows, 2);
        var ranks = scope.allocate(ElementType.I32, rows, 2);
        var ranksBesideKl = scope.allocate(ElementType.I32, rows, 2);
        run(s -> {
            s.measure(new LogitStatistics(ints(tokens), clean.on(device, scope), logSumExp, entropy, kl, chosen, null),
                    logits.windowOn(device, scope));
            s.measure(new LogitStatistics(ints(tokens), clean.on(device, scope), null, null, klOfPacks, null,
                    ranksBesideKl), logits.on(device, scope));
            s.measure(new LogitStatistics(ints(tokens), null, null, null, null, null, ranks), logits.on(device, scope));
        });
        assertClose(logSumExp, FEW, FEW, (x, r) -> logSumExp(logits, r));
        assertClose(entropy, 1e-5, 1e-5, (x, r) -> {
            double normaliser = logSumExp(logits, r);
            return -sum(vocabulary, i -> Math.exp(logits.at(r, i) - normaliser) * (logits.at(r, i) - normaliser));
        });
        assertClose(kl, 1e-5, 1e-5, (x, r) -> kl(clean, logits, r));
        assertClose(klOfPacks, 1e-5, 1e-5, (x, r) -> kl(clean, logits, r));
        assertClose(chosen, 1e-30, 0, (r, c) -> logits.at(r, tokens[c]));
        assertThat(ranksBesideKl.toInts()).isEqualTo(ranks.toInts());
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < 2; c++) {
                int row = r;
                double logit = logits.at(r, tokens[c]);
                assertThat(ranks.toInts()[2 * r + c])
                        .isEqualTo((int) IntStream.range(0, vocabulary).filter(i -> logits.at(row, i) > logit).count());
            }
        }
    }

    /** Equal logits have the greatest entropy there is, log V: errors of 50,257 equal terms must not add up. */
    @ParameterizedTest
    @ValueSource(floats = {0, 0.3f, -7.7f})
    void entropyOfEqualLogitsIsLogOfTheirNumber(float logit) {
        int vocabulary = 50257;
        var entropy = empty(1, 1);
        run(s -> s.measure(new LogitStatistics(null, null, null, entropy, null, null, null),
                Matrix.of(1, vocabulary, (r, i) -> logit).on(device, scope)));
        assertThat(entropy.toFloats()[0]).isEqualTo((float) Math.log(vocabulary));
    }

    /** At 1e-9 the difference of two log-sum-exps would be noise of 1e-6. */
    @Test
    void tinyDivergencesKeepTheirDigits() {
        int vocabulary = 5000;
        var noise = Matrix.random(1, vocabulary, 9);
        var clean = Matrix.of(1, vocabulary, (r, i) -> 2 * noise.at(0, i));
        var logits = Matrix.of(1, vocabulary, (r, i) -> clean.at(0, i) + (i == 17 ? 3e-3 : 0));
        var kl = empty(1, 1);
        run(s -> s.measure(new LogitStatistics(null, clean.on(device, scope), null, null, kl, null, null),
                logits.on(device, scope)));
        double expected = kl(clean, logits, 0);
        assertThat(expected).isBetween(1e-11, 1e-8);
        assertClose(kl, 1e-13, 1e-3, (x, r) -> expected);
    }

    /**
     * Differences from the clean logits that are the same everywhere, at the likeliest tokens, at all others, at one
     * token, and at random: KL is within 1e-7 + 1e-3·KL.
     */
    @ParameterizedTest
    @ValueSource(floats = {0.01f, 8})
    void divergencesOfAllKinds(float spread) {
        int vocabulary = 3000;
        var noise = Matrix.random(1, vocabulary, 9);
        var other = Matrix.random(1, vocabulary, 10);
        var clean = Matrix.of(1, vocabulary, (r, i) -> spread * noise.at(0, i) + (i % 12 == 0 ? 5 * spread : 0));
        double[] shifts = {7.3, -20, 3, -0.01, 12};
        var logits = Matrix.of(16, vocabulary, (r, i) -> clean.at(0, i) + switch (r / 5) {
            case 0 -> shifts[r % 5];
            case 1 -> i % 12 == 0 ? shifts[r % 5] : 0;
            case 2 -> i == 24 ? shifts[r % 5] : 0;
            default -> other.at(0, i);
        });
        var kl = empty(1, 16);
        run(s -> s.measure(new LogitStatistics(null, clean.on(device, scope), null, null, kl, null, null),
                logits.on(device, scope)));
        assertClose(kl, 1e-7, 1e-3, (x, r) -> kl(clean, logits, r));
    }

    @Test
    void directContributions() {
        int d = 33;
        var x = Matrix.random(2, d, 1);
        var gain = Matrix.random(1, d, 2);
        var head = Matrix.random(11, d, 3);
        var values = Matrix.random(8, d, 4);
        int[] tokens = {10, 4};
        int[] neurons = {7, 0, 3, 3};
        float[] m = {1, -2, 0.5f, 3};
        var reader = empty(2, d);
        var contributions = empty(2, 2);
        run(s -> {
            s.logitReader(reader, x.windowOn(device, scope), gain.on(device, scope), head.on(device, scope),
                    ints(tokens), 1e-5f);
            var n = scope.allocate(ElementType.I32, 2, 2);
            s.upload(n, neurons);
            s.contributions(contributions, n, new Matrix(2, 2, m).on(device, scope), values.windowOn(device, scope),
                    reader);
        });
        assertClose(contributions, 1e-5, 1e-5, (r, j) -> {
            int v = neurons[2 * r + j];
            return m[2 * r + j]
                    * sum(d, i -> (values.at(v, i) - mean(values, v)) * gain.at(0, i) * head.at(tokens[r], i))
                    / deviation(x, r, 1e-5);
        });
    }

    /** Enough for several threads. */
    @Test
    void contributionsOfManyNeurons() {
        int d = 33, n = 2100;
        var values = Matrix.random(n, d, 1);
        var reader = Matrix.random(1, d, 2);
        var neurons = ints(IntStream.range(0, n).map(i -> n - 1 - i).toArray());
        var weights = Matrix.random(1, n, 3);
        var contributions = empty(1, n);
        run(s -> s.contributions(contributions, neurons, weights.on(device, scope), values.windowOn(device, scope),
                reader.on(device, scope)));
        assertClose(contributions, 1e-5, 1e-5,
                (r, j) -> weights.at(0, j) * sum(d, i -> values.at(n - 1 - j, i) * reader.at(0, i)));
    }

    @Test
    void theLikeliestTokenIsChosenGreedily() {
        var noise = Matrix.random(2, 300, 1);
        var logits = Matrix.of(2, 300, (r, i) -> i == 50 + r || i == 200 ? 4 : noise.at(r, i)).on(device, scope);
        var ids = ints(0, 0);
        var logP = empty(1, 2);
        run(s -> s.sample(ids, logP, logits, Sampling.GREEDY, empty(1, 2), ints(0)));
        assertThat(ids.toInts()).containsExactly(50, 51); // ties to the lower id
        var rows = new Matrix(2, 300, logits.toFloats());
        assertClose(logP, FEW, FEW, (x, r) -> rows.at(r, 50 + r) - logSumExp(rows, r));
    }

    @ParameterizedTest
    @CsvSource({"200, 1, 0, 1", "200, 0.7, 0, 1", "200, 1, 5, 1", "200, 1, 0, 0.6", "200, 2, 20, 0.8", "200, 1, 1, 1",
            "2000, 9, 0, 0.9", "2000, 9, 700, 1", "2000, 1, 0, 0.6", "2000, 9, 1500, 0.5", "2003, 9, 30, 0.9"})
    void tokensAreDrawnFromTheCandidates(int vocabulary, float temperature, int topK, float topP) {
        int draws = 64;
        var row = Matrix.random(1, vocabulary, 5);
        var logits = Matrix.of(draws, vocabulary, (r, i) -> 2 * row.at(0, i));
        var ids = scope.allocate(ElementType.I32, 1, draws);
        var uniforms = Matrix.of(2, draws, (s, r) -> s == 1 ? (r + 0.5) / draws : Double.NaN);
        run(s -> s.sample(ids, empty(1, draws), logits.on(device, scope), new Sampling(temperature, topK, topP),
                uniforms.on(device, scope), ints(1)));
        var expected = IntStream.range(0, draws).map(r -> draw(logits, temperature, topK, topP, uniforms.at(1, r)))
                .toArray();
        assertThat(ids.toInts()).isEqualTo(expected);
    }

    /** The greedy choice, so that all devices agree, and no probability. */
    @ParameterizedTest
    @CsvSource({"0, 0, 1", "1, 0, 1", "0.7, 5, 1", "1, 0, 0.6", "1, 290, 0.6"})
    void withoutADistributionTheLogProbabilityIsNaN(float temperature, int topK, float topP) {
        float nan = Float.NaN, infinity = Float.POSITIVE_INFINITY;
        var logits = Matrix.of(4, 300, (r, i) -> switch (r) {
            case 0 -> nan;
            case 1 -> i == 7 ? nan : i == 3 ? infinity : i;
            case 2 -> i == 9 ? infinity : i;
            default -> -infinity;
        });
        var ids = ints(0, 0, 0, 0);
        var logP = empty(1, 4);
        var uniforms = Matrix.of(1, 4, (r, i) -> 0.5);
        run(s -> s.sample(ids, logP, logits.on(device, scope), new Sampling(temperature, topK, topP),
                uniforms.on(device, scope), ints(0)));
        assertThat(ids.toInts()).containsExactly(0, 7, 9, 0);
        for (float each : logP.toFloats()) {
            assertThat(each).isNaN();
        }
    }

    private static int draw(Matrix logits, float temperature, int topK, float topP, double uniform) {
        var order = IntStream.range(0, logits.columns()).boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -logits.at(0, i))).toList();
        var candidates = topK == 0 ? order : order.subList(0, topK);
        double max = logits.at(0, order.getFirst());
        double mass = candidates.stream().mapToDouble(i -> Math.exp((logits.at(0, i) - max) / temperature)).sum();
        int kept = 0;
        for (double sum = 0; kept < candidates.size() && (topP == 1 || sum < topP * mass); kept++) {
            sum += Math.exp((logits.at(0, candidates.get(kept)) - max) / temperature);
        }
        var nucleus = candidates.subList(0, kept).stream().sorted().toList();
        double total = nucleus.stream().mapToDouble(i -> Math.exp((logits.at(0, i) - max) / temperature)).sum();
        double sum = 0;
        for (int id : nucleus) {
            sum += Math.exp((logits.at(0, id) - max) / temperature);
            if (sum > uniform * total) {
                return id;
            }
        }
        throw new AssertionError("no candidate");
    }
}
