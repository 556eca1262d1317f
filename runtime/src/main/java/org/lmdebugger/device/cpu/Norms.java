package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.Tensor;

/**
 * LayerNorm, norms of rows, and the direction that a logit reads through LayerNorm. The sums of a row are computed again
 * in double precision if they overflow in single precision.
 */
final class Norms {
    private Norms() {
    }

    static void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon, long from, long to) {
        var block = RowBuffers.ofThread();
        float[] v = block.x, g = block.y, b = block.z;
        for (long r = from; r < to; r++) {
            float mean = Reductions.sum(CpuMemory.of(x), row(x, r), x.columns()) / x.columns();
            float variance = variance(x, r, mean);
            if (!Float.isFinite(variance)) {
                wideLayerNorm(y, x, gain, bias, epsilon, r);
                continue;
            }
            float scale = (float) (1 / Math.sqrt(variance + epsilon));
            for (long at = 0; at < x.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, x.columns());
                RowBuffers.load(v, CpuMemory.of(x), row(x, r) + 4 * at, n);
                RowBuffers.load(g, CpuMemory.of(gain), gain.byteOffset() + 4 * at, n);
                RowBuffers.load(b, CpuMemory.of(bias), bias.byteOffset() + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    v[i] = Math.fma((v[i] - mean) * scale, g[i], b[i]);
                }
                RowBuffers.store(CpuMemory.of(y), row(y, r) + 4 * at, v, n);
            }
        }
    }

    private static float variance(Tensor x, long r, float mean) {
        return Reductions.squaredDeviation(CpuMemory.of(x), row(x, r), x.columns(), mean) / x.columns();
    }

    /** Normalises a row whose squares overflow in single precision. */
    private static void wideLayerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon, long r) {
        double mean = Reductions.wideSum(CpuMemory.of(x), row(x, r), x.columns()) / x.columns();
        double scale = wideInverseDeviation(x, r, mean, epsilon);
        for (long i = 0; i < x.columns(); i++) {
            double normalised = (CpuMemory.of(x).get(F32, row(x, r) + 4 * i) - mean) * scale;
            float g = CpuMemory.of(gain).get(F32, gain.byteOffset() + 4 * i);
            float b = CpuMemory.of(bias).get(F32, bias.byteOffset() + 4 * i);
            CpuMemory.of(y).set(F32, row(y, r) + 4 * i, (float) (normalised * g + b));
        }
    }

    /** Computes the gradient by x from that by the normalised rows, in place; the formula is the interface's. */
    static void layerNormBackward(Tensor dy, Tensor x, Tensor gain, float epsilon, long from, long to) {
        MemorySegment ys = CpuMemory.of(dy), xs = CpuMemory.of(x), gs = CpuMemory.of(gain);
        long d = x.columns();
        for (long r = from; r < to; r++) {
            double mean = Reductions.wideSum(xs, row(x, r), d) / d;
            double scale = wideInverseDeviation(x, r, mean, epsilon);
            double sum = 0;
            double along = 0;
            for (long i = 0; i < d; i++) {
                double g = ys.get(F32, row(dy, r) + 4 * i) * (double) gs.get(F32, gain.byteOffset() + 4 * i);
                sum += g;
                along += g * (xs.get(F32, row(x, r) + 4 * i) - mean) * scale;
            }
            for (long i = 0; i < d; i++) {
                double g = ys.get(F32, row(dy, r) + 4 * i) * (double) gs.get(F32, gain.byteOffset() + 4 * i);
                double normalised = (xs.get(F32, row(x, r) + 4 * i) - mean) * scale;
                ys.set(F32, row(dy, r) + 4 * i, (float) ((g - sum / d - normalised * (along / d)) * scale));
            }
        }
    }

    private static double wideInverseDeviation(Tensor x, long r, double mean, float epsilon) {
        return 1 / Math.sqrt(
                Reductions.wideSquaredDeviation(CpuMemory.of(x), row(x, r), x.columns(), mean) / x.columns() + epsilon);
    }

    static void rowNorms(Tensor norms, Tensor x, long from, long to) {
        MemorySegment ns = CpuMemory.of(norms), xs = CpuMemory.of(x);
        for (long r = from; r < to; r++) {
            ns.set(F32, element(norms, r), Reductions.norm(xs, row(x, r), x.columns()));
        }
    }

    static void biasNorms(Tensor norms, Tensor x, Tensor bias, long from, long to) {
        var block = RowBuffers.ofThread();
        float[] v = block.x, b = block.y;
        for (long r = from; r < to; r++) {
            double square = 0;
            for (long at = 0; at < x.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, x.columns());
                RowBuffers.load(v, CpuMemory.of(x), row(x, r) + 4 * at, n);
                RowBuffers.load(b, CpuMemory.of(bias), bias.byteOffset() + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    double number = (double) v[i] + b[i];
                    square += number * number;
                }
            }
            CpuMemory.of(norms).set(F32, element(norms, r), (float) Math.sqrt(square));
        }
    }

    /** Returns where element {@code i} of a vector lies, which is a row or a column. */
    private static long element(Tensor vector, long i) {
        return vector.columns() == 1 ? row(vector, i) : vector.byteOffset() + 4 * i;
    }

    static void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens, float epsilon) {
        var block = RowBuffers.ofThread();
        float[] g = block.x, w = block.y;
        long d = x.columns();
        for (long r = 0; r < x.rows(); r++) {
            float mean = Reductions.sum(CpuMemory.of(x), row(x, r), d) / d;
            float variance = variance(x, r, mean);
            float scale = (float) (Float.isFinite(variance) ? 1 / Math.sqrt(variance + epsilon)
                    : wideInverseDeviation(x, r, Reductions.wideSum(CpuMemory.of(x), row(x, r), d) / d, epsilon));
            for (long at = 0; at < d; at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, d);
                RowBuffers.load(g, CpuMemory.of(gain), gain.byteOffset() + 4 * at, n);
                RowBuffers.load(w, CpuMemory.of(head), row(head, Layouts.index(tokens, r)) + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    g[i] *= w[i] * scale;
                }
                RowBuffers.store(CpuMemory.of(reader), row(reader, r) + 4 * at, g, n);
            }
            float centre = Reductions.sum(CpuMemory.of(reader), row(reader, r), d) / d;
            for (long at = 0; at < d; at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, d);
                RowBuffers.load(g, CpuMemory.of(reader), row(reader, r) + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    g[i] -= centre;
                }
                RowBuffers.store(CpuMemory.of(reader), row(reader, r) + 4 * at, g, n);
            }
        }
    }
}
