package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;
import static org.lmdebugger.device.cpu.Layouts.index;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.lmdebugger.device.Measures;
import org.lmdebugger.device.Tensor;

/**
 * Measures of rows of logits. Sums over the vocabulary are carried in double precision from one block of
 * {@value #BLOCK} logits to the next, so that their error does not grow with the vocabulary.
 */
final class Measuring {
    private static final int BLOCK = 1024;

    private Measuring() {
    }

    static void measure(Measures measures, Tensor logits, long from, long to) {
        var x = CpuMemory.of(logits);
        long n = logits.columns();
        for (long r = from; r < to; r++) {
            long x0 = row(logits, r);
            if (measures.logSumExp() != null || measures.entropy() != null) {
                double logSumExp = logSumExp(x, x0, n);
                put(measures.logSumExp(), r, logSumExp);
                if (measures.entropy() != null) {
                    put(measures.entropy(), r, entropy(x, x0, n, logSumExp));
                }
            }
            if (measures.kl() != null) {
                put(measures.kl(), r, kl(x, x0, measures.clean(), n));
            }
            if (measures.tokens() != null) {
                tokens(measures, x, x0, n, r);
            }
        }
    }

    static double logSumExp(MemorySegment x, long x0, long n) {
        float max = max(x, x0, n);
        if (Float.isInfinite(max)) {
            return max;
        }
        double sum = 0;
        for (long block = 0; block < n; block += BLOCK) {
            long end = Math.min(n, block + BLOCK);
            var part = FloatVector.zero(SPECIES);
            for (long i = block; i < end; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, end);
                var e = VectorMath.exp(FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(max));
                part = part.add(e, mask);
            }
            sum += Reductions.lanes(part);
        }
        return max + Math.log(sum);
    }

    static float max(MemorySegment x, long x0, long n) {
        var max = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            max = max.lanewise(VectorOperators.MAX, FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask), mask);
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    /** −Σ p·log p with log p = x − logSumExp. */
    private static double entropy(MemorySegment x, long x0, long n, double logSumExp) {
        double sum = 0;
        float normaliser = (float) logSumExp;
        for (long block = 0; block < n; block += BLOCK) {
            long end = Math.min(n, block + BLOCK);
            var part = FloatVector.zero(SPECIES);
            for (long i = block; i < end; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, end);
                var logP = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(normaliser);
                var p = VectorMath.exp(logP);
                part = part.add(p.mul(logP), mask.and(p.compare(VectorOperators.NE, 0))); // 0·log 0 = 0
            }
            sum += Reductions.lanes(part);
        }
        return -sum;
    }

    /** See {@link Measures} for the formula and why it is used. */
    private static double kl(MemorySegment x, long x0, Tensor clean, long n) {
        var q = CpuMemory.of(clean);
        long q0 = clean.byteOffset();
        float normaliser = (float) logSumExp(q, q0, n);
        double mass = 0;
        double mean = 0;
        for (long block = 0; block < n; block += BLOCK) {
            long end = Math.min(n, block + BLOCK);
            var masses = FloatVector.zero(SPECIES);
            var means = FloatVector.zero(SPECIES);
            for (long i = block; i < end; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, end);
                var l = FloatVector.fromMemorySegment(SPECIES, q, q0 + 4 * i, LITTLE_ENDIAN, mask);
                var p = VectorMath.exp(l.sub(normaliser));
                var delta = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(l);
                masses = masses.add(p, mask);
                means = means.add(p.mul(delta), mask);
            }
            mass += Reductions.lanes(masses);
            mean += Reductions.lanes(means);
        }
        float centre = (float) (mean / mass);
        double excess = 0;
        double rest = 0;
        for (long block = 0; block < n; block += BLOCK) {
            long end = Math.min(n, block + BLOCK);
            var excesses = FloatVector.zero(SPECIES);
            var rests = FloatVector.zero(SPECIES);
            for (long i = block; i < end; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, end);
                var l = FloatVector.fromMemorySegment(SPECIES, q, q0 + 4 * i, LITTLE_ENDIAN, mask);
                var p = VectorMath.exp(l.sub(normaliser));
                var delta = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask).sub(l).sub(centre);
                excesses = excesses.add(p.mul(VectorMath.expm1(delta)), mask);
                rests = rests.add(p.mul(delta), mask);
            }
            excess += Reductions.lanes(excesses);
            rest += Reductions.lanes(rests);
        }
        return Math.log1p(excess / mass) - rest / mass;
    }

    private static void tokens(Measures measures, MemorySegment x, long x0, long n, long r) {
        for (long c = 0; c < measures.tokens().columns(); c++) {
            float logit = x.get(F32, x0 + 4L * index(measures.tokens(), c));
            if (measures.chosen() != null) {
                CpuMemory.of(measures.chosen()).set(F32, row(measures.chosen(), r) + 4 * c, logit);
            }
            if (measures.ranks() != null) {
                CpuMemory.of(measures.ranks()).set(I32, row(measures.ranks(), r) + 4 * c, larger(x, x0, n, logit));
            }
        }
    }

    private static int larger(MemorySegment x, long x0, long n, float than) {
        int count = 0;
        for (long i = 0; i < n; i += SPECIES.length()) {
            var mask = SPECIES.indexInRange(i, n);
            var values = FloatVector.fromMemorySegment(SPECIES, x, x0 + 4 * i, LITTLE_ENDIAN, mask);
            count += values.compare(VectorOperators.GT, than, mask).trueCount();
        }
        return count;
    }

    private static void put(Tensor to, long r, double value) {
        if (to != null) {
            CpuMemory.of(to).set(F32, to.byteOffset() + 4 * r, (float) value);
        }
    }
}
