package org.lmdebugger.device.cpu;

/**
 * Elementary functions of arrays, as plain loops that the JVM's compiler turns into vector instructions. Each value is
 * computed in one fixed order of operations, so that results do not depend on how far a loop is compiled.
 *
 * <p>e^x = 2ⁿ·e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2; e^r − 1 by its Taylor series to r⁷, whose remainder is
 * below 2⁻²⁷.
 */
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f; // few bits, so that n·LN2_HIGH is exact
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float ROUND = 0x1.8p23f; // adding and subtracting it rounds to an integer

    private VectorMath() {
    }

    /** x[i] = e^x[i] for i below n, within 2 ulp; results below 2⁻¹²⁶ within 2⁻¹⁴⁹ or so. */
    static void exp(float[] x, int n) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(-105f, Math.min(89f, x[i])); // beyond these the result is 0 and ∞ anyway
            float k = v * LOG2_E + ROUND - ROUND;
            float half = k * 0.5f + ROUND - ROUND;
            // two factors, as 2ᵏ alone may be out of range where the product is not
            x[i] = (1 + expm1OfRest(v, k)) * powerOf2(half) * powerOf2(k - half);
        }
    }

    /** x[i] = e^x[i] − 1 for i below n, within 3 ulp, for tiny x too. */
    static void expm1(float[] x, int n) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(-40f, Math.min(89f, x[i]));
            float k = v * LOG2_E + ROUND - ROUND;
            float power = powerOf2(k - 1); // half of everything, doubled at the end, as 2¹²⁸ is out of range
            x[i] = 2 * Math.fma(expm1OfRest(v, k), power, power - 0.5f);
        }
    }

    /**
     * x[i] = gelu_new(x[i]) for i below n: 0.5·x·(1 + tanh u) = x / (1 + e^(−2u)) with u = √(2/π)·(x + 0.044715·x³);
     * within 1e-6 of |x|.
     *
     * @param e working space of at least n
     */
    static void gelu(float[] x, float[] e, int n) {
        float factor = (float) (-2 * Math.sqrt(2 / Math.PI));
        for (int i = 0; i < n; i++) {
            e[i] = Math.fma(x[i] * x[i], 0.044715f, 1f) * x[i] * factor;
        }
        exp(e, n);
        for (int i = 0; i < n; i++) {
            x[i] = x[i] / (1 + e[i]);
        }
    }

    private static float expm1OfRest(float x, float k) {
        float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, x));
        float p = Math.fma(1f / 5040, r, 1f / 720);
        p = Math.fma(p, r, 1f / 120);
        p = Math.fma(p, r, 1f / 24);
        p = Math.fma(p, r, 1f / 6);
        p = Math.fma(p, r, 0.5f);
        return Math.fma(p * r, r, r);
    }

    private static float powerOf2(float n) {
        return Float.intBitsToFloat((int) n + 127 << 23);
    }
}
