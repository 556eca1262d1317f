package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.lmdebugger.device.Matrix.assertClose;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleBiFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operations of a transformer, against plain loops in double precision. */
@OnEveryDevice
class TransformerContractTest extends ContractTest {
    TransformerContractTest() {
        super(Precision.FP32);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "1, 33, 31", "2, 32, 64", "3, 97, 33", "5, 64, 16", "7, 130, 48", "13, 50, 100",
            "14, 33, 31", "15, 33, 31",
            "33, 65, 32", "41, 200, 97", "64, 31, 129", "200, 40, 24", "1, 3072, 768", "10, 768, 3072", "40, 768, 192"})
    void products(int m, int n, int k) {
        var a = Matrix.random(m, k, 1);
        var b = Matrix.random(k, n, 2);
        var bt = Matrix.of(n, k, (i, j) -> b.at(j, i));
        var dot = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int l = 0; l < k; l++) {
                for (int j = 0; j < n; j++) {
                    dot[i * n + j] += a.at(i, l) * b.at(l, j);
                }
            }
        }
        var c = Matrix.random(m, n, 3).windowOn(device, scope);
        // k roundings of a running sum of size up to √k add up like a random walk: √k·√k·2⁻²⁴, and thrice that at the tail
        double tolerance = 3 * k * 0x1p-24 + 2e-6;
        run(s -> s.multiply(c, a.windowOn(device, scope), b.windowOn(device, scope)));
        assertClose(c, tolerance, 1e-6, (i, j) -> dot[i * n + j]);
        run(s -> s.multiplyTransposed(c, a.windowOn(device, scope), bt.windowOn(device, scope)));
        assertClose(c, tolerance, 1e-6, (i, j) -> dot[i * n + j]);
        var again = empty(m, n);
        run(s -> s.innerProducts(again, a.windowOn(device, scope), bt.windowOn(device, scope)));
        assertClose(again, tolerance, 1e-6, (i, j) -> dot[i * n + j]);
    }

    @Test
    void singlePrecisionMeansSinglePrecision() {
        var c = empty(1, 1);
        run(s -> s.multiply(c, Matrix.of(1, 1, (i, j) -> 1 + 0x1p-20).on(device, scope),
                Matrix.of(1, 1, (i, j) -> 1).on(device, scope)));
        assertThat(c.toFloats()[0]).isEqualTo(1 + 0x1p-20f);
    }

    /** Up to the number of rows where a batch is decoded together: of a card's transposed products but for their sums. */
    @ParameterizedTest
    @ValueSource(ints = {77, 80})
    void aRowsProductDoesNotDependOnOtherRows(int n) {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1)) {
            compareRows(n);
        }
    }

    private void compareRows(int n) {
        var a = Matrix.random(16, 300, 1);
        var b = Matrix.random(300, n, 2).on(device, scope);
        var bt = Matrix.random(n, 300, 2).on(device, scope);
        var alone = empty(1, n);
        var as = a.on(device, scope);
        for (int rows : new int[] {3, 7, 16}) {
            var together = empty(rows, n);
            int row = rows - 1;
            run(s -> s.multiply(together, as.rows(0, rows), b));
            run(s -> s.multiply(alone, as.row(row), b));
            assertSameRow(alone, together.row(row), 0);
            run(s -> s.multiplyTransposed(together, as.rows(0, rows), bt));
            run(s -> s.multiplyTransposed(alone, as.row(row), bt));
            // cuBLAS adds 300 products in an order of its own for each shape; each sum has the rounding of products
            assertSameRow(alone, together.row(row), TestDevice.isCpu() ? 0 : 2 * (3 * 300 * 0x1p-24f + (float) FEW));
        }
    }

    private static void assertSameRow(Tensor alone, Tensor together, float rounding) {
        assertThat(alone.toFloats()).usingComparatorWithPrecision(rounding).containsExactly(together.toFloats());
    }

    /** A device may compute both at once; where the product is read in between, it cannot. */
    @ParameterizedTest
    @CsvSource({"1, 768, 64", "3, 30, 33", "5, 20, 40", "16, 48, 260", "17, 48, 260"})
    void theOperationAfterAProduct(int m, int n, int k) {
        var a = Matrix.random(m, k, 1).on(device, scope);
        var b = Matrix.random(k, n, 2).on(device, scope);
        var bias = Matrix.random(1, n, 3).on(device, scope);
        for (int operation = 0; operation < 4; operation++) {
            var results = new ArrayList<float[]>();
            for (boolean read : new boolean[] {false, true}) {
                var c = empty(m, n);
                var x = Matrix.random(m, n, 4).on(device, scope);
                int chosen = operation;
                run(s -> {
                    s.multiply(c, a, b);
                    if (read) {
                        s.download(new float[m * n], c);
                    }
                    switch (chosen) {
                        case 0 -> s.addBias(c, bias);
                        case 1 -> s.biasGelu(c, bias, Gelu.TANH);
                        case 2 -> s.biasGelu(c, bias, Gelu.ERF);
                        default -> s.biasResidual(x, c, bias);
                    }
                });
                results.add((operation == 3 ? x : c).toFloats());
            }
            float rounding = operation == 1 || operation == 2 ? (float) FEW : 0; // of two kernels' activations
            if ((operation == 0 || operation == 3) && m > 16 && !TestDevice.isCpu()) { // whose products with a bias may add up in another order
                rounding = 2 * (3 * k * 0x1p-24f + (float) FEW);
            }
            assertThat(results.get(0)).usingComparatorWithPrecision(rounding).containsExactly(results.get(1));
        }
    }

    /** A device may compute both at once, and the operation after the product, too; where rows are read in between, it cannot. */
    @ParameterizedTest
    @CsvSource({"1, 768, 64", "1, 33, 21", "1, 1600, 40", "2, 48, 260", "17, 48, 30"})
    void theNormBeforeAProduct(int m, int k, int n) {
        var noise = Matrix.random(m, k, 1);
        var gain = Matrix.random(1, k, 2).on(device, scope);
        var bias = Matrix.random(1, k, 3).on(device, scope);
        var weights = Matrix.random(k, n, 4).on(device, scope);
        var after = Matrix.random(1, n, 5).on(device, scope);
        for (double size : new double[] {1, 1e19}) {
            var x = Matrix.of(m, k, (r, i) -> size * noise.at(r, i)).on(device, scope);
            var results = new ArrayList<float[]>();
            for (boolean read : new boolean[] {false, true}) {
                var y = empty(m, k);
                var c = empty(m, n);
                run(s -> {
                    s.layerNorm(y, x, gain, bias, 1e-5f);
                    if (read) {
                        s.download(new float[m * k], y);
                    }
                    s.multiply(c, y, weights);
                    s.addBias(c, after);
                });
                results.add(y.toFloats());
                results.add(c.toFloats());
            }
            assertThat(results.get(0)).isEqualTo(results.get(2));
            assertThat(results.get(1)).isEqualTo(results.get(3));
        }
    }

    /** A product may lie where the norm's row was, be of another row, or be added to the norm's row. */
    @Test
    void theNormBeforeAProductIsReadFirst() {
        int d = 40;
        var row = Matrix.random(1, d, 1);
        var gain = Matrix.of(1, d, (r, i) -> 1).on(device, scope);
        var bias = Matrix.of(1, d, (r, i) -> 0).on(device, scope);
        var b = Matrix.random(d, d, 2);
        var weights = b.on(device, scope);
        var overwritten = row.on(device, scope);
        var added = row.on(device, scope);
        var other = Matrix.random(1, d, 3);
        var c = empty(1, d);
        var ofOther = empty(1, d);
        var y = empty(1, d);
        run(s -> {
            s.layerNorm(y, overwritten, gain, bias, 1e-5f);
            s.multiply(overwritten, y, weights);
            s.layerNorm(y, added, gain, bias, 1e-5f);
            s.multiply(ofOther, other.on(device, scope), weights);
            s.multiply(c, y, weights);
            s.layerNorm(y, added, gain, bias, 1e-5f);
            s.multiply(c, y, weights);
            s.biasResidual(added, c, bias);
        });
        ToDoubleBiFunction<Integer, Integer> product = (r, i) -> sum(d,
                j -> (row.at(r, j) - mean(row, r)) / deviation(row, r, 1e-5) * b.at(j, i));
        assertClose(overwritten, 1e-4, 1e-5, product);
        assertClose(c, 1e-4, 1e-5, product);
        assertClose(ofOther, 1e-4, 1e-5, (r, i) -> sum(d, j -> other.at(r, j) * b.at(j, i)));
        assertClose(added, 1e-4, 1e-5, (r, i) -> row.at(r, i) + product.applyAsDouble(r, i));
    }

    /** The first operand itself, or a product that is not the latest. */
    @Test
    void theOperationAfterAProductMayBelongToAnother() {
        var b = Matrix.random(20, 20, 2);
        var bias = Matrix.random(1, 20, 3);
        var a = Matrix.random(4, 20, 1);
        var x = a.on(device, scope);
        var first = empty(4, 20);
        var second = empty(4, 20);
        run(s -> {
            s.multiply(first, x, b.on(device, scope));
            s.multiply(second, x, b.on(device, scope));
            s.addBias(first, bias.on(device, scope));
            s.multiply(second, x, b.on(device, scope));
            s.biasResidual(x, second, bias.on(device, scope));
        });
        ToDoubleBiFunction<Integer, Integer> product = (r, i) -> IntStream.range(0, 20)
                .mapToDouble(j -> a.at(r, j) * b.at(j, i)).sum();
        assertClose(first, 1e-5, 1e-5, (r, i) -> product.applyAsDouble(r, i) + bias.at(0, i));
        assertClose(second, 1e-5, 1e-5, product);
        assertClose(x, 1e-5, 1e-5, (r, i) -> a.at(r, i) + product.applyAsDouble(r, i) + bias.at(0, i));
    }

    @Test
    void embedding() {
        var tokens = Matrix.random(50, 33, 1);
        var positions = Matrix.random(20, 33, 2);
        int[] ids = {3, 49, 0};
        int[] at = {0, 19, 7};
        var x = empty(3, 33);
        run(s -> s.embed(x, tokens.on(device, scope), positions.on(device, scope), ints(ids), ints(at)));
        assertClose(x, FEW, 0, (r, i) -> tokens.at(ids[r], i) + positions.at(at[r], i));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 32, 33, 192, 768, 1600})
    void layerNorms(int d) {
        int rows = 70;
        var noise = Matrix.random(rows, d, 1);
        var x = Matrix.of(rows, d, (r, i) -> 3 + 2 * noise.at(r, i));
        var gain = Matrix.random(1, d, 2);
        var bias = Matrix.random(1, d, 3);
        var y = empty(rows, d);
        run(s -> s.layerNorm(y, x.windowOn(device, scope), gain.on(device, scope), bias.on(device, scope), 1e-5f));
        var means = IntStream.range(0, rows).mapToDouble(r -> mean(x, r)).toArray();
        var deviations = IntStream.range(0, rows).mapToDouble(r -> deviation(x, r, 1e-5)).toArray();
        assertClose(y, 1e-5, 1e-5, (r, i) -> (x.at(r, i) - means[r]) / deviations[r] * gain.at(0, i) + bias.at(0, i));
    }

    /** Single precision cannot hold the squares of 1e19 and more. */
    @ParameterizedTest
    @CsvSource({"192, 1e18", "192, 1e19", "33, 1e25", "192, 3e38", "1600, 1e38"})
    void rowsOfHugeNumbersAreNormalisedAllTheSame(int d, double size) {
        var noise = Matrix.random(2, d, 1);
        double largest = IntStream.range(0, d).mapToDouble(i -> Math.abs(noise.at(1, i))).max().orElseThrow();
        var x = Matrix.of(2, d, (r, i) -> r == 0 ? noise.at(0, i) : noise.at(1, i) / largest * size);
        var gain = Matrix.random(1, d, 2);
        var bias = Matrix.random(1, d, 3);
        var head = Matrix.random(3, d, 4);
        var y = empty(2, d);
        var norms = empty(1, 2);
        var reader = empty(2, d);
        run(s -> {
            var rows = x.windowOn(device, scope);
            s.layerNorm(y, rows, gain.on(device, scope), bias.on(device, scope), 1e-5f);
            s.rowNorms(norms, rows);
            s.logitReader(reader, rows, gain.on(device, scope), head.on(device, scope), ints(1, 2), 1e-5f);
        });
        assertClose(y, 1e-5, 1e-5,
                (r, i) -> (x.at(r, i) - mean(x, r)) / deviation(x, r, 1e-5) * gain.at(0, i) + bias.at(0, i));
        if (size < 1e38) { // the norm of others overflows itself
            assertClose(norms, 1e-5, 1e-5, (x0, r) -> Math.sqrt(sum(d, i -> x.at(r, i) * x.at(r, i))));
        }
        var read = new Matrix(2, d, reader.toFloats());
        for (int r = 0; r < 2; r++) {
            int row = r;
            double deviation = deviation(x, r, 1e-5);
            double centre = sum(d, i -> gain.at(0, i) * head.at(row + 1, i)) / d;
            for (int i = 0; i < d; i++) {
                assertThat(read.at(r, i) * deviation).isCloseTo(gain.at(0, i) * head.at(r + 1, i) - centre,
                        within(1e-5));
            }
        }
    }

    /** What overflowed is to be seen at the end, and no operation on the way makes a number of it. */
    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void noOperationMakesANumberOfWhatIsNone(float broken) {
        int d = 64;
        var x = Matrix.of(3, d, (r, i) -> r == 1 && i == 5 ? broken : 1 + i % 7);
        var square = Matrix.random(d, d, 1);
        var one = Matrix.of(1, d, (r, i) -> 1);
        var normed = empty(3, d);
        var product = empty(3, d);
        var transposed = empty(3, d);
        var gelu = x.windowOn(device, scope);
        var residual = x.windowOn(device, scope);
        var attended = empty(3, d);
        var logSumExp = empty(1, 3);
        var entropy = empty(1, 3);
        var kl = empty(1, 3);
        run(s -> {
            var rows = x.windowOn(device, scope);
            s.layerNorm(normed, rows, one.on(device, scope), one.on(device, scope), 1e-5f);
            s.multiply(product, rows, square.on(device, scope));
            s.multiplyTransposed(transposed, rows, square.on(device, scope));
            s.biasGelu(gelu, one.on(device, scope), Gelu.TANH);
            s.biasResidual(residual, rows, one.on(device, scope));
            s.attention(attended, normed, new AttentionContext(4, 1, empty(0, d), empty(0, d), normed, normed, ints(0)),
                    Math.sqrt(d / 4.0));
            s.measure(new LogitStatistics(null, one.on(device, scope), logSumExp, entropy, kl, null, null), normed);
        });
        for (var tensor : List.of(normed, product, transposed)) {
            for (float value : tensor.row(1).toFloats()) {
                assertThat(Float.isFinite(value)).isFalse();
            }
        }
        assertThat(Float.isFinite(gelu.row(1).toFloats()[5])).isFalse();
        assertThat(Float.isFinite(residual.row(1).toFloats()[5])).isFalse();
        for (int r = 1; r < 3; r++) { // those that see the broken one
            for (float value : attended.row(r).toFloats()) {
                assertThat(value).as("row %d", r).isNaN();
            }
        }
        for (var measured : List.of(logSumExp, entropy, kl)) {
            assertThat(Float.isFinite(measured.toFloats()[0])).isTrue();
            assertThat(Float.isFinite(measured.toFloats()[1])).isFalse();
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 33", "3, 768", "70, 3072"})
    void biases(int rows, int n) {
        var x = Matrix.random(rows, n, 1);
        var y = Matrix.random(rows, n, 2);
        var bias = Matrix.random(1, n, 3);
        var added = x.windowOn(device, scope);
        var residual = x.windowOn(device, scope);
        var gelu = x.windowOn(device, scope);
        var geluErf = x.windowOn(device, scope);
        run(s -> {
            s.addBias(added, bias.on(device, scope));
            s.biasResidual(residual, y.windowOn(device, scope), bias.on(device, scope));
            s.biasGelu(gelu, bias.on(device, scope), Gelu.TANH);
            s.biasGelu(geluErf, bias.on(device, scope), Gelu.ERF);
        });
        assertClose(added, FEW, 0, (r, i) -> x.at(r, i) + bias.at(0, i));
        assertClose(residual, FEW, 0, (r, i) -> x.at(r, i) + y.at(r, i) + bias.at(0, i));
        assertClose(gelu, FEW, FEW, (r, i) -> gelu((float) x.at(r, i) + (float) bias.at(0, i)));
        assertClose(geluErf, FEW, FEW, (r, i) -> geluErf((float) x.at(r, i) + (float) bias.at(0, i)));
    }

    @ParameterizedTest
    @CsvSource({
            // heads, size, sequences, queries, prefix, length, capacity
            "1, 1, 1, 1, 0, 0, 1", "2, 33, 1, 7, 0, 0, 7", "3, 32, 1, 70, 0, 0, 70", "2, 64, 1, 130, 5, 0, 200",
            "4, 16, 5, 1, 9, 0, 4",
            "4, 16, 5, 1, 9, 3, 4", "2, 31, 3, 4, 17, 2, 8", "2, 8, 70, 2, 33, 1, 3", "12, 64, 1, 1, 0, 300, 301",
            "1, 64, 2, 65, 31, 1, 66", "1, 64, 1, 1, 0, 0, 1", "3, 64, 2, 3, 5, 1, 6", "5, 128, 3, 2, 7, 2, 5",
            "2, 64, 1, 3, 9, 0, 120", "1, 64, 130, 1, 9, 0, 2", "2, 128, 70, 2, 7, 1, 5", "1, 64, 65, 2, 130, 0, 2"})
    void attention(int heads, int size, int sequences, int queries, int prefix, int length, int capacity) {
        int d = heads * size;
        double divisor = 1.5 * size;
        var q = Matrix.random(sequences * queries, d, 1);
        var pk = Matrix.random(prefix, d, 2);
        var pv = Matrix.random(prefix, d, 3);
        var k = Matrix.random(sequences * capacity, d, 4);
        var v = Matrix.random(sequences * capacity, d, 5);
        var out = q.windowOn(device, scope);
        run(s -> s.attention(out, q.windowOn(device, scope),
                new AttentionContext(heads, sequences, pk.windowOn(device, scope),
                        pv.windowOn(device, scope), k.windowOn(device, scope), v.windowOn(device, scope), ints(length)),
                divisor));
        var dense = empty(sequences * queries, d); // memory that ends with the last row, so that reading on shows
        run(s -> s.attention(dense, q.on(device, scope), new AttentionContext(heads, sequences, pk.on(device, scope),
                pv.on(device, scope), k.on(device, scope), v.on(device, scope), ints(length)), divisor));
        var expected = attended(heads, sequences, length, divisor, q, pk, pv, k, v);
        assertClose(out, 5e-6, 5e-6, expected);
        assertClose(dense, 5e-6, 5e-6, expected);
    }

    private static ToDoubleBiFunction<Integer, Integer> attended(int heads, int sequences, int length, double divisor,
            Matrix q, Matrix pk, Matrix pv, Matrix k, Matrix v) {
        int size = q.columns() / heads;
        int queries = q.rows() / sequences;
        int capacity = k.rows() / sequences;
        int prefix = pk.rows();
        return (r, column) -> {
            int sequence = r / queries;
            int own = length + r % queries + 1;
            int first = column / size * size;
            var scores = IntStream.range(0, prefix + own)
                    .mapToDouble(t -> IntStream.range(first, first + size).mapToDouble(
                            i -> q.at(r, i) * (t < prefix ? pk.at(t, i) : k.at(sequence * capacity + t - prefix, i)))
                            .sum() / divisor)
                    .toArray();
            double max = Arrays.stream(scores).max().orElseThrow();
            double sum = Arrays.stream(scores).map(x -> Math.exp(x - max)).sum();
            return IntStream.range(0, scores.length).mapToDouble(t -> Math.exp(scores[t] - max) / sum
                    * (t < prefix ? pv.at(t, column) : v.at(sequence * capacity + t - prefix, column))).sum();
        };
    }

    /** Scores of the first of two heads, of the keys from … to−1: NaN and ±∞ are to be what they are in softmax. */
    @ParameterizedTest
    @CsvSource({
            // score, from, to, prefix
            "NaN, 3, 4, 2", "Infinity, 3, 4, 2", "-Infinity, 3, 4, 2", "-Infinity, 0, 3, 2", "NaN, 299, 300, 300",
            "Infinity, 0, 1, 300", "-Infinity, 0, 300, 300", "-Infinity, 0, 303, 300"})
    void attentionWithScoresThatAreNotFinite(float score, int from, int to, int prefix) {
        attentionWithScores(score, from, to, prefix, 4);
        attentionWithScores(score, from, to, prefix, 64);
    }

    private void attentionWithScores(float score, int from, int to, int prefix, int size) {
        int d = 2 * size;
        var q = Matrix.random(3, d, 1);
        var pk = Matrix.random(prefix, d, 2);
        var pv = Matrix.random(prefix, d, 3);
        var k = Matrix.random(3, d, 4);
        var v = Matrix.random(3, d, 5);
        for (int r = 0; r < 3; r++) {
            Arrays.fill(q.data(), d * r, d * r + size, 0);
            q.data()[d * r] = 1; // so that a key's number there is its score
        }
        for (int t = from; t < to; t++) {
            (t < prefix ? pk : k).data()[d * (t < prefix ? t : t - prefix)] = score;
        }
        var expected = attended(2, 1, 0, 2, q, pk, pv, k, v);
        var out = empty(3, d);
        run(s -> s.attention(out, q.on(device, scope), new AttentionContext(2, 1, pk.on(device, scope),
                pv.on(device, scope), k.on(device, scope), v.on(device, scope), ints(0)), 2));
        var values = new Matrix(3, d, out.toFloats());
        for (int r = 0; r < 3; r++) {
            for (int i = 0; i < d; i++) {
                assertThat(values.at(r, i)).as("[%d, %d]", r, i).isCloseTo(expected.applyAsDouble(r, i), within(1e-5));
            }
        }
    }

    /** Of one row and head, and of several beside it: a device may divide the keys differently. */
    @Test
    void aRowsAttentionDoesNotDependOnOtherRows() {
        var q = Matrix.random(128, 64, 1).on(device, scope);
        var pk = Matrix.random(20, 64, 2).on(device, scope);
        var pv = Matrix.random(20, 64, 3).on(device, scope);
        var k = Matrix.random(128, 64, 4).on(device, scope);
        var together = empty(128, 64);
        var alone = empty(1, 64);
        run(s -> {
            s.attention(together, q, new AttentionContext(1, 128, pk, pv, k, k, ints(0)), 8);
            s.attention(alone, q.row(70), new AttentionContext(1, 1, pk, pv, k.row(70), k.row(70), ints(0)), 8);
        });
        assertSameRow(alone, together.row(70), 0);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void attentionToAValueThatIsNotFiniteShowsInItsColumn(float broken) {
        var x = Matrix.random(3, 8, 1);
        var v = Matrix.of(3, 8, (r, i) -> r == 1 && i == 5 ? broken : x.at(r, i));
        var expected = attended(2, 1, 0, 2, x, Matrix.random(0, 8, 2), Matrix.random(0, 8, 2), x, x);
        var out = empty(3, 8);
        run(s -> s.attention(out, x.on(device, scope), new AttentionContext(2, 1, empty(0, 8), empty(0, 8),
                x.on(device, scope), v.on(device, scope), ints(0)), 2));
        var values = new Matrix(3, 8, out.toFloats());
        for (int r = 0; r < 3; r++) {
            for (int i = 0; i < 8; i++) {
                if (i != 5) {
                    assertThat(values.at(r, i)).isCloseTo(expected.applyAsDouble(r, i), within(1e-5));
                } else if (r > 0) { // attends to it
                    assertThat(Double.isFinite(values.at(r, i))).as("row %d", r).isFalse();
                }
            }
        }
    }
}
