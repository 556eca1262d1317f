package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Sums over a row of n floats. The order of additions depends on n and the vector width only. */
final class Reductions {
    private Reductions() {
    }

    /**
     * Sums the lanes of a vector in a fixed order, by pairwise halves, and overwrites {@code lanes}.
     * {@code reduceLanes} leaves the order open, and C2 and the interpreter choose different ones: results would change
     * while the JVM warms up. The lanes come as an array because a vector that crosses a call may be boxed.
     */
    static float lanes(float[] lanes) {
        for (int half = lanes.length / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                lanes[i] += lanes[i + half];
            }
        }
        return lanes[0];
    }

    static float sum(MemorySegment x, long x0, long n) {
        var lanes = RowBuffers.ofThread().lanes;
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            sums = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN).add(sums);
        }
        sums.intoArray(lanes, 0);
        float sum = lanes(lanes);
        for (; i < n; i++) {
            sum += x.get(F32, x0 + 4 * i);
        }
        return sum;
    }

    /** Returns Σ (x − centre)². */
    static float squaredDeviation(MemorySegment x, long x0, long n, float centre) {
        var lanes = RowBuffers.ofThread().lanes;
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            var deviation = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN).sub(centre);
            sums = deviation.fma(deviation, sums);
        }
        sums.intoArray(lanes, 0);
        float sum = lanes(lanes);
        for (; i < n; i++) {
            float deviation = x.get(F32, x0 + 4 * i) - centre;
            sum = Math.fma(deviation, deviation, sum);
        }
        return sum;
    }

    /** Returns Σ x in double precision: slow, for rows whose sums would overflow. */
    static double wideSum(MemorySegment x, long x0, long n) {
        double sum = 0;
        for (long i = 0; i < n; i++) {
            sum += x.get(F32, x0 + 4 * i);
        }
        return sum;
    }

    /** Returns Σ (x − centre)² in double precision: slow, for rows whose sums would overflow. */
    static double wideSquaredDeviation(MemorySegment x, long x0, long n, double centre) {
        double sum = 0;
        for (long i = 0; i < n; i++) {
            double deviation = x.get(F32, x0 + 4 * i) - centre;
            sum += deviation * deviation;
        }
        return sum;
    }

    /** Returns √Σ x², also where the squares of finite x are none. */
    static float norm(MemorySegment x, long x0, long n) {
        float squares = squaredDeviation(x, x0, n, 0);
        return (float) Math.sqrt(Float.isFinite(squares) ? squares : wideSquaredDeviation(x, x0, n, 0));
    }

    static float dot(MemorySegment x, long x0, MemorySegment y, long y0, long n) {
        var lanes = RowBuffers.ofThread().lanes;
        var sums = FloatVector.zero(SPECIES);
        long i = 0;
        for (; i <= n - SPECIES.length(); i += SPECIES.length()) {
            sums = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN)
                    .fma(FloatVector.fromMemorySegment(SPECIES, y, y0 + 4 * i, LITTLE_ENDIAN), sums);
        }
        sums.intoArray(lanes, 0);
        float sum = lanes(lanes);
        for (; i < n; i++) {
            sum = Math.fma(x.get(F32, x0 + 4 * i), y.get(F32, y0 + 4 * i), sum);
        }
        return sum;
    }
}
