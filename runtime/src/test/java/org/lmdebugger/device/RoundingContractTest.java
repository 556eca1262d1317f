package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products in the precisions that only a GPU has: both operands are rounded to nearest, whatever the shape. */
@OnEveryDevice
class RoundingContractTest {
    private static final int K = 300;

    @BeforeAll
    static void needsCuda() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
    }

    @Test
    void tf32() {
        check(Precision.TF32, x -> round(x, 13, 0x1000));
    }

    @Test
    void bf16() {
        check(Precision.BF16, x -> round(x, 16, 0x7fff + (Float.floatToRawIntBits((float) x) >> 16 & 1)));
    }

    /** Cuts off so many bits after adding {@code half}. */
    private static double round(double x, int bits, int half) {
        return Float.intBitsToFloat(Float.floatToRawIntBits((float) x) + half >> bits << bits);
    }

    /** Of 1, 2, 10 and 64 rows, where a card has kernels of several kinds, which round as they like or not at all. */
    private static void check(Precision precision, DoubleUnaryOperator rounding) {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1); var device = TestDevice.open(precision);
                var scope = new TensorScope(device); var arena = Arena.ofConfined()) {
            var weights = Matrix.random(K, 40, 1);
            var b = scope.add(device.load(ElementType.F32, K, 40,
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, weights.data())));
            var a = Matrix.random(64, K, 2);
            for (int rows : new int[] {1, 2, 10, 64}) {
                var c = scope.allocate(ElementType.F32, rows, 40);
                device.call(session -> {
                    session.multiply(c, a.on(device, scope).rows(0, rows), b);
                    return null;
                });
                // sums of FP32 alone, as of TransformerContractTest
                Matrix.assertClose(c, 3 * K * 0x1p-24 + ContractTest.FEW, 1e-6, (r, i) -> {
                    double sum = 0;
                    for (int k = 0; k < K; k++) {
                        sum += rounding.applyAsDouble(a.at(r, k)) * rounding.applyAsDouble(weights.at(k, i));
                    }
                    return sum;
                });
            }
        }
    }

    /**
     * Rows that a product consumes are written rounded, and not as they are, where products of so many rows round. Either way
     * it has the bits of a product that does not consume them.
     */
    @ParameterizedTest
    @CsvSource({"16, 64", "17, 64", "40, 33"})
    void consumedRowsAreWrittenRounded(int rows, int k) {
        for (var precision : Precision.values()) {
            try (var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1); var device = TestDevice.open(precision);
                    var scope = new TensorScope(device); var arena = Arena.ofConfined()) {
                var b = scope.add(device.load(ElementType.F32, k, 40,
                        arena.allocateFrom(ValueLayout.JAVA_FLOAT, Matrix.random(k, 40, 1).data())));
                var x = Matrix.random(rows, k, 2);
                var from = x.on(device, scope);
                var gain = Matrix.random(1, k, 3).on(device, scope);
                var bias = Matrix.random(1, k, 4).on(device, scope);
                for (var computed : List.<BiConsumer<Operations, Tensor>>of(
                        (session, to) -> session.layerNorm(to, from, gain, bias, 1e-5f),
                        (session, to) -> session.biasGelu(to, bias, Gelu.TANH),
                        (session, to) -> session.biasGelu(to, bias, Gelu.ERF))) {
                    var kept = x.on(device, scope);
                    var consumed = x.on(device, scope);
                    var expected = scope.allocate(ElementType.F32, rows, 40);
                    var product = scope.allocate(ElementType.F32, rows, 40);
                    device.call(session -> {
                        computed.accept(session, kept);
                        session.multiply(expected, kept, b);
                        computed.accept(session, consumed);
                        session.multiplyConsuming(product, consumed, b);
                        return null;
                    });
                    assertThat(product.toFloats()).isEqualTo(expected.toFloats());
                    if (rows > 16 && (precision == Precision.TF32 || precision == Precision.BF16)) {
                        assertThat(consumed.toFloats()).isEqualTo(x.data());
                    }
                }
            }
        }
    }

    /** Whoever reads or changes rows first has them, and so has the product. */
    @Test
    void rowsAreReadAndEditedBeforeTheyAreConsumed() {
        int rows = 20;
        var x = Matrix.random(rows, 8, 1);
        try (var device = TestDevice.open(Precision.BF16); var scope = new TensorScope(device);
                var arena = Arena.ofConfined()) {
            var b = scope.add(device.load(ElementType.F32, 8, 4,
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, Matrix.random(8, 4, 2).data())));
            var bias = Matrix.random(1, 8, 3).on(device, scope);
            var ones = Matrix.of(1, 8, (r, i) -> 1).on(device, scope);
            var m = List.of(x.on(device, scope), x.on(device, scope));
            var products = List.of(scope.allocate(ElementType.F32, rows, 4), scope.allocate(ElementType.F32, rows, 4));
            var read = scope.allocate(ElementType.F32, rows, 8);
            device.call(session -> {
                session.biasGelu(m.get(0), bias, Gelu.TANH);
                session.copy(read, m.get(0));
                session.addBias(m.get(0), ones);
                session.multiply(products.get(0), m.get(0), b);
                session.biasGelu(m.get(1), bias, Gelu.TANH);
                session.addBias(m.get(1), ones);
                session.multiplyConsuming(products.get(1), m.get(1), b);
                return null;
            });
            assertThat(products.get(1).toFloats()).isEqualTo(products.get(0).toFloats());
            assertThat(m.get(1).toFloats()).isEqualTo(m.get(0).toFloats());
            Matrix.assertClose(m.get(0), 1e-6, 1e-6, (r, i) -> 1 + (double) read.toFloats()[r * 8 + i]);
        }
    }

    /**
     * Split operands, of 256 rows and more, are as close as {@link Precision#TF32X3} says, with sums that truncate; weights
     * stay as they are. The window of A cannot be read in packs, nor can its rows, if K is odd.
     */
    @ParameterizedTest
    @CsvSource({"1, 8, 40", "16, 8, 40", "255, 8, 40", "256, 8, 40", "300, 8, 40", "300, 7, 33", "257, 1, 1"})
    void tf32x3(int rows, int k, int n) {
        checkSplit(rows, k, n);
    }

    private static void checkSplit(int rows, int k, int n) {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1); var device = TestDevice.open(Precision.TF32X3);
                var scope = new TensorScope(device); var arena = Arena.ofConfined()) {
            var a = Matrix.random(rows, k, 1);
            var weights = Matrix.random(k, n + 3, 2);
            var transposed = Matrix.of(n, k, (j, l) -> weights.at(l, j + 2));
            var b = scope.add(device.load(ElementType.F32, k, n + 3,
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, weights.data()))).columns(2, n);
            var bt = scope.add(device.load(ElementType.F32, n, k,
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, transposed.data())));
            assertThat(bt.toFloats()).containsExactly(transposed.data());
            var c = scope.allocate(ElementType.F32, rows, n);
            var ct = scope.allocate(ElementType.F32, rows, n);
            device.call(session -> {
                session.multiply(c, a.windowOn(device, scope), b);
                session.multiplyTransposed(ct, a.on(device, scope), bt);
                return null;
            });
            double bound = 0x1p-21 + 3 * k * 0x1p-23;
            for (var product : List.of(c.toFloats(), ct.toFloats())) {
                double worst = IntStream.range(0, rows * n).parallel().mapToDouble(i -> {
                    double sum = 0;
                    double size = 0;
                    for (int l = 0; l < k; l++) {
                        double term = a.at(i / n, l) * weights.at(l, i % n + 2);
                        sum += term;
                        size += Math.abs(term);
                    }
                    return Math.abs(product[i] - sum) / size;
                }).max().orElseThrow();
                assertThat(worst).isLessThanOrEqualTo(bound);
            }
        }
    }

    /** An infinite number, and one that becomes so by rounding, do not get lost, and stay in their rows. */
    @Test
    void infiniteNumbersAreSplit() {
        var numbers = Matrix.of(256, 2, (r, i) -> r == 1 ? Float.NEGATIVE_INFINITY
                : r == 2 ? Float.MAX_VALUE
                        : r == 3 ? Float.NaN : r == 4 ? 0x1p-100 : 1);
        var ones = Matrix.of(2, 4, (r, i) -> 1);
        try (var device = TestDevice.open(Precision.TF32X3); var scope = new TensorScope(device)) {
            var c = scope.allocate(ElementType.F32, 256, 4);
            device.call(session -> {
                session.multiply(c, numbers.on(device, scope), ones.on(device, scope));
                return null;
            });
            for (int r = 0; r < 256; r++) {
                float element = c.row(r).toFloats()[0];
                assertThat(Float.isFinite(element)).isEqualTo(r < 1 || r > 3);
                assertThat(r < 1 || r > 3 ? element : 2).isEqualTo(r == 4 ? 0x1p-99f : 2);
            }
        }
    }

    /** Numbers that TF32 has stay as they are, and so do infinities and NaN; the largest become infinite. */
    @Test
    void matricesAreRoundedWhenTheyAreLoaded() {
        float nan = Float.intBitsToFloat(0x7fffffff);
        float[] numbers = {1, -0f, 1 + 0x1p-10f, 1 + 0x1p-11f, 1 + 0x1.8p-11f, -1 - 0x1p-11f, 0x1p-149f,
                Float.POSITIVE_INFINITY, nan, Float.MAX_VALUE};
        try (var device = TestDevice.open(Precision.TF32); var arena = Arena.ofConfined()) {
            var file = arena.allocateFrom(ValueLayout.JAVA_FLOAT, numbers);
            try (var matrix = device.load(ElementType.F32, 2, 5, file);
                    var bias = device.load(ElementType.F32, 1, 10, file)) {
                assertThat(matrix.toFloats()).containsExactly(1, -0f, 1 + 0x1p-10f, 1 + 0x1p-10f, 1 + 0x1p-10f,
                        -1 - 0x1p-10f, 0, Float.POSITIVE_INFINITY, Float.NaN, Float.POSITIVE_INFINITY);
                assertThat(bias.toFloats()).containsExactly(numbers);
            }
        }
    }
}
