package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
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
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            sum = sum.add(FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask));
        }
        return lanes(sum);
    }

    /** Σ (x − centre)². */
    static float squaredDeviation(MemorySegment x, long x0, long n, float centre) {
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            var deviation = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(centre, mask);
            sum = deviation.fma(deviation, sum);
        }
        return lanes(sum);
    }

    static float dot(MemorySegment x, long x0, MemorySegment y, long y0, long n) {
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            sum = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask)
                    .fma(FloatVector.fromMemorySegment(SPECIES, y, y0 + 4 * i, LITTLE_ENDIAN, mask), sum);
        }
        return lanes(sum);
    }
}
