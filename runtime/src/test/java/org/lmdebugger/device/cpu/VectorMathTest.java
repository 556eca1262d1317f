package org.lmdebugger.device.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** The accuracy that {@link VectorMath} states, over dense samples of its whole range. */
class VectorMathTest {
    private static final int SAMPLES = 1 << 20;

    @Test
    void expIsWithinTwoUlpAndSubnormalResultsWithinOneStepOrTwo() {
        var x = samples(-104, 88.7);
        var y = x.clone();
        VectorMath.exp(y, y.length);
        assertThat(worstUlp(x, y, Math::exp)).isLessThanOrEqualTo(2);
    }

    @Test
    void expOfTheExtremes() {
        var x = new float[] {0, -0f, -1000, Float.NEGATIVE_INFINITY, 100, Float.POSITIVE_INFINITY, Float.NaN};
        VectorMath.exp(x, x.length);
        assertThat(x).containsExactly(1, 1, 0, 0, Float.POSITIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NaN);
    }

    @Test
    void expm1IsWithinThreeUlpForTinyArgumentsToo() {
        var x = samples(-39, 88.7);
        for (int i = 0; i < x.length / 2; i++) {
            x[i] = (float) (Math.signum(x[i]) * Math.pow(2, -40 + 40.0 * i / x.length));
        }
        var y = x.clone();
        VectorMath.expm1(y, y.length);
        assertThat(worstUlp(x, y, Math::expm1)).isLessThanOrEqualTo(3);
    }

    @Test
    void geluIsWithinAMillionthOfItsArgument() {
        var x = samples(-12, 12);
        var y = x.clone();
        VectorMath.gelu(y, new float[y.length], y.length);
        double worst = 0;
        for (int i = 0; i < x.length; i++) {
            double v = x[i];
            double exact = 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v)));
            worst = Math.max(worst, Math.abs(y[i] - exact) / Math.max(Math.abs(v), Float.MIN_NORMAL));
        }
        assertThat(worst).isLessThanOrEqualTo(1e-6);
    }

    @Test
    void geluByTheErrorFunctionIsToo() {
        int n = 4096;
        var x = new float[2 * n];
        for (int i = 0; i < x.length; i++) {
            x[i] = (i - n) * 12f / n;
        }
        var y = x.clone();
        VectorMath.geluErf(y, new float[y.length], new float[y.length], y.length);
        double integral = 0; // of the normal density, by Simpson's rule
        double worst = 0;
        double h = 12.0 / n;
        for (int i = 1; i < x.length; i++) {
            double left = (i - 1 - n) * h;
            integral += (normal(left) + 4 * normal(left + h / 2) + normal(left + h)) * h / 6;
            worst = Math.max(worst, Math.abs(y[i] - x[i] * integral) / Math.max(Math.abs(x[i]), Float.MIN_NORMAL));
        }
        assertThat(worst).isLessThanOrEqualTo(2e-7);
    }

    private static double normal(double x) {
        return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }

    @Test
    void nothingBeyondNIsTouched() {
        var x = new float[] {1, 2, 3};
        VectorMath.exp(x, 2);
        assertThat(x[2]).isEqualTo(3);
    }

    private static float[] samples(double from, double to) {
        var x = new float[SAMPLES];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) (from + (to - from) * i / (x.length - 1));
        }
        return x;
    }

    private static double worstUlp(float[] x, float[] y, DoubleUnaryOperator exact) {
        double worst = 0;
        for (int i = 0; i < x.length; i++) {
            double expected = exact.applyAsDouble(x[i]);
            worst = Math.max(worst, Math.abs(y[i] - expected) / Math.ulp((float) expected));
        }
        return worst;
    }
}
