package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.lmdebugger.device.Matrix.assertClose;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;
import java.util.function.ToDoubleBiFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.bindings.cudart.Cudart;

/** What {@link Operations} promises, against plain loops in double precision. */
@OnEveryDevice
class OperationsContractTest extends ContractTest {
    /** A number of four equal bytes. */
    private static final float FILLED = Float.intBitsToFloat(0x40404040);

    OperationsContractTest() {
        super(Precision.FP32);
    }

    @Test
    void recordedWorkIsWhatItIsAtOnce() {
        var x = Matrix.random(5, 192, 1);
        var weights = Matrix.random(192, 192, 2).on(device, scope);
        var once = x.on(device, scope);
        var replayed = x.on(device, scope);
        var y = empty(5, 192);
        run(s -> {
            Consumer<Tensor> work = to -> {
                s.multiply(y, to, weights);
                s.biasResidual(to, y, weights.row(3));
            };
            for (int i = 0; i < 3; i++) {
                work.accept(once);
            }
            try (var replay = s.record(() -> work.accept(replayed))) {
                for (int i = 0; i < 3; i++) {
                    replay.run();
                }
            }
        });
        assertThat(replayed.toFloats()).isEqualTo(once.toFloats());
    }

    @Test
    void aSessionIsUsableAfterAFailureWhileRecording() {
        var x = Matrix.random(2, 8, 1);
        var tensor = x.on(device, scope);
        run(s -> {
            assertThatThrownBy(() -> s.record(() -> {
                s.addBias(tensor, tensor.row(0));
                throw new IllegalStateException("on purpose");
            }).run()).hasMessage("on purpose");
            s.addBias(tensor, tensor.row(1));
        });
        run(s -> s.copy(tensor, x.on(device, scope)));
        assertThat(tensor.toFloats()).isEqualTo(x.data());
    }

    /** Two threads, each with a queue of its own. */
    @Test
    void sessionsDoNotDisturbEachOther() throws Exception {
        var weights = Matrix.random(64, 64, 2).on(device, scope);
        IntFunction<float[]> work = seed -> {
            try (var own = new TensorScope(device)) {
                return device.call(s -> {
                    var x = own.allocate(ElementType.F32, 7, 64);
                    var y = own.allocate(ElementType.F32, 7, 64);
                    s.upload(x, Matrix.random(7, 64, seed).data());
                    for (int i = 0; i < 5; i++) {
                        s.layerNorm(y, x, weights.row(0), weights.row(1), 1e-5f);
                        s.multiply(x, y, weights);
                    }
                    var result = new float[7 * 64];
                    s.download(result, x);
                    return result;
                });
            }
        };
        var alone = IntStream.range(0, 12).mapToObj(work).toList();
        try (var threads = Executors.newFixedThreadPool(2)) {
            var together = IntStream.range(0, 12).mapToObj(seed -> threads.submit(() -> work.apply(seed))).toList();
            for (int seed = 0; seed < 12; seed++) {
                assertThat(together.get(seed).get()).as("seed %d", seed).isEqualTo(alone.get(seed));
            }
        }
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
                var product = new float[m * n];
                int chosen = operation;
                run(s -> {
                    s.multiply(c, a, b);
                    if (read) {
                        s.download(product, c);
                    }
                    switch (chosen) {
                        case 0 -> s.addBias(c, bias);
                        case 1 -> s.biasGelu(c, bias, Gelu.TANH);
                        case 2 -> s.biasGelu(c, bias, Gelu.ERF);
                        default -> s.biasResidual(x, c, bias);
                    }
                });
                results.add(c.toFloats());
                results.add(x.toFloats());
                if (read && chosen == 3) {
                    assertThat(results.get(0)).as("the product itself").isEqualTo(product);
                }
            }
            float rounding = operation == 1 || operation == 2 ? (float) FEW : 0; // of two kernels' activations
            assertThat(results.get(0)).usingComparatorWithPrecision(rounding).containsExactly(results.get(2));
            assertThat(results.get(1)).isEqualTo(results.get(3));
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

    private static double mean(Matrix x, int row) {
        return IntStream.range(0, x.columns()).mapToDouble(i -> x.at(row, i)).average().orElseThrow();
    }

    private static double deviation(Matrix x, int row, double epsilon) {
        double mean = mean(x, row);
        return Math.sqrt(IntStream.range(0, x.columns()).mapToDouble(i -> Math.pow(x.at(row, i) - mean, 2)).average()
                .orElseThrow() + epsilon);
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

    /** x·Φ(x), the integral of the normal density from −12 on by Simpson's rule. */
    static double geluErf(double x) {
        int steps = 400; // an error below 1e-8
        double from = -12;
        double h = (x - from) / steps;
        double sum = IntStream.rangeClosed(0, steps).mapToDouble(i -> (i == 0 || i == steps ? 1 : i % 2 == 0 ? 2 : 4)
                * Math.exp(-Math.pow(from + i * h, 2) / 2)).sum();
        return x * sum * h / 3 / Math.sqrt(2 * Math.PI);
    }

    static double gelu(double x) {
        return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
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

    @Test
    void editsAreExact() {
        var m = Matrix.random(3, 40, 1);
        var edited = m.on(device, scope);
        run(s -> s.editCoefficients(edited, ints(0, 2, 2), ints(39, 0, 5), scope.vector(s, 0f, 2f, 1f),
                scope.vector(s, 7f, 0f, 1.5f)));
        var expected = m.data().clone();
        expected[39] = 7;
        expected[80] = 2 * expected[80];
        expected[85] = expected[85] + 1.5f;
        assertThat(edited.toFloats()).isEqualTo(expected);
    }

    @Test
    void aSetCoefficientIsSetWhateverItWas() {
        var m = Matrix.of(1, 2, (r, i) -> i == 0 ? Double.NaN : Double.POSITIVE_INFINITY).on(device, scope);
        run(s -> s.editCoefficients(m, ints(0, 0), ints(0, 1), scope.vector(s, 0f, 0f), scope.vector(s, 3f, 4f)));
        assertThat(m.toFloats()).containsExactly(3, 4);
    }

    @Test
    void shifts() {
        var x = Matrix.random(4, 33, 1);
        var values = Matrix.random(9, 33, 2);
        float[] shift = {1, -2, 0.5f, 0};
        int[] neurons = {8, 0, 3, 3};
        var shifted = x.on(device, scope);
        run(s -> s.shiftResidual(shifted, scope.vector(s, shift), ints(neurons), values.on(device, scope)));
        assertClose(shifted, FEW, 0, (r, i) -> x.at(r, i) + shift[r] * values.at(neurons[r], i));
    }

    @Test
    void rowsAreMoved() {
        var from = Matrix.random(5, 7, 1);
        var gathered = empty(3, 7);
        var others = Matrix.random(5, 7, 2);
        var scattered = others.on(device, scope);
        var copied = empty(5, 7);
        var counters = ints(3, -1, 7);
        run(s -> {
            s.gatherRows(gathered, from.windowOn(device, scope), ints(4, 0, 4));
            s.scatterRows(scattered, gathered.rows(0, 2), ints(1, 3));
            s.copy(copied, from.on(device, scope));
            s.increment(counters);
        });
        assertClose(gathered, 1e-30, 0, (r, i) -> from.at(r == 1 ? 0 : 4, i));
        assertThat(scattered.row(1).toFloats()).isEqualTo(gathered.row(0).toFloats());
        assertThat(scattered.row(3).toFloats()).isEqualTo(gathered.row(1).toFloats());
        for (int r = 0; r < 5; r += 2) {
            assertThat(scattered.row(r).toFloats()).isEqualTo(Arrays.copyOfRange(others.data(), 7 * r, 7 * r + 7));
        }
        assertThat(copied.toFloats()).isEqualTo(from.data());
        assertThat(counters.toInts()).containsExactly(4, 0, 8);
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

    /** Weights of half the size, as files hold them, in an odd shape. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void weightsAreWidened(ElementType type) {
        var numbers = Matrix.of(3, 7, (r, i) -> (r + 1) * Math.scalb(1 + i / 8.0, i - 3)); // exact in either type
        try (var arena = Arena.ofShared()) {
            var file = arena.allocate(2 * 21, 2);
            for (int i = 0; i < 21; i++) {
                float number = numbers.data()[i];
                file.setAtIndex(ValueLayout.JAVA_SHORT, i, type == ElementType.F16 ? Float.floatToFloat16(number)
                        : (short) (Float.floatToRawIntBits(number) >> 16));
            }
            assertThat(scope.add(device.load(type, 3, 7, file)).toFloats()).isEqualTo(numbers.data());
        }
    }

    @Test
    void tooMuchMemoryIsRefusedWithTheNumbers() {
        assertThatThrownBy(() -> device.allocate(ElementType.F32, 1L << 40, 16))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageContaining("[1099511627776, 16]");
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

    @ParameterizedTest
    @ValueSource(ints = {3, 33, 1000, 50257})
    void measures(int vocabulary) {
        int rows = 3;
        var clean = Matrix.random(1, vocabulary, 9);
        var noise = Matrix.random(rows, vocabulary, 1);
        var logits = Matrix.of(rows, vocabulary, (r, i) -> 3 * noise.at(r, i));
        int[] tokens = {0, vocabulary - 1};
        var logSumExp = empty(1, rows);
        var entropy = empty(1, rows);
        var kl = empty(1, rows);
        var chosen = empty(rows, 2);
        var ranks = scope.allocate(ElementType.I32, rows, 2);
        run(s -> {
            s.measure(new LogitStatistics(ints(tokens), clean.on(device, scope), logSumExp, entropy, kl, chosen, null),
                    logits.windowOn(device, scope));
            s.measure(new LogitStatistics(ints(tokens), null, null, null, null, null, ranks), logits.on(device, scope));
        });
        assertClose(logSumExp, FEW, FEW, (x, r) -> logSumExp(logits, r));
        assertClose(entropy, 1e-5, 1e-5, (x, r) -> {
            double normaliser = logSumExp(logits, r);
            return -sum(vocabulary, i -> Math.exp(logits.at(r, i) - normaliser) * (logits.at(r, i) - normaliser));
        });
        assertClose(kl, 1e-5, 1e-5, (x, r) -> kl(clean, logits, r));
        assertClose(chosen, 1e-30, 0, (r, c) -> logits.at(r, tokens[c]));
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

    static double kl(Matrix clean, Matrix logits, int row) {
        double q = logSumExp(clean, 0);
        double p = logSumExp(logits, row);
        return sum(clean.columns(), i -> Math.exp(clean.at(0, i) - q) * (clean.at(0, i) - q - logits.at(row, i) + p));
    }

    static double logSumExp(Matrix logits, int row) {
        double max = IntStream.range(0, logits.columns()).mapToDouble(i -> logits.at(row, i)).max().orElseThrow();
        return max + Math.log(sum(logits.columns(), i -> Math.exp(logits.at(row, i) - max)));
    }

    private static double sum(int n, IntToDoubleFunction term) {
        return IntStream.range(0, n).mapToDouble(term).sum();
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

    @Test
    void recordedWorkIsRepeated() {
        var counter = ints(0);
        run(s -> {
            try (var replay = s.record(() -> s.increment(counter))) {
                IntStream.range(0, 5).forEach(i -> replay.run());
            }
        });
        assertThat(counter.toInts()).containsExactly(5);
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var before = x.toFloats();
        assertThatThrownBy(() -> run(s -> s.addBias(x, empty(1, 7)))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("bias: F32[1, 7]").hasMessageEndingWith("(expected: shape [1, 8])");
        assertThatThrownBy(() -> run(s -> s.embed(x, empty(5, 8), empty(5, 8), ints(0), ints(0, 1))))
                .hasMessageStartingWith("ids: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.multiply(x, empty(2, 3), empty(4, 8))))
                .hasMessageStartingWith("b: F32[4, 8]");
        assertThatThrownBy(() -> run(s -> s.topK(scope.allocate(ElementType.I32, 2, 9), empty(2, 9), x)))
                .hasMessage("k: 9 (expected: 1 to 8)");
        assertThatThrownBy(() -> run(s -> s.bottomK(scope.allocate(ElementType.I32, 2, 9), empty(2, 9), x)))
                .hasMessage("k: 9 (expected: 1 to 8)");
        assertThatThrownBy(() -> run(s -> s.linkClusters(x, 0, 1))).hasMessageContaining("(expected: shape [8, 8])");
        assertThatThrownBy(() -> run(s -> s.linkClusters(empty(2, 2), 1, 1)))
                .hasMessage("clusters: 1 and 1 (expected: two different ones below 2)");
        assertThatThrownBy(() -> run(s -> s.upload(x, new float[3]))).hasMessage("from: 3 elements (expected: 16)");
        assertThatThrownBy(() -> run(s -> s.upload(x, new int[16]))).hasMessageContaining("expected: type I32");
        assertThatThrownBy(() -> run(s -> s.attention(x, x,
                new AttentionContext(3, 1, empty(0, 8), empty(0, 8), empty(2, 8), empty(2, 8), ints(0)), 1)))
                        .hasMessageStartingWith("heads: 3");
        assertThat(x.toFloats()).isEqualTo(before);
    }

    @Test
    void aClosedTensorIsNotUsed() {
        var x = device.allocate(ElementType.F32, 2, 2);
        x.close();
        x.close();
        assertThatThrownBy(x::toFloats).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void windowsOutsideATensorAreRefused() {
        var x = empty(3, 4);
        assertThatThrownBy(() -> x.rows(2, 2)).isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageContaining("within 0 to 3");
        assertThatThrownBy(() -> x.columns(-1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    /** On a window, so that strides count. */
    @Test
    void workOfAProgramsOwnHasItsPlaceAmongTheOperations() {
        var x = Matrix.random(5, 40, 1);
        var tensor = x.windowOn(device, scope);
        var bias = Matrix.of(1, 40, (r, i) -> 1).on(device, scope);
        var ahead = empty(5, 40);
        run(s -> {
            s.addBias(tensor, bias);
            s.copy(ahead, tensor);
            s.access(tensor, memory -> {
                fillRow(memory, 3, 40);
                return null;
            });
            s.addBias(tensor, bias);
        });
        assertClose(ahead, FEW, FEW, (r, i) -> x.at(r, i) + 1);
        assertClose(tensor, FEW, FEW, (r, i) -> r == 3 ? FILLED + 1 : x.at(r, i) + 2);
    }

    @Test
    void recordedWorkOfAProgramsOwnIsRepeated() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var y = empty(2, 8);
        run(s -> {
            try (var replay = s.record(() -> s.access(x, memory -> {
                fillRow(memory, 1, 8);
                return null;
            }))) {
                replay.run();
                s.copy(y, x);
                s.upload(x, new float[16]);
                replay.run();
            }
        });
        assertThat(y.row(1).toFloats()).containsOnly(FILLED);
        assertThat(x.toFloats()).startsWith(new float[8]).endsWith(y.row(1).toFloats());
    }

    /** Sets a row to {@link #FILLED} without any of the device's operations. */
    private static void fillRow(TensorAccess memory, long row, long columns) {
        switch (memory) {
            case TensorAccess.Host(var segment, long stride) ->
                    segment.asSlice(4 * row * stride, 4 * columns).fill((byte) 0x40);
            case TensorAccess.Cuda(long address, long stride, long stream) -> assertThat(Cudart.cudaMemsetAsync(
                    MemorySegment.ofAddress(address + 4 * row * stride), 0x40, 4 * columns,
                    MemorySegment.ofAddress(stream))).isZero();
        }
    }

    @Test
    void memoryOfTheHostIsLentWithinBoundsForAWhileToOneThread() {
        assumeTrue(TestDevice.isCpu(), "addresses of a GPU are the program's to check");
        var x = Matrix.random(3, 4, 1).windowOn(device, scope);
        run(s -> {
            var lent = s.access(x, memory -> {
                var segment = ((TensorAccess.Host) memory).segment();
                assertThat(segment.byteSize()).isEqualTo(4 * (2 * memory.stride() + 4));
                assertThat(segment.isAccessibleBy(new Thread())).isFalse();
                return segment;
            });
            assertThatThrownBy(() -> lent.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
            assertThat(s.<Boolean>access(x.asReadOnly(), memory -> ((TensorAccess.Host) memory).segment().isReadOnly()))
                    .isTrue();
            assertThat(s.<Long>access(empty(0, 4), memory -> ((TensorAccess.Host) memory).segment().byteSize()))
                    .isZero();
        });
    }

    @Test
    void theMemoryOfAClosedTensorIsNotLent() {
        var x = device.allocate(ElementType.F32, 2, 2);
        x.close();
        assertThatThrownBy(() -> run(s -> s.access(x, memory -> memory))).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aReadOnlyTensorIsReadAndNotWritten() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var before = x.toFloats();
        var fixed = x.asReadOnly();
        var refused = "%s, read-only (expected: a tensor of your own)".formatted(fixed);
        assertThatThrownBy(() -> run(s -> s.upload(fixed, new float[16]))).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("to: " + refused);
        assertThatThrownBy(() -> run(s -> s.upload(fixed.row(1).columns(2, 3), new float[3])))
                .hasMessageStartingWith("to: F32[1, 3]");
        assertThatThrownBy(() -> run(s -> s.copy(fixed, x))).hasMessage("to: " + refused);
        assertThatThrownBy(() -> run(s -> s.addBias(fixed, empty(1, 8)))).hasMessage("x: " + refused);
        assertThatThrownBy(() -> run(s -> s.measure(LogitStatistics.logSumExp(empty(1, 2).asReadOnly()), x)))
                .hasMessageStartingWith("logSumExp: ");
        assertThatThrownBy(() -> run(s -> s.increment(ints(1).asReadOnly()))).hasMessageStartingWith("counters: ");
        fixed.close(); // a window, which owns nothing
        assertThat(fixed.toFloats()).isEqualTo(before);
    }
}
