package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions of arrays, written with the Vector API: C2 does not auto-vectorise a loop that uses
 * {@code intBitsToFloat}, which then takes many times as long. Each value is computed in one fixed order of operations,
 * so that interpreted and compiled code give the same bits.
 *
 * <p>e^x = 2ⁿ·e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2; e^r − 1 by its Taylor series to r⁷, whose remainder is
 * below 2⁻²⁷.
 */
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f; // few bits, so that n·LN2_HIGH is exact
    private static final float LN2_LOW = -2.12194440e-4f;
    /**
     * A constant whose addition rounds to an integer, held by the last bits of the sum; its subtraction gives that as a
     * float.
     */
    private static final float ROUND = 0x1.8p23f;
    private static final int W = SPECIES.length();

    private VectorMath() {
    }

    /** Computes x[i] = e^x[i] for i below n, within 2 ulp; results below 2⁻¹²⁶ within 2⁻¹⁴⁹ or so. */
    static void exp(float[] x, int n) {
        apply(x, n, false);
    }

    /** Computes x[i] = e^x[i] − 1 for i below n, within 3 ulp, for tiny x too. */
    static void expm1(float[] x, int n) {
        apply(x, n, true);
    }

    /** Computes whole vectors in place; a rest that fills none is copied to a padded one and back. */
    private static void apply(float[] x, int n, boolean minusOne) {
        int whole = n / W * W;
        ofVectors(x, whole, minusOne);
        if (whole < n) {
            float[] rest = RowBuffers.ofThread().lanes;
            System.arraycopy(x, whole, rest, 0, n - whole);
            ofVectors(rest, W, minusOne);
            System.arraycopy(rest, 0, x, whole, n - whole);
        }
    }

    private static void ofVectors(float[] x, int n, boolean minusOne) {
        if (minusOne) {
            expm1OfVectors(x, n);
        } else {
            expOfVectors(x, n);
        }
    }

    /**
     * Computes x[i] = gelu_new(x[i]) for i below n: 0.5·x·(1 + tanh u) = x / (1 + e^(−2u)) with u = √(2/π)·(x +
     * 0.044715·x³); within 1e-6 of |x|.
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

    /**
     * Computes x[i] = gelu(x[i]) for i below n: x·Φ(x) = max(x, 0) − |x|·Φ(−|x|), within 1e-6 of |x|. With z = |x|/√2 and
     * t = 1 / (1 + z/2), Φ(−|x|) = erfc(z)/2 and erfc(z) = t·e^(P(t) − z²), where the polynomial P was fitted for z up to
     * 10 with a largest error of 5e-8.
     *
     * @param t working space of at least n
     * @param e more working space of at least n
     */
    static void geluErf(float[] x, float[] t, float[] e, int n) {
        complement(x, t, e, n);
        for (int i = 0; i < n; i++) {
            x[i] = Math.max(x[i], 0) - 0.5f * Math.abs(x[i]) * t[i] * e[i];
        }
    }

    /** Computes t and e so that Φ(−|x[i]|) = t[i]·e[i]/2. */
    private static void complement(float[] x, float[] t, float[] e, int n) {
        for (int i = 0; i < n; i++) {
            float u = 1 / Math.fma(Math.abs(x[i]), 0.35355339f, 1f);
            float p = Math.fma(u, 0.14219491f, -0.66606665f);
            p = Math.fma(p, u, 1.1224092f);
            p = Math.fma(p, u, -0.6512592f);
            p = Math.fma(p, u, -0.11677887f);
            p = Math.fma(p, u, 0.020191535f);
            p = Math.fma(p, u, 0.028358562f);
            p = Math.fma(p, u, 0.38789943f);
            p = Math.fma(p, u, 0.99849254f);
            p = Math.fma(p, u, -1.2654414f);
            t[i] = u;
            e[i] = Math.fma(x[i] * x[i], -0.5f, p);
        }
        exp(e, n);
    }

    /**
     * Computes x[i] = gelu_new′(x[i]) for i below n: with s = 1 / (1 + e^(−2u)), s + 2x·u′·s·(1 − s). Beyond ±10 it is 1
     * and 0 to the last bit.
     *
     * @param e working space of at least n
     */
    static void geluSlope(float[] x, float[] e, int n) {
        float root = (float) Math.sqrt(2 / Math.PI);
        for (int i = 0; i < n; i++) {
            x[i] = Math.clamp(x[i], -10f, 10f);
            e[i] = Math.fma(x[i] * x[i], 0.044715f, 1f) * x[i] * (-2 * root);
        }
        exp(e, n);
        for (int i = 0; i < n; i++) {
            float s = 1 / (1 + e[i]);
            x[i] = s + 2 * root * x[i] * Math.fma(x[i] * x[i], 3 * 0.044715f, 1f) * s * (e[i] * s);
        }
    }

    /**
     * Computes x[i] = gelu′(x[i]) = Φ(x) + x·e^(−x²/2)/√(2π) for i below n. Beyond ±14 it is 1 and 0 to the last bit.
     *
     * @param t working space of at least n
     * @param e more working space of at least n
     */
    static void geluErfSlope(float[] x, float[] t, float[] e, int n) {
        for (int i = 0; i < n; i++) {
            x[i] = Math.clamp(x[i], -14f, 14f);
        }
        complement(x, t, e, n);
        for (int i = 0; i < n; i++) {
            float tail = 0.5f * t[i] * e[i];
            t[i] = x[i] > 0 ? 1 - tail : tail;
            e[i] = x[i] * x[i] * -0.5f;
        }
        exp(e, n);
        for (int i = 0; i < n; i++) {
            x[i] = Math.fma(x[i] * 0.39894228f, e[i], t[i]);
        }
    }

    // No helpers that take or return vectors: where C2 does not inline one, its vectors are boxed.

    private static void expOfVectors(float[] x, int n) {
        for (int i = 0; i < n; i += W) {
            var v = FloatVector.fromArray(SPECIES, x, i).min(89f).max(-105f); // beyond these the result is 0 and ∞ anyway
            var k = v.mul(LOG2_E).add(ROUND).sub(ROUND);
            var r = k.fma(FloatVector.broadcast(SPECIES, -LN2_LOW),
                    k.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), v));
            var p = r.fma(FloatVector.broadcast(SPECIES, 1f / 5040), FloatVector.broadcast(SPECIES, 1f / 720));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 120));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 24));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 6));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 0.5f));
            p = p.mul(r).fma(r, r).add(1f);
            // two factors, as 2ᵏ alone may be out of range where the product is not; the last bits of `half` are an integer
            var half = k.mul(0.5f).add(ROUND);
            var power = half.reinterpretAsInts().add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
            var other = k.sub(half.sub(ROUND)).add(ROUND);
            p.mul(power)
                    .mul(other.reinterpretAsInts().add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats())
                    .intoArray(x, i);
        }
    }

    private static void expm1OfVectors(float[] x, int n) {
        for (int i = 0; i < n; i += W) {
            var v = FloatVector.fromArray(SPECIES, x, i).min(89f).max(-40f);
            var k = v.mul(LOG2_E).add(ROUND).sub(ROUND);
            var r = k.fma(FloatVector.broadcast(SPECIES, -LN2_LOW),
                    k.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), v));
            var p = r.fma(FloatVector.broadcast(SPECIES, 1f / 5040), FloatVector.broadcast(SPECIES, 1f / 720));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 120));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 24));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 6));
            p = p.fma(r, FloatVector.broadcast(SPECIES, 0.5f));
            p = p.mul(r).fma(r, r);
            // half of everything, doubled at the end, as 2¹²⁸ is out of range
            var power = k.sub(1f).add(ROUND).reinterpretAsInts().add(127).lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            p.fma(power, power.sub(0.5f)).mul(2f).intoArray(x, i);
        }
    }
}
