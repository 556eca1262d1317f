package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a few rows with a large matrix, which is read from memory once and in its own order: a BLAS packs it
 * first, and that costs more than the product. Each element is summed in one fixed order, so a row's result is the
 * same, bit for bit, whatever other rows and columns are computed beside it.
 *
 * <p>Offsets are in bytes, strides in elements. The vector operations are called directly rather than through helpers
 * because the compiler keeps vectors in registers only where everything is inlined; and methods are small
 * because the JVM's first compiler gives up on larger ones, which then stay slow for ever.
 */
final class SkinnyGemm {
    /** Rows of a tile; five rows of two vectors, and what feeds them, fill the registers that C2 uses well. */
    private static final int TILE = 5;
    /** Rows of B that are walked along side by side: few enough streams for the hardware to prefetch. */
    private static final int DEPTH = 16;
    private static final int W = SPECIES.length();
    private static final long WB = 4L * W;

    private SkinnyGemm() {
    }

    /** Columns from … to−1 of C = A·B, or of C += A·B. Shapes: c [m, n], a [m, k], b [k, n]. */
    static void multiply(MemorySegment c, long c0, long cs, MemorySegment a, long a0, long as,
                         MemorySegment b, long b0, long bs, int m, int k, int from, int to, boolean accumulate) {
        int first = Math.min(to, from + lead(b, b0 + 4L * from, bs));
        int wide = first + (to - first) / (2 * W) * (2 * W);
        for (int i = 0; i < m && !accumulate; i++) {
            c.asSlice(c0 + 4 * (i * cs + from), 4L * (to - from)).fill((byte) 0);
        }
        var edges = Block.ofThread().edges(3 * m * W); // [3, m, W]: columns before and after those of the tiles
        edges(c, c0, cs, edges, m, from, first, wide, to, false);
        for (int l = 0; l < k; l += DEPTH) {
            int depth = Math.min(DEPTH, k - l);
            long al = a0 + 4L * l;
            long bl = b0 + 4 * l * bs;
            edge(edges, 0, a, al, as, b, bl + 4L * from, bs, m, depth, first - from);
            int i = 0;
            for (; i + TILE <= m; i += TILE) {
                for (int j = first; j < wide; j += 2 * W) {
                    tile(c, c0 + 4 * (i * cs + j), 4 * cs, a, al + 4 * i * as, 4 * as, b, bl + 4L * j, 4 * bs, depth);
                }
            }
            for (; i < m; i++) {
                row(c, c0 + 4 * i * cs, a, al + 4 * i * as, b, bl, 4 * bs, depth, first, wide);
            }
            edge(edges, m * W, a, al, as, b, bl + 4L * wide, bs, m, depth, Math.min(W, to - wide));
            edge(edges, 2 * m * W, a, al, as, b, bl + 4L * (wide + W), bs, m, depth, to - wide - W);
        }
        edges(c, c0, cs, edges, m, from, first, wide, to, true);
    }

    /** Copies the columns that no tile covers to {@code edges}, or {@code back}. */
    private static void edges(MemorySegment c, long c0, long cs, float[] edges, int m, int from, int first, int wide, int to,
                              boolean back) {
        for (int i = 0; i < m; i++) {
            copy(c, c0 + 4 * (i * cs + from), edges, i * W, first - from, back);
            copy(c, c0 + 4 * (i * cs + wide), edges, (m + i) * W, Math.min(W, to - wide), back);
            copy(c, c0 + 4 * (i * cs + wide + W), edges, (2 * m + i) * W, to - wide - W, back);
        }
    }

    private static void copy(MemorySegment c, long c0, float[] edges, int e0, int columns, boolean back) {
        if (columns > 0 && back) {
            MemorySegment.copy(edges, e0, c, F32, c0, columns);
        } else if (columns > 0) {
            MemorySegment.copy(c, F32, c0, edges, e0, columns);
        }
    }

    /**
     * How many elements after {@code offset} an aligned vector starts: a vector that straddles two cache lines is read
     * in two steps, and the tensors of a file start anywhere. 0 where no such place is shared by all rows.
     */
    static int lead(MemorySegment b, long offset, long stride) {
        long address = b.address() + offset;
        return address % 4 == 0 && stride % W == 0 ? (int) (-address & WB - 1) / 4 : 0;
    }

    /** Five rows of two vectors: c += a·b over {@code depth} rows of b. Strides in bytes. */
    private static void tile(MemorySegment c, long c0, long cs, MemorySegment a, long a0, long as,
                             MemorySegment b, long b0, long bs, int depth) {
        var c00 = FloatVector.fromMemorySegment(SPECIES, c, c0, LITTLE_ENDIAN);
        var c01 = FloatVector.fromMemorySegment(SPECIES, c, c0 + WB, LITTLE_ENDIAN);
        var c10 = FloatVector.fromMemorySegment(SPECIES, c, c0 + cs, LITTLE_ENDIAN);
        var c11 = FloatVector.fromMemorySegment(SPECIES, c, c0 + cs + WB, LITTLE_ENDIAN);
        var c20 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 2 * cs, LITTLE_ENDIAN);
        var c21 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 2 * cs + WB, LITTLE_ENDIAN);
        var c30 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 3 * cs, LITTLE_ENDIAN);
        var c31 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 3 * cs + WB, LITTLE_ENDIAN);
        var c40 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 4 * cs, LITTLE_ENDIAN);
        var c41 = FloatVector.fromMemorySegment(SPECIES, c, c0 + 4 * cs + WB, LITTLE_ENDIAN);
        for (int l = 0; l < depth; l++) {
            var left = FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs, LITTLE_ENDIAN);
            var right = FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs + WB, LITTLE_ENDIAN);
            long al = a0 + 4L * l;
            var factor = FloatVector.broadcast(SPECIES, a.get(F32, al));
            c00 = left.fma(factor, c00);
            c01 = right.fma(factor, c01);
            factor = FloatVector.broadcast(SPECIES, a.get(F32, al + as));
            c10 = left.fma(factor, c10);
            c11 = right.fma(factor, c11);
            factor = FloatVector.broadcast(SPECIES, a.get(F32, al + 2 * as));
            c20 = left.fma(factor, c20);
            c21 = right.fma(factor, c21);
            factor = FloatVector.broadcast(SPECIES, a.get(F32, al + 3 * as));
            c30 = left.fma(factor, c30);
            c31 = right.fma(factor, c31);
            factor = FloatVector.broadcast(SPECIES, a.get(F32, al + 4 * as));
            c40 = left.fma(factor, c40);
            c41 = right.fma(factor, c41);
        }
        c00.intoMemorySegment(c, c0, LITTLE_ENDIAN);
        c01.intoMemorySegment(c, c0 + WB, LITTLE_ENDIAN);
        c10.intoMemorySegment(c, c0 + cs, LITTLE_ENDIAN);
        c11.intoMemorySegment(c, c0 + cs + WB, LITTLE_ENDIAN);
        c20.intoMemorySegment(c, c0 + 2 * cs, LITTLE_ENDIAN);
        c21.intoMemorySegment(c, c0 + 2 * cs + WB, LITTLE_ENDIAN);
        c30.intoMemorySegment(c, c0 + 3 * cs, LITTLE_ENDIAN);
        c31.intoMemorySegment(c, c0 + 3 * cs + WB, LITTLE_ENDIAN);
        c40.intoMemorySegment(c, c0 + 4 * cs, LITTLE_ENDIAN);
        c41.intoMemorySegment(c, c0 + 4 * cs + WB, LITTLE_ENDIAN);
    }

    /** One row, columns from … to−1: c += a·b over {@code depth} rows of b, eight at a time. Strides in bytes. */
    private static void row(MemorySegment c, long c0, MemorySegment a, long a0, MemorySegment b, long b0, long bs,
                            int depth, int from, int to) {
        int l = 0;
        for (; l + 8 <= depth; l += 8) {
            eight(c, c0, a, a0 + 4L * l, b, b0 + l * bs, bs, from, to);
        }
        for (; l < depth; l++) {
            var factor = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 4L * l));
            for (int j = from; j < to; j += W) {
                FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs + 4L * j, LITTLE_ENDIAN)
                        .fma(factor, FloatVector.fromMemorySegment(SPECIES, c, c0 + 4L * j, LITTLE_ENDIAN))
                        .intoMemorySegment(c, c0 + 4L * j, LITTLE_ENDIAN);
            }
        }
    }

    /** At most one vector of every row: edges += a·b over {@code depth} rows of b. Strides in elements. */
    private static void edge(float[] edges, int e0, MemorySegment a, long a0, long as, MemorySegment b, long b0, long bs,
                             int m, int depth, int columns) {
        if (columns <= 0) {
            return;
        }
        int i = 0;
        for (; i + TILE <= m; i += TILE) {
            fiveEdges(edges, e0 + i * W, a, a0 + 4 * i * as, 4 * as, b, b0, 4 * bs, depth, columns);
        }
        for (; i < m; i++) {
            oneEdge(edges, e0 + i * W, a, a0 + 4 * i * as, b, b0, 4 * bs, depth, columns);
        }
    }

    private static void fiveEdges(float[] edges, int e0, MemorySegment a, long a0, long as, MemorySegment b, long b0,
                                  long bs, int depth, int columns) {
        var mask = SPECIES.indexInRange(0, columns);
        var sum0 = FloatVector.fromArray(SPECIES, edges, e0);
        var sum1 = FloatVector.fromArray(SPECIES, edges, e0 + W);
        var sum2 = FloatVector.fromArray(SPECIES, edges, e0 + 2 * W);
        var sum3 = FloatVector.fromArray(SPECIES, edges, e0 + 3 * W);
        var sum4 = FloatVector.fromArray(SPECIES, edges, e0 + 4 * W);
        for (int l = 0; l < depth; l++) {
            long al = a0 + 4L * l;
            var columnsOfB = FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs, LITTLE_ENDIAN, mask);
            sum0 = columnsOfB.fma(FloatVector.broadcast(SPECIES, a.get(F32, al)), sum0);
            sum1 = columnsOfB.fma(FloatVector.broadcast(SPECIES, a.get(F32, al + as)), sum1);
            sum2 = columnsOfB.fma(FloatVector.broadcast(SPECIES, a.get(F32, al + 2 * as)), sum2);
            sum3 = columnsOfB.fma(FloatVector.broadcast(SPECIES, a.get(F32, al + 3 * as)), sum3);
            sum4 = columnsOfB.fma(FloatVector.broadcast(SPECIES, a.get(F32, al + 4 * as)), sum4);
        }
        sum0.intoArray(edges, e0);
        sum1.intoArray(edges, e0 + W);
        sum2.intoArray(edges, e0 + 2 * W);
        sum3.intoArray(edges, e0 + 3 * W);
        sum4.intoArray(edges, e0 + 4 * W);
    }

    private static void oneEdge(float[] edges, int e0, MemorySegment a, long a0, MemorySegment b, long b0, long bs,
                                int depth, int columns) {
        var mask = SPECIES.indexInRange(0, columns);
        var sum = FloatVector.fromArray(SPECIES, edges, e0);
        for (int l = 0; l < depth; l++) {
            sum = FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs, LITTLE_ENDIAN, mask)
                    .fma(FloatVector.broadcast(SPECIES, a.get(F32, a0 + 4L * l)), sum);
        }
        sum.intoArray(edges, e0);
    }

    private static void eight(MemorySegment c, long c0, MemorySegment a, long a0, MemorySegment b, long b0, long bs,
                              int from, int to) {
        var a1 = FloatVector.broadcast(SPECIES, a.get(F32, a0));
        var a2 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 4));
        var a3 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 8));
        var a4 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 12));
        var a5 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 16));
        var a6 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 20));
        var a7 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 24));
        var a8 = FloatVector.broadcast(SPECIES, a.get(F32, a0 + 28));
        for (int j = from; j < to; j += W) {
            long bj = b0 + 4L * j;
            var sum = FloatVector.fromMemorySegment(SPECIES, c, c0 + 4L * j, LITTLE_ENDIAN);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj, LITTLE_ENDIAN).fma(a1, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + bs, LITTLE_ENDIAN).fma(a2, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 2 * bs, LITTLE_ENDIAN).fma(a3, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 3 * bs, LITTLE_ENDIAN).fma(a4, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 4 * bs, LITTLE_ENDIAN).fma(a5, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 5 * bs, LITTLE_ENDIAN).fma(a6, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 6 * bs, LITTLE_ENDIAN).fma(a7, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 7 * bs, LITTLE_ENDIAN).fma(a8, sum);
            sum.intoMemorySegment(c, c0 + 4L * j, LITTLE_ENDIAN);
        }
    }

    /** Columns from … to−1 of C = A·Bᵀ. Shapes: c [m, n], a [m, k], b [n, k]. */
    static void multiplyTransposed(MemorySegment c, long c0, long cs, MemorySegment a, long a0, long as,
                                   MemorySegment b, long b0, long bs, int m, int k, int from, int to) {
        var lanes = Block.ofThread().lanes;
        int j = from;
        for (; j + 4 <= to; j += 4) {
            for (int i = 0; i < m; i++) {
                fourDots(c, c0 + 4 * (i * cs + j), a, a0 + 4 * i * as, b, b0 + 4 * j * bs, 4 * bs, k, lanes);
            }
        }
        for (; j < to; j++) {
            for (int i = 0; i < m; i++) {
                c.set(F32, c0 + 4 * (i * cs + j), Reductions.dot(a, a0 + 4 * i * as, b, b0 + 4 * j * bs, k));
            }
        }
    }

    /** The products of one row of A with four rows of B, summed as {@link Reductions#dot} does. */
    private static void fourDots(MemorySegment c, long c0, MemorySegment a, long a0, MemorySegment b, long b0, long bs, int k,
                                 float[] lanes) {
        var sum1 = FloatVector.zero(SPECIES);
        var sum2 = FloatVector.zero(SPECIES);
        var sum3 = FloatVector.zero(SPECIES);
        var sum4 = FloatVector.zero(SPECIES);
        for (int l = 0; l <= k - W; l += W) {
            var x = FloatVector.fromMemorySegment(SPECIES, a, a0 + 4L * l, LITTLE_ENDIAN);
            sum1 = x.fma(FloatVector.fromMemorySegment(SPECIES, b, b0 + 4L * l, LITTLE_ENDIAN), sum1);
            sum2 = x.fma(FloatVector.fromMemorySegment(SPECIES, b, b0 + bs + 4L * l, LITTLE_ENDIAN), sum2);
            sum3 = x.fma(FloatVector.fromMemorySegment(SPECIES, b, b0 + 2 * bs + 4L * l, LITTLE_ENDIAN), sum3);
            sum4 = x.fma(FloatVector.fromMemorySegment(SPECIES, b, b0 + 3 * bs + 4L * l, LITTLE_ENDIAN), sum4);
        }
        sum1.intoArray(lanes, 0);
        c.set(F32, c0, rest(Reductions.lanes(lanes), a, a0, b, b0, k));
        sum2.intoArray(lanes, 0);
        c.set(F32, c0 + 4, rest(Reductions.lanes(lanes), a, a0, b, b0 + bs, k));
        sum3.intoArray(lanes, 0);
        c.set(F32, c0 + 8, rest(Reductions.lanes(lanes), a, a0, b, b0 + 2 * bs, k));
        sum4.intoArray(lanes, 0);
        c.set(F32, c0 + 12, rest(Reductions.lanes(lanes), a, a0, b, b0 + 3 * bs, k));
    }

    /** Adds the last products, which do not fill a vector. */
    private static float rest(float sum, MemorySegment a, long a0, MemorySegment b, long b0, int k) {
        for (int l = k / W * W; l < k; l++) {
            sum = Math.fma(a.get(F32, a0 + 4L * l), b.get(F32, b0 + 4L * l), sum);
        }
        return sum;
    }
}
