package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a few rows with a large matrix, which is read from memory once, in the order in which it lies there. Each
 * element is summed in one fixed order, so the bits of a row do not depend on the rows and columns beside it.
 *
 * <p>For several rows, small blocks of the matrix are first copied to arrays: C2 removes the bounds checks of an array
 * from a loop, but not those of a segment that is read with a stride, and these take longer than the products.
 *
 * <p>Offsets are in bytes, strides in elements. Vector operations are called directly, not through helpers, because C2
 * keeps vectors in registers only where everything is inlined. Methods stay small because C1 bails out of large ones,
 * which then stay interpreted for good.
 */
final class SkinnyGemm {
    /** Rows of a tile: five rows of two vectors and their operands fill the registers that C2 uses well. */
    private static final int TILE = 5;
    private static final int W = SPECIES.length();
    private static final long WB = 4L * W;
    /** Columns of a tile. */
    private static final int PANEL = 2 * W;
    /** Rows of B copied at a time. */
    private static final int DEPTH = 48;
    /** Columns of B copied at a time, in whole panels: the copy stays in the L1 cache. */
    private static final int STRIP = 192;

    private SkinnyGemm() {
    }

    /** Computes columns from … to−1 of C = A·B, or of C += A·B. Shapes: c [m, n], a [m, k], b [k, n]. */
    static void multiply(Operand c, Operand a, Operand b, int from, int to, boolean accumulate) {
        int m = a.rows, k = a.columns;
        if (m == 1) {
            multiplyRow(c, a, b, from, to, accumulate);
            return;
        }
        MemorySegment cs = c.segment, bs = b.segment;
        var block = RowBuffers.ofThread();
        int rows = (m + TILE - 1) / TILE * TILE;
        float[] sums = block.sums(rows * STRIP); // [rows, STRIP]
        float[] left = block.left(rows * k); // [rows / TILE, k, TILE]
        float[] right = block.right(DEPTH * STRIP); // [STRIP / PANEL, DEPTH, PANEL]
        packLeft(left, a);
        for (int j = from; j < to; j += STRIP) {
            int columns = Math.min(STRIP, to - j);
            for (int i = 0; i < m; i++) {
                load(sums, i * STRIP, cs, c.at(i, j), columns, accumulate);
            }
            for (int l = 0; l < k; l += DEPTH) {
                int depth = Math.min(DEPTH, k - l);
                for (int r = 0; r < depth; r++) {
                    packRight(right, r * PANEL, bs, b.at(l + r, j), columns);
                }
                for (int p = 0; p < columns; p += PANEL) {
                    for (int i = 0; i < rows; i += TILE) {
                        tile(sums, i * STRIP + p, left, i * k + l * TILE, right, p * DEPTH, depth);
                    }
                }
            }
            for (int i = 0; i < m; i++) {
                MemorySegment.copy(sums, i * STRIP, cs, F32, c.at(i, j), columns);
            }
        }
    }

    /** Computes these columns for one row: nothing is used twice, so nothing is copied. */
    private static void multiplyRow(Operand c, Operand a, Operand b, int from, int to, boolean accumulate) {
        MemorySegment as = a.segment, bs = b.segment;
        int k = a.columns;
        float[] sums = RowBuffers.ofThread().sums(to - from);
        load(sums, 0, c.segment, c.at(0, from), to - from, accumulate);
        long a0 = a.start, b0 = b.at(0, from), stride = 4 * b.stride;
        int first = Math.min(to - from, lead(bs, b0, b.stride));
        int last = first + (to - from - first) / W * W;
        edge(sums, 0, as, a0, bs, b0, stride, k, first);
        edge(sums, last, as, a0, bs, b0 + 4L * last, stride, k, to - from - last);
        int l = 0;
        for (; l + 8 <= k; l += 8) {
            eight(sums, as, a0 + 4L * l, bs, b0 + l * stride, stride, first, last);
        }
        for (; l < k; l++) {
            one(sums, as.get(F32, a0 + 4L * l), bs, b0 + l * stride, first, last);
        }
        MemorySegment.copy(sums, 0, c.segment, F32, c.at(0, from), to - from);
    }

    /** Computes sums += a·b over {@code k} rows of b, at most one vector wide. */
    private static void edge(float[] sums, int at, MemorySegment a, long a0, MemorySegment b, long b0, long bs, int k,
            int columns) {
        if (columns == 0) {
            return;
        }
        var mask = SPECIES.indexInRange(0, columns);
        var sum = FloatVector.fromArray(SPECIES, sums, at, mask);
        for (int l = 0; l < k; l++) {
            sum = FloatVector.fromMemorySegment(SPECIES, b, b0 + l * bs, LITTLE_ENDIAN, mask)
                    .fma(FloatVector.broadcast(SPECIES, a.get(F32, a0 + 4L * l)), sum);
        }
        sum.intoArray(sums, at, mask);
    }

    /** Computes sums += a·b of one row of b. */
    private static void one(float[] sums, float a, MemorySegment b, long b0, int from, int to) {
        var factor = FloatVector.broadcast(SPECIES, a);
        for (int j = from; j < to; j += W) {
            FloatVector.fromMemorySegment(SPECIES, b, b0 + 4L * j, LITTLE_ENDIAN)
                    .fma(factor, FloatVector.fromArray(SPECIES, sums, j))
                    .intoArray(sums, j);
        }
    }

    /** Computes sums += a·b of eight rows of b, read side by side. Strides in bytes. */
    private static void eight(float[] sums, MemorySegment a, long a0, MemorySegment b, long b0, long bs, int from,
            int to) {
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
            var sum = FloatVector.fromArray(SPECIES, sums, j);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj, LITTLE_ENDIAN).fma(a1, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + bs, LITTLE_ENDIAN).fma(a2, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 2 * bs, LITTLE_ENDIAN).fma(a3, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 3 * bs, LITTLE_ENDIAN).fma(a4, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 4 * bs, LITTLE_ENDIAN).fma(a5, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 5 * bs, LITTLE_ENDIAN).fma(a6, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 6 * bs, LITTLE_ENDIAN).fma(a7, sum);
            sum = FloatVector.fromMemorySegment(SPECIES, b, bj + 7 * bs, LITTLE_ENDIAN).fma(a8, sum);
            sum.intoArray(sums, j);
        }
    }

    /**
     * Returns how many elements after {@code offset} an aligned vector starts; 0 if no such place is common to all
     * rows. A vector that straddles two cache lines is read in two steps, and the tensors of a file start at any
     * address.
     */
    static int lead(MemorySegment b, long offset, long stride) {
        long address = b.address() + offset;
        return address % 4 == 0 && stride % W == 0 ? (int) (-address & WB - 1) / 4 : 0;
    }

    private static void load(float[] sums, int at, MemorySegment c, long c0, int columns, boolean accumulate) {
        if (accumulate) {
            MemorySegment.copy(c, F32, c0, sums, at, columns);
        } else {
            Arrays.fill(sums, at, at + columns, 0);
        }
    }

    private static void packLeft(float[] left, Operand a) {
        var segment = a.segment;
        int k = a.columns;
        for (int i = 0; i < a.rows; i++) {
            int at = i / TILE * TILE * k + i % TILE;
            long row = a.at(i, 0);
            for (int l = 0; l < k; l++) {
                left[at + l * TILE] = segment.get(F32, row + 4L * l);
            }
        }
    }

    /** Copies one row of B, panel by panel. */
    private static void packRight(float[] right, int at, MemorySegment b, long b0, int columns) {
        int j = 0;
        for (; j <= columns - PANEL; j += PANEL, at += DEPTH * PANEL) {
            FloatVector.fromMemorySegment(SPECIES, b, b0 + 4L * j, LITTLE_ENDIAN).intoArray(right, at);
            FloatVector.fromMemorySegment(SPECIES, b, b0 + 4L * j + WB, LITTLE_ENDIAN).intoArray(right, at + W);
        }
        if (j < columns) {
            MemorySegment.copy(b, F32, b0 + 4L * j, right, at, columns - j);
        }
    }

    /** Computes sums += left·right over {@code depth} rows of a panel, for five rows of two vectors. */
    private static void tile(float[] sums, int s0, float[] left, int l0, float[] right, int r0, int depth) {
        int s1 = s0 + STRIP, s2 = s1 + STRIP, s3 = s2 + STRIP, s4 = s3 + STRIP;
        var sum00 = FloatVector.fromArray(SPECIES, sums, s0);
        var sum01 = FloatVector.fromArray(SPECIES, sums, s0 + W);
        var sum10 = FloatVector.fromArray(SPECIES, sums, s1);
        var sum11 = FloatVector.fromArray(SPECIES, sums, s1 + W);
        var sum20 = FloatVector.fromArray(SPECIES, sums, s2);
        var sum21 = FloatVector.fromArray(SPECIES, sums, s2 + W);
        var sum30 = FloatVector.fromArray(SPECIES, sums, s3);
        var sum31 = FloatVector.fromArray(SPECIES, sums, s3 + W);
        var sum40 = FloatVector.fromArray(SPECIES, sums, s4);
        var sum41 = FloatVector.fromArray(SPECIES, sums, s4 + W);
        for (int l = 0; l < depth; l++) {
            var x = FloatVector.fromArray(SPECIES, right, r0 + l * PANEL);
            var y = FloatVector.fromArray(SPECIES, right, r0 + l * PANEL + W);
            var factor = FloatVector.broadcast(SPECIES, left[l0 + l * TILE]);
            sum00 = x.fma(factor, sum00);
            sum01 = y.fma(factor, sum01);
            factor = FloatVector.broadcast(SPECIES, left[l0 + l * TILE + 1]);
            sum10 = x.fma(factor, sum10);
            sum11 = y.fma(factor, sum11);
            factor = FloatVector.broadcast(SPECIES, left[l0 + l * TILE + 2]);
            sum20 = x.fma(factor, sum20);
            sum21 = y.fma(factor, sum21);
            factor = FloatVector.broadcast(SPECIES, left[l0 + l * TILE + 3]);
            sum30 = x.fma(factor, sum30);
            sum31 = y.fma(factor, sum31);
            factor = FloatVector.broadcast(SPECIES, left[l0 + l * TILE + 4]);
            sum40 = x.fma(factor, sum40);
            sum41 = y.fma(factor, sum41);
        }
        sum00.intoArray(sums, s0);
        sum01.intoArray(sums, s0 + W);
        sum10.intoArray(sums, s1);
        sum11.intoArray(sums, s1 + W);
        sum20.intoArray(sums, s2);
        sum21.intoArray(sums, s2 + W);
        sum30.intoArray(sums, s3);
        sum31.intoArray(sums, s3 + W);
        sum40.intoArray(sums, s4);
        sum41.intoArray(sums, s4 + W);
    }

    /** Computes columns from … to−1 of C = A·Bᵀ. Shapes: c [m, n], a [m, k], b [n, k]. */
    static void multiplyTransposed(Operand c, Operand a, Operand b, int from, int to) {
        MemorySegment cs = c.segment, as = a.segment, bs = b.segment;
        int k = a.columns;
        var lanes = RowBuffers.ofThread().lanes;
        int j = from;
        for (; j + 4 <= to; j += 4) {
            for (int i = 0; i < a.rows; i++) {
                fourDots(cs, c.at(i, j), as, a.at(i, 0), bs, b.at(j, 0), 4 * b.stride, k, lanes);
            }
        }
        for (; j < to; j++) {
            for (int i = 0; i < a.rows; i++) {
                cs.set(F32, c.at(i, j), Reductions.dot(as, a.at(i, 0), bs, b.at(j, 0), k));
            }
        }
    }

    /** Computes the products of one row of A with four rows of B, summed as {@link Reductions#dot} does. */
    private static void fourDots(MemorySegment c, long c0, MemorySegment a, long a0, MemorySegment b, long b0, long bs,
            int k,
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
