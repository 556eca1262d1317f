package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.index;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Tensor;

/** Statistics of rows of logits: log-sum-exp, entropy, KL divergence, chosen logits and ranks. */
final class Statistics {
    private Statistics() {
    }

    static void measure(LogitStatistics measures, Tensor logits, long from, long to) {
        var x = CpuMemory.of(logits);
        long n = logits.columns();
        var q = measures.kl() == null ? null : Scratch.of(4 * n);
        double mass = measures.kl() == null ? 0 : softmax(q, measures.clean(), n);
        for (long r = from; r < to; r++) {
            long x0 = row(logits, r);
            if (measures.logSumExp() != null) {
                put(measures.logSumExp(), r, logSumExp(x, x0, n));
            }
            if (measures.entropy() != null) {
                put(measures.entropy(), r, entropy(x, x0, n));
            }
            if (measures.kl() != null) {
                put(measures.kl(), r, kl(x, x0, measures.clean(), q, mass, n));
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
        var e = RowBuffers.ofThread().x;
        double sum = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = RowBuffers.count(at, n);
            RowBuffers.load(e, x, x0 + 4 * at, count);
            for (int i = 0; i < count; i++) {
                e[i] -= max;
            }
            VectorMath.exp(e, count);
            sum += RowBuffers.sum(e, count);
        }
        return max + Math.log(sum);
    }

    static float max(MemorySegment x, long x0, long n) {
        var block = RowBuffers.ofThread().x;
        float max = Float.NEGATIVE_INFINITY;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = RowBuffers.count(at, n);
            RowBuffers.load(block, x, x0 + 4 * at, count);
            for (int i = 0; i < count; i++) {
                max = Math.max(max, block[i]);
            }
        }
        return max;
    }

    /** Returns −Σ p·log p = log S − Σ e·(x − max) / S, with e = exp(x − max) and S their sum: errors of e cancel. */
    private static double entropy(MemorySegment x, long x0, long n) {
        float max = max(x, x0, n);
        float[] e = RowBuffers.ofThread().x, difference = RowBuffers.ofThread().y;
        double sum = 0;
        double weighted = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = RowBuffers.count(at, n);
            RowBuffers.load(e, x, x0 + 4 * at, count);
            for (int i = 0; i < count; i++) {
                e[i] -= max;
                difference[i] = e[i];
            }
            VectorMath.exp(e, count);
            for (int i = 0; i < count; i++) {
                difference[i] = e[i] == 0 ? 0 : difference[i]; // 0·log 0 = 0
            }
            sum += RowBuffers.sum(e, count);
            weighted += RowBuffers.dot(e, difference, count);
        }
        return Math.log(sum) - weighted / sum;
    }

    /** Computes q = softmax(clean), the same for all rows; returns the sum of its rounded elements. */
    private static double softmax(MemorySegment q, Tensor clean, long n) {
        var block = RowBuffers.ofThread().x;
        float normaliser = (float) logSumExp(CpuMemory.of(clean), clean.byteOffset(), n);
        double mass = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = RowBuffers.count(at, n);
            RowBuffers.load(block, CpuMemory.of(clean), clean.byteOffset() + 4 * at, count);
            for (int i = 0; i < count; i++) {
                block[i] -= normaliser;
            }
            VectorMath.exp(block, count);
            mass += RowBuffers.sum(block, count);
            RowBuffers.store(q, 4 * at, block, count);
        }
        return mass;
    }

    /** Returns KL(q ‖ p); {@link LogitStatistics} gives the formula and its reason. */
    private static double kl(MemorySegment x, long x0, Tensor clean, MemorySegment softmax, double mass, long n) {
        var block = RowBuffers.ofThread();
        float[] q = block.x, delta = block.y;
        double mean = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = differences(block, x, x0, clean, softmax, 0, at, n);
            mean += RowBuffers.dot(q, delta, count);
        }
        float centre = (float) (mean / mass);
        double excess = 0;
        double rest = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = differences(block, x, x0, clean, softmax, centre, at, n);
            rest += RowBuffers.dot(q, delta, count);
            VectorMath.expm1(delta, count);
            excess += RowBuffers.dot(q, delta, count);
        }
        return Math.log1p(excess / mass) - rest / mass;
    }

    /** Copies a block of q into x and of Δ = logits − clean − centre into y; returns its length. */
    private static int differences(RowBuffers block, MemorySegment x, long x0, Tensor clean, MemorySegment softmax,
            float centre, long at, long n) {
        int count = RowBuffers.count(at, n);
        float[] q = block.x, delta = block.y;
        RowBuffers.load(q, CpuMemory.of(clean), clean.byteOffset() + 4 * at, count);
        RowBuffers.load(delta, x, x0 + 4 * at, count);
        for (int i = 0; i < count; i++) {
            delta[i] = delta[i] - q[i] - centre;
        }
        RowBuffers.load(q, softmax, 4 * at, count);
        return count;
    }

    private static void tokens(LogitStatistics measures, MemorySegment x, long x0, long n, long r) {
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
        var block = RowBuffers.ofThread().x;
        int larger = 0;
        for (long at = 0; at < n; at += RowBuffers.SIZE) {
            int count = RowBuffers.count(at, n);
            RowBuffers.load(block, x, x0 + 4 * at, count);
            for (int i = 0; i < count; i++) {
                larger += block[i] > than ? 1 : 0;
            }
        }
        return larger;
    }

    private static void put(Tensor to, long r, double value) {
        CpuMemory.of(to).set(F32, to.byteOffset() + 4 * r, (float) value);
    }
}
