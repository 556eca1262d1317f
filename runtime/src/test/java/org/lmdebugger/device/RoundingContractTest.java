package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

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
                // sums of FP32 alone, as of OperationsContractTest
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
