package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Sums over a row of n floats. The order of additions depends on n and the vector width only. */
final class Reductions {
    private Reductions() {
    }

    static float sum(MemorySegment x, long x0, long n) {
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            sum = sum.add(FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask));
        }
        return sum.reduceLanes(VectorOperators.ADD);
    }

    /** Σ (x − centre)². */
    static float squaredDeviation(MemorySegment x, long x0, long n, float centre) {
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            var deviation = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(centre, mask);
            sum = deviation.fma(deviation, sum);
        }
        return sum.reduceLanes(VectorOperators.ADD);
    }

    static float dot(MemorySegment x, long x0, MemorySegment y, long y0, long n) {
        var sum = FloatVector.zero(SPECIES);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            sum = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask)
                    .fma(FloatVector.fromMemorySegment(SPECIES, y, y0 + 4 * i, LITTLE_ENDIAN, mask), sum);
        }
        return sum.reduceLanes(VectorOperators.ADD);
    }
}
