package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/** Sums over a row of n floats. The order of additions depends on n and the vector width only. */
final class Reductions {
    private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, 8 % SPECIES.length(), 1, true);
    private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, 4 % SPECIES.length(), 1, true);
    private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, 2 % SPECIES.length(), 1, true);
    private static final VectorShuffle<Float> BY_1 = VectorShuffle.iota(SPECIES, 1 % SPECIES.length(), 1, true);

    private Reductions() {
    }

    /**
     * The sum of a vector's lanes, halves first. {@code reduceLanes} leaves the order open, and the compiler takes
     * another than the interpreter: results would change while a program warms up.
     */
    static float lanes(FloatVector v) {
        if (SPECIES.length() > 8) {
            v = v.add(v.rearrange(BY_8));
        }
        if (SPECIES.length() > 4) {
            v = v.add(v.rearrange(BY_4));
        }
        if (SPECIES.length() > 2) {
            v = v.add(v.rearrange(BY_2));
        }
        return v.add(v.rearrange(BY_1)).lane(0);
    }

    static float sum(MemorySegment x, long x0, long n) {
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            sums = sums.add(FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN));
        }
        float sum = lanes(sums);
        for (; i < n; i++) {
            sum += x.get(F32, x0 + 4 * i);
        }
        return sum;
    }

    /** Σ (x − centre)². */
    static float squaredDeviation(MemorySegment x, long x0, long n, float centre) {
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            var deviation = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN).sub(centre);
            sums = deviation.fma(deviation, sums);
        }
        float sum = lanes(sums);
        for (; i < n; i++) {
            float deviation = x.get(F32, x0 + 4 * i) - centre;
            sum = Math.fma(deviation, deviation, sum);
        }
        return sum;
    }

    static float dot(MemorySegment x, long x0, MemorySegment y, long y0, long n) {
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            sums = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN)
                    .fma(FloatVector.fromMemorySegment(SPECIES, y, y0 + 4 * i, LITTLE_ENDIAN), sums);
        }
        float sum = lanes(sums);
        for (; i < n; i++) {
            sum = Math.fma(x.get(F32, x0 + 4 * i), y.get(F32, y0 + 4 * i), sum);
        }
        return sum;
    }
}
