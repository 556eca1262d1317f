package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.row;

import org.lmdebugger.device.Tensor;

/** Edits of windows of rows, each by itself. */
final class Edits {
    private Edits() {
    }

    /** Applies entries from … to−1. */
    static void apply(Tensor x, Tensor vectors, Tensor places, Tensor factors, long width, long from, long to) {
        for (long e = from; e < to; e++) {
            int r = place(places, 0, e);
            if (r >= 0) {
                long w0 = row(x, r) + 4L * place(places, 1, e);
                long v0 = row(vectors, place(places, 2, e)) + 4L * place(places, 3, e);
                apply(x, w0, vectors, v0, factors, e, width);
            }
        }
    }

    private static void apply(Tensor x, long w0, Tensor vectors, long v0, Tensor factors, long e, long width) {
        float scale = factor(factors, 0, e);
        float amount = factor(factors, 1, e), norm = factor(factors, 2, e), projection = factor(factors, 3, e);
        boolean added = amount != 0 || norm != 0 || projection != 0;
        if (norm != 0) {
            amount += norm * Reductions.norm(CpuMemory.of(x), w0, width);
        }
        if (projection != 0) {
            amount += projection * Reductions.dot(CpuMemory.of(x), w0, CpuMemory.of(vectors), v0, width);
        }
        var block = RowBuffers.ofThread();
        float[] w = block.x, v = block.y;
        for (long at = 0; at < width; at += RowBuffers.SIZE) {
            int n = RowBuffers.count(at, width);
            RowBuffers.load(w, CpuMemory.of(x), w0 + 4 * at, n);
            for (int i = 0; i < n; i++) {
                w[i] = scale == 0 ? 0 : scale * w[i]; // not 0·w, which may be NaN
            }
            if (added) {
                RowBuffers.load(v, CpuMemory.of(vectors), v0 + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    w[i] = scale == 0 ? amount * v[i] : Math.fma(amount, v[i], w[i]);
                }
            }
            RowBuffers.store(CpuMemory.of(x), w0 + 4 * at, w, n);
        }
    }

    private static int place(Tensor places, long kind, long e) {
        return CpuMemory.of(places).get(I32, row(places, kind) + 4 * e);
    }

    private static float factor(Tensor factors, long kind, long e) {
        return CpuMemory.of(factors).get(F32, row(factors, kind) + 4 * e);
    }
}
