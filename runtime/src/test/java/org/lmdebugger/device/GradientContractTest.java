package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.device.Matrix.assertClose;

import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients of operations, against central differences of the operations in double precision. */
@OnEveryDevice
class GradientContractTest extends ContractTest {
    /** A step whose error, a third of its square, and rounding, 10⁻¹⁶ divided by it, are both far below single precision. */
    private static final double STEP = 1e-5;

    GradientContractTest() {
        super(Precision.FP32);
    }

    private static double slope(DoubleUnaryOperator f, double at) {
        return (f.applyAsDouble(at + STEP) - f.applyAsDouble(at - STEP)) / (2 * STEP);
    }

    /** Returns the derivative of f by element i of a row. */
    private static double slope(ToDoubleFunction<double[]> f, Matrix x, int row, int i) {
        var numbers = IntStream.range(0, x.columns()).mapToDouble(c -> x.at(row, c)).toArray();
        return slope(value -> {
            numbers[i] = value;
            return f.applyAsDouble(numbers);
        }, numbers[i]);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "5, 31", "3, 32", "3, 33", "2, 192", "40, 8", "2, 1028"})
    void layerNormGradients(int rows, int d) {
        var noise = Matrix.random(rows, d, 1);
        var x = Matrix.of(rows, d, (r, i) -> 3 + 2 * noise.at(r, i));
        var dy = Matrix.random(rows, d, 2);
        var gain = Matrix.random(1, d, 3);
        var gradient = dy.windowOn(device, scope);
        var aligned = dy.on(device, scope);
        run(s -> {
            s.layerNormBackward(gradient, x.windowOn(device, scope), gain.windowOn(device, scope), 1e-5f);
            s.layerNormBackward(aligned, x.on(device, scope), gain.on(device, scope), 1e-5f);
        });
        for (var computed : new Tensor[] {gradient, aligned}) {
            assertClose(computed, 3e-6, 1e-5, (r, i) -> slope(row -> weighted(row, dy, r, gain), x, r, i));
        }
    }

    /** Returns Σ dy ⊙ LayerNorm(x), without the bias, which its derivative has not. */
    private static double weighted(double[] x, Matrix dy, int row, Matrix gain) {
        double mean = IntStream.range(0, x.length).mapToDouble(i -> x[i]).average().orElseThrow();
        double variance = IntStream.range(0, x.length).mapToDouble(i -> Math.pow(x[i] - mean, 2)).average()
                .orElseThrow();
        return IntStream.range(0, x.length).mapToDouble(i -> dy.at(row, i) * gain.at(0, i) * (x[i] - mean)).sum()
                / Math.sqrt(variance + 1e-5);
    }

    /** The gradient by rows whose squares overflow in single precision is that by smaller rows, divided likewise. */
    @ParameterizedTest
    @ValueSource(ints = {8, 33})
    void layerNormGradientsOfHugeRows(int d) {
        float factor = 0x1p70f;
        var x = Matrix.random(2, d, 1);
        var dy = Matrix.random(2, d, 2);
        var gain = Matrix.random(1, d, 3);
        var small = dy.on(device, scope);
        var huge = Matrix.of(2, d, (r, i) -> dy.at(r, i) * factor).on(device, scope);
        run(s -> {
            s.layerNormBackward(small, x.on(device, scope), gain.on(device, scope), 0);
            s.layerNormBackward(huge, Matrix.of(2, d, (r, i) -> x.at(r, i) * factor).on(device, scope),
                    gain.on(device, scope), 0);
        });
        assertThat(huge.toFloats()).isEqualTo(small.toFloats());
    }

    @ParameterizedTest
    @CsvSource({"1, 33, TANH", "3, 768, TANH", "70, 3072, TANH", "1, 33, ERF", "3, 768, ERF", "70, 100, ERF"})
    void geluGradients(int rows, int n, Gelu gelu) {
        var noise = Matrix.random(rows, n, 1);
        var m = Matrix.of(rows, n, (r, i) -> 3 * noise.at(r, i));
        var dm = Matrix.random(rows, n, 2);
        var bias = Matrix.random(1, n, 3);
        var gradient = dm.windowOn(device, scope);
        var aligned = dm.on(device, scope);
        run(s -> {
            s.biasGeluBackward(gradient, m.windowOn(device, scope), bias.windowOn(device, scope), gelu);
            s.biasGeluBackward(aligned, m.on(device, scope), bias.on(device, scope), gelu);
        });
        for (var computed : new Tensor[] {gradient, aligned}) {
            assertClose(computed, 4e-6, 4e-6,
                    (r, i) -> dm.at(r, i) * slope(gelu, (float) m.at(r, i) + (float) bias.at(0, i)));
        }
    }

    private static double slope(Gelu gelu, double z) {
        return switch (gelu) {
            case TANH -> slope(ContractTest::gelu, z);
            case ERF -> geluErf(z) / z + z * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
        };
    }

    @ParameterizedTest
    @EnumSource(Gelu.class)
    void geluGradientsFarOut(Gelu gelu) {
        var z = new float[] {9, 11, 20, 1e20f, Float.MAX_VALUE, Float.POSITIVE_INFINITY};
        var m = Matrix.of(2, z.length, (r, i) -> r == 0 ? z[i] : -z[i]);
        var slopes = Matrix.of(2, z.length, (r, i) -> 1).on(device, scope);
        var none = Matrix.of(1, 1, (r, i) -> 1).on(device, scope);
        run(s -> {
            s.biasGeluBackward(slopes, m.on(device, scope), Matrix.of(1, z.length, (r, i) -> 0).on(device, scope),
                    gelu);
            s.biasGeluBackward(none, Matrix.of(1, 1, (r, i) -> Double.NaN).on(device, scope),
                    Matrix.of(1, 1, (r, i) -> 0).on(device, scope), gelu);
        });
        assertClose(slopes, 1e-15, 1e-7, (r, i) -> 1 - r);
        assertThat(none.toFloats()).containsOnly(Float.NaN);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 31", "5, 33", "2, 300"})
    void softmaxGradients(int rows, int n) {
        var scores = Matrix.random(rows, n, 1);
        var p = Matrix.of(rows, n, (r, i) -> Math.exp(scores.at(r, i) - logSumExp(scores, r)));
        var dp = Matrix.random(rows, n, 2);
        var gradient = dp.windowOn(device, scope);
        run(s -> s.softmaxBackward(gradient, p.windowOn(device, scope), 8));
        assertClose(gradient, 1e-6, 1e-5, (r, i) -> slope(row -> {
            double sum = IntStream.range(0, n).mapToDouble(j -> Math.exp(row[j])).sum();
            return IntStream.range(0, n).mapToDouble(j -> dp.at(r, j) * Math.exp(row[j])).sum() / sum;
        }, scores, r, i) / 8);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 33", "31, 32", "32, 64", "33, 65", "70, 3", "0, 4"})
    void transposes(int rows, int n) {
        var x = Matrix.random(rows, n, 1);
        var to = Matrix.random(n, rows, 2).windowOn(device, scope);
        run(s -> s.transpose(to, x.windowOn(device, scope)));
        assertClose(to, 1e-30, 0, (r, i) -> x.at(i, r));
    }

    @ParameterizedTest
    @CsvSource({"2, 40", "33, 65", "3, 300"})
    void nothingBesideATensorIsWritten(int rows, int n) {
        var transposed = Matrix.of(n + 1, rows + 2, (r, i) -> 7).on(device, scope);
        var gradient = Matrix.of(rows + 1, n + 2, (r, i) -> 7).on(device, scope);
        run(s -> {
            s.transpose(transposed.rows(0, n).columns(1, rows), Matrix.random(rows, n, 1).on(device, scope));
            s.softmaxBackward(gradient.rows(0, rows).columns(1, n), Matrix.random(rows, n, 1).on(device, scope), 8);
        });
        for (var tensor : new Tensor[] {transposed, gradient}) {
            int last = (int) tensor.rows() - 1;
            int columns = (int) tensor.columns();
            var numbers = tensor.toFloats();
            for (int i = 0; i < numbers.length; i++) {
                if (i / columns == last || i % columns == 0 || i % columns == columns - 1) {
                    assertThat(numbers[i]).as("row %d, column %d", i / columns, i % columns).isEqualTo(7);
                }
            }
        }
    }

    /** What overflowed is to be seen at the end. */
    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void gradientsOfRowsThatAreNotFiniteShow(float broken) {
        int n = 40;
        var x = Matrix.random(2, n, 1);
        var wrong = Matrix.of(2, n, (r, i) -> r == 1 && i == 7 ? broken : x.at(r, i));
        var of = wrong.on(device, scope);
        var by = x.on(device, scope);
        var weights = wrong.on(device, scope);
        run(s -> {
            s.layerNormBackward(of, x.on(device, scope), Matrix.random(1, n, 2).on(device, scope), 1e-5f);
            s.layerNormBackward(by, wrong.on(device, scope), Matrix.random(1, n, 2).on(device, scope), 1e-5f);
            s.softmaxBackward(weights, Matrix.of(2, n, (r, i) -> i < 7 ? 1.0 / 7 : 0).on(device, scope), 8);
        });
        for (var tensor : new Tensor[] {of, by, weights}) {
            for (int i = 0; i < n; i++) {
                assertThat(Float.isFinite(tensor.toFloats()[i])).as("row 0, column %d", i).isTrue();
                assertThat(Float.isFinite(tensor.toFloats()[n + i])).as("row 1, column %d", i).isFalse();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {7, 9})
    void gradientsOfOtherShapesAreRefused(int n) {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var before = x.toFloats();
        var other = empty(2, n);
        assertThatThrownBy(() -> run(s -> s.layerNormBackward(x, other, empty(1, 8), 1e-5f))).hasMessageStartingWith(
                "x: F32[2, %d]".formatted(n));
        assertThatThrownBy(() -> run(s -> s.layerNormBackward(x, empty(2, 8), empty(1, n), 1e-5f)))
                .hasMessageStartingWith("gain: F32[1, %d]".formatted(n));
        assertThatThrownBy(() -> run(s -> s.biasGeluBackward(x, other, empty(1, 8), Gelu.TANH)))
                .hasMessageStartingWith("m: F32[2, %d]".formatted(n));
        assertThatThrownBy(() -> run(s -> s.softmaxBackward(x, other, 8))).hasMessageStartingWith(
                "p: F32[2, %d]".formatted(n));
        assertThatThrownBy(() -> run(s -> s.transpose(x, other))).hasMessageStartingWith(
                "from: F32[2, %d]".formatted(n));
        assertThatThrownBy(() -> run(s -> s.softmaxBackward(x.asReadOnly(), empty(2, 8), 8)))
                .hasMessageContaining("read-only");
        assertThat(x.toFloats()).isEqualTo(before);
    }
}
