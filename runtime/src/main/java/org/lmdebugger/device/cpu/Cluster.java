package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.row;

import org.lmdebugger.device.Tensor;

/** Merges of clusters in a matrix of similarities. */
final class Cluster {
    private Cluster() {
    }

    /** Does the part of {@link org.lmdebugger.device.Operations#linkClusters} that concerns clusters from … to−1. */
    static void merge(Tensor s, long kept, long dropped, long from, long to) {
        var segment = CpuMemory.of(s);
        var block = RowBuffers.ofThread();
        float[] x = block.x, y = block.y;
        for (long at = from; at < to; at += RowBuffers.SIZE) {
            int n = RowBuffers.count(at, to);
            RowBuffers.load(x, segment, row(s, kept) + 4 * at, n);
            RowBuffers.load(y, segment, row(s, dropped) + 4 * at, n);
            for (int i = 0; i < n; i++) {
                x[i] = Math.min(x[i], y[i]);
            }
            RowBuffers.store(segment, row(s, kept) + 4 * at, x, n);
            for (int i = 0; i < n; i++) {
                if (x[i] != Float.NEGATIVE_INFINITY) {
                    segment.set(F32, row(s, at + i) + 4 * kept, x[i]);
                    segment.set(F32, row(s, at + i) + 4 * dropped, Float.NEGATIVE_INFINITY);
                }
            }
        }
    }
}
