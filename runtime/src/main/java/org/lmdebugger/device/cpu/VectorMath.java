package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions of vectors: e^x = 2ⁿ·e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2, and e^r − 1 by its Taylor
 * series to r⁷, whose remainder is below 2⁻²⁷.
 */
final class VectorMath {
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f; // few bits, so that n·LN2_HIGH is exact
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float ROUND = 0x1.8p23f; // adding and subtracting it rounds to an integer

    private VectorMath() {
    }

    /** e^x, within 2 ulp; subnormal results within 2 ulp of the smallest normal number's. */
    static FloatVector exp(FloatVector x) {
        var clamped = x.min(89f).max(-105f); // beyond these the result is ∞ and 0 anyway
        var n = clamped.mul(LOG2_E).add(ROUND).sub(ROUND);
        var half = n.mul(0.5f).add(ROUND).sub(ROUND);
        // two factors, as 2ⁿ alone may be out of range where the product is not
        return expm1OfRest(clamped, n).add(1f).mul(powerOf2(half)).mul(powerOf2(n.sub(half)));
    }

    /** e^x − 1, within 3 ulp, for tiny x too. */
    static FloatVector expm1(FloatVector x) {
        var clamped = x.min(89f).max(-40f);
        var n = clamped.mul(LOG2_E).add(ROUND).sub(ROUND);
        // half of everything, doubled at the end, as 2¹²⁸ is out of range
        var power = powerOf2(n.sub(1f));
        return expm1OfRest(clamped, n).fma(power, power.sub(0.5f)).mul(2f);
    }

    /** gelu_new: 0.5·x·(1 + tanh u) = x / (1 + e^(−2u)) with u = √(2/π)·(x + 0.044715·x³); within 1e-6 of max(|x|, …). */
    static FloatVector gelu(FloatVector x) {
        var minus2u = x.mul(x).mul(0.044715f).add(1f).mul(x).mul((float) (-2 * Math.sqrt(2 / Math.PI)));
        return x.div(exp(minus2u).add(1f));
    }

    private static FloatVector expm1OfRest(FloatVector x, FloatVector n) {
        var r = n.mul(-LN2_HIGH).add(x);
        r = n.mul(-LN2_LOW).add(r);
        var p = FloatVector.broadcast(SPECIES, 1f / 5040);
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 720));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 120));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 24));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1f / 6));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 0.5f));
        return p.mul(r).fma(r, r);
    }

    private static FloatVector powerOf2(FloatVector n) {
        var bits = (IntVector) n.convert(VectorOperators.F2I, 0);
        return bits.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    }
}
