package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.index;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.util.Arrays;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.Tensor;

/** Attention of single heads and queries, an entry each, whose weights are given or asked for. */
final class AttentionPattern {
    private final Tensor weights;
    private final AttentionContext context;
    private final Tensor rows;
    private final Tensor heads;
    private final int queries; // of a sequence
    private final int length;
    private final long prefix;

    AttentionPattern(Tensor weights, AttentionContext context, Tensor rows, Tensor heads, long allQueries) {
        this.weights = weights;
        this.context = context;
        this.rows = rows;
        this.heads = heads;
        queries = (int) (allQueries / context.sequences());
        length = Attention.length(context, queries);
        prefix = context.prefixKeys().rows();
    }

    /** Computes the weights of entries from … to−1. */
    void weights(Tensor q, double divisor, Tensor bias, long from, long to) {
        for (long e = from; e < to; e++) {
            int r = index(rows, e);
            if (r >= 0) {
                weights(q, r, divisor, bias, e);
            }
        }
    }

    private void weights(Tensor q, int r, double divisor, Tensor bias, long e) {
        var ws = CpuMemory.of(weights);
        long size = q.columns() / context.heads();
        long column = 4 * size * index(heads, e);
        int visible = visible(r);
        boolean attends = false;
        for (int j = 0; j < visible; j++) {
            float score = CpuMemory.of(bias).get(F32, row(bias, e) + 4L * j);
            if (score != Float.NEGATIVE_INFINITY) {
                var keys = j < prefix ? context.prefixKeys() : context.keys();
                float dot = Reductions.dot(CpuMemory.of(q), row(q, r) + column, CpuMemory.of(keys),
                        row(keys, key(r, j)) + column, size);
                score += Float.isFinite(dot) ? (float) (dot / divisor) : Float.NaN;
                attends = true;
            }
            ws.set(F32, row(weights, e) + 4L * j, score);
        }
        if (attends) {
            Attention.softmax(ws, row(weights, e), visible, (int) weights.columns(), 1);
        } else {
            ws.asSlice(row(weights, e), 4 * weights.columns()).fill((byte) 0);
        }
    }

    /** Computes the outputs of entries from … to−1. */
    void mix(Tensor out, long from, long to) {
        for (long e = from; e < to; e++) {
            int r = index(rows, e);
            if (r >= 0) {
                mix(out, r, e);
            }
        }
    }

    private void mix(Tensor out, int r, long e) {
        long size = out.columns() / context.heads();
        long column = 4 * size * index(heads, e);
        int visible = visible(r);
        var block = RowBuffers.ofThread();
        float[] mix = block.x, v = block.y;
        for (long at = 0; at < size; at += RowBuffers.SIZE) {
            int n = RowBuffers.count(at, size);
            Arrays.fill(mix, 0, n, 0);
            for (int j = 0; j < visible; j++) {
                var values = j < prefix ? context.prefixValues() : context.values();
                float weight = CpuMemory.of(weights).get(F32, row(weights, e) + 4L * j);
                RowBuffers.load(v, CpuMemory.of(values), row(values, key(r, j)) + column + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    mix[i] = Math.fma(weight, v[i], mix[i]);
                }
            }
            RowBuffers.store(CpuMemory.of(out), row(out, r) + column + 4 * at, mix, n);
        }
    }

    /** Returns the number of keys that row {@code r} attends to. */
    private int visible(int r) {
        return (int) prefix + length + r % queries + 1;
    }

    /** Returns the row of the j-th key that row {@code r} attends to, in the prefix or in its sequence's own. */
    private long key(int r, int j) {
        return j < prefix ? j : r / queries * (context.keys().rows() / context.sequences()) + j - prefix;
    }
}
