package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.index;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.Tensor;

/**
 * Attention (Vaswani et al., 2017), divided into parts of one head and one block of queries. A part computes the scores
 * of its block by two products, with the shared prefix and with each sequence's own keys; then the softmax of each row
 * over the positions that it may attend to; then two products with the values.
 */
final class Attention implements Workers.Job {
    /** Number of queries in a block, small enough that its scores stay in a core's cache. */
    private static final int BLOCK = 64;
    private static final long MIN_PARALLEL_MULTIPLICATIONS = 1 << 16;

    private final Workers workers;
    private Tensor out;
    private Tensor queries;
    private AttentionContext context;
    private float scale; // of scores
    private int perSequence; // queries of a sequence
    private int blocksPerSequence; // of a long one
    private int sequencesPerBlock; // of short ones
    private int length;
    private int prefix;
    private int size; // of a head
    private long width; // of a row of scores

    Attention(Workers workers) {
        this.workers = workers;
    }

    void run(Tensor out, Tensor queries, AttentionContext context, double divisor) {
        this.out = out;
        this.queries = queries;
        this.context = context;
        scale = (float) (1 / divisor);
        perSequence = (int) (out.rows() / context.sequences());
        length = length(context, perSequence);
        prefix = (int) context.prefixKeys().rows();
        size = (int) (out.columns() / context.heads());
        width = prefix + length + perSequence;
        if (out.rows() == 0) {
            return;
        }
        blocksPerSequence = (perSequence + BLOCK - 1) / BLOCK;
        sequencesPerBlock = Math.max(1, BLOCK / perSequence);
        int blocks = (context.sequences() + sequencesPerBlock - 1) / sequencesPerBlock * blocksPerSequence;
        int parts = blocks * context.heads();
        if (out.rows() * width * out.columns() < MIN_PARALLEL_MULTIPLICATIONS) {
            for (int part = 0; part < parts; part++) {
                part(part);
            }
        } else {
            workers.run(this, parts);
        }
    }

    /** Returns how many own positions come before the first of {@code queries} queries of a sequence. */
    static int length(AttentionContext context, int queries) {
        int length = index(context.length(), 0);
        long capacity = context.keys().rows() / context.sequences();
        if (length < 0 || length + queries > capacity) {
            throw new IllegalArgumentException("length: %d (expected: 0 to %d)".formatted(length, capacity - queries));
        }
        return length;
    }

    @Override
    public void part(int part) {
        int head = part % context.heads();
        int block = part / context.heads();
        int firstSequence = block / blocksPerSequence * sequencesPerBlock;
        int lastSequence = Math.min(context.sequences(), firstSequence + sequencesPerBlock) - 1;
        int firstQuery = block % blocksPerSequence * BLOCK;
        int count = Math.min(BLOCK, perSequence - firstQuery); // queries of each sequence
        if (sequencesPerBlock > 1) {
            count = perSequence;
        }
        int rows = (lastSequence - firstSequence + 1) * count;
        long firstRow = (long) firstSequence * perSequence + firstQuery;

        var scores = Scratch.of(4L * rows * width);
        if (prefix > 0) {
            scores(scores, 0, firstRow, rows, context.prefixKeys(), 0, 0, prefix, head);
        }
        int own = length + firstQuery + count; // keys of its own that the last query of a sequence sees
        for (int s = firstSequence; s <= lastSequence; s++) {
            scores(scores, (long) (s - firstSequence) * count, (long) s * perSequence + firstQuery, count,
                    context.keys(), (long) s * capacity(), prefix, own, head);
        }
        for (int r = 0; r < rows; r++) {
            int visible = prefix + length + firstQuery + r % count + 1;
            softmax(scores, 4 * r * width, visible, prefix + own, scale);
        }
        if (prefix > 0) {
            mix(scores, 0, firstRow, rows, context.prefixValues(), 0, 0, prefix, head, false);
        }
        for (int s = firstSequence; s <= lastSequence; s++) {
            mix(scores, (long) (s - firstSequence) * count, (long) s * perSequence + firstQuery, count,
                    context.values(), (long) s * capacity(), prefix, own, head, prefix > 0);
        }
    }

    private long capacity() {
        return context.keys().rows() / context.sequences();
    }

    /** Computes scores[firstScore …, at …] = queries[firstRow …]·keys[firstKey …]ᵀ, one head. */
    private void scores(MemorySegment scores, long firstScore, long firstRow, int rows, Tensor keys, long firstKey,
            int at, int count, int head) {
        var product = Product.ofThread();
        product.c.set(scores, 4 * (firstScore * width + at), rows, count, width);
        product.a.set(queries, firstRow, rows, head * size, size);
        product.b.set(keys, firstKey, count, head * size, size);
        product.multiplyTransposed(0, count);
    }

    /** Computes out[firstRow …] (+)= scores[firstScore …, at …]·values[firstValue …], one head. */
    private void mix(MemorySegment scores, long firstScore, long firstRow, int rows, Tensor values, long firstValue,
            int at, int count, int head, boolean accumulate) {
        var product = Product.ofThread();
        product.c.set(out, firstRow, rows, head * size, size);
        product.a.set(scores, 4 * (firstScore * width + at), rows, count, width);
        product.b.set(values, firstValue, count, head * size, size);
        product.multiply(0, size, accumulate);
    }

    /** Replaces rows from … to−1 of dp by scale·p ⊙ (dp − Σ p ⊙ dp). */
    static void softmaxBackward(Tensor dp, Tensor p, float scale, long from, long to) {
        MemorySegment ds = CpuMemory.of(dp), ps = CpuMemory.of(p);
        for (long r = from; r < to; r++) {
            long d0 = Layouts.row(dp, r), p0 = Layouts.row(p, r);
            float mean = Reductions.dot(ps, p0, ds, d0, p.columns());
            for (long i = 0; i < p.columns(); i++) {
                float difference = ds.get(Layouts.F32, d0 + 4 * i) - mean;
                ds.set(Layouts.F32, d0 + 4 * i, scale * ps.get(Layouts.F32, p0 + 4 * i) * difference);
            }
        }
    }

    /**
     * Replaces x by softmax(scale·x) over the first {@code visible} elements, and sets the rest up to {@code count} to
     * 0.
     */
    static void softmax(MemorySegment x, long x0, int visible, int count, float scale) {
        float max = Statistics.max(x, x0, visible) * scale;
        var e = RowBuffers.ofThread().x;
        float sum = 0;
        for (int at = 0; at < visible; at += RowBuffers.SIZE) {
            int n = RowBuffers.count(at, visible);
            RowBuffers.load(e, x, x0 + 4L * at, n);
            for (int i = 0; i < n; i++) {
                e[i] = Math.fma(e[i], scale, -max);
            }
            VectorMath.exp(e, n);
            sum += RowBuffers.sum(e, n);
            RowBuffers.store(x, x0 + 4L * at, e, n);
        }
        float factor = 1 / sum;
        for (int i = 0; i < visible; i++) {
            x.set(Layouts.F32, x0 + 4L * i, x.get(Layouts.F32, x0 + 4L * i) * factor);
        }
        for (int i = visible; i < count; i++) {
            x.set(Layouts.F32, x0 + 4L * i, 0);
        }
    }
}
