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
 * <p>Eight rows of the matrix are read side by side, each from one end to the other: so many streams a processor
 * fetches ahead by itself. The sums, which are few, are read and written again for each eight.
 *
 * <p>Offsets are in bytes, strides in elements. Vector operations are called directly, not through helpers, because C2
 * keeps vectors in registers only where everything is inlined. Methods stay small because C1 bails out of large ones,
 * which then stay interpreted for good.
 */
final class SkinnyGemm {
    /** Rows of A that are computed together: with as many sums, a vector of B and a factor they fit the registers. */
    private static final int TILE = 5;
    /** Rows of B that are read side by side. */
    private static final int DEPTH = 8;
    /** Sums at a time: they stay in the L2 cache. */
    private static final int SUMS = 1 << 15;
    private static final int W = SPECIES.length();
    private static final long WB = 4L * W;

    private SkinnyGemm() {
    }

    /** Computes columns from … to−1 of C = A·B, or of C += A·B. Shapes: c [m, n], a [m, k], b [k, n]. */
    static void multiply(Operand c, Operand a, Operand b, int from, int to, boolean accumulate) {
        int m = a.rows, k = a.columns;
        if (m == 1) {
            multiplyRow(c, a, b, from, to, accumulate);
            return;
        }
        int rows = (m + TILE - 1) / TILE * TILE;
        int strip = Math.max(W, SUMS / rows / W * W);
        var block = RowBuffers.ofThread();
        float[] sums = block.sums(rows * strip); // [rows, strip]
        float[] left = block.left(rows * k); // [rows / TILE, k, TILE]
        packLeft(left, a);
        for (int j = from; j < to; j += strip) {
            int columns = Math.min(strip, to - j);
            int last = columns / W * W;
            for (int i = 0; i < m; i++) {
                load(sums, i * strip, c.segment, c.at(i, j), columns, accumulate);
                edge(sums, i * strip + last, a.segment, a.at(i, 0), b.segment, b.at(0, j + last), 4 * b.stride, k,
                        columns - last);
            }
            int l = 0;
            for (; l + DEPTH <= k; l += DEPTH) {
                for (int i = 0; i < rows; i += TILE) {
                    tile(sums, i * strip, strip, left, i * k + l * TILE, b.segment, b.at(l, j), 4 * b.stride, last);
                }
            }
            for (; l < k; l++) {
                for (int i = 0; i < m; i++) {
                    one(sums, i * strip, a.segment.get(F32, a.at(i, l)), b.segment, b.at(l, j), last);
                }
            }
            for (int i = 0; i < m; i++) {
                MemorySegment.copy(sums, i * strip, c.segment, F32, c.at(i, j), columns);
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
            one(sums, first, as.get(F32, a0 + 4L * l), bs, b0 + l * stride + 4L * first, last - first);
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
    private static void one(float[] sums, int at, float a, MemorySegment b, long b0, int columns) {
        var factor = FloatVector.broadcast(SPECIES, a);
        for (int j = 0; j < columns; j += W) {
            FloatVector.fromMemorySegment(SPECIES, b, b0 + 4L * j, LITTLE_ENDIAN)
                    .fma(factor, FloatVector.fromArray(SPECIES, sums, at + j))
                    .intoArray(sums, at + j);
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

    /** Computes sums += left·b for five rows of A and eight of B, whose stride {@code bs} is in bytes. */
    private static void tile(float[] sums, int s0, int stride, float[] left, int l0, MemorySegment b, long b0, long bs,
            int columns) {
        int s1 = s0 + stride, s2 = s1 + stride, s3 = s2 + stride, s4 = s3 + stride;
        for (int j = 0; j < columns; j += W) {
            var sum0 = FloatVector.fromArray(SPECIES, sums, s0 + j);
            var sum1 = FloatVector.fromArray(SPECIES, sums, s1 + j);
            var sum2 = FloatVector.fromArray(SPECIES, sums, s2 + j);
            var sum3 = FloatVector.fromArray(SPECIES, sums, s3 + j);
            var sum4 = FloatVector.fromArray(SPECIES, sums, s4 + j);
            long bj = b0 + 4L * j;
            var x = FloatVector.fromMemorySegment(SPECIES, b, bj, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 1]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 2]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 3]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 4]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 5]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 6]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 7]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 8]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 9]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 2 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 10]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 11]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 12]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 13]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 14]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 3 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 15]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 16]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 17]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 18]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 19]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 4 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 20]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 21]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 22]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 23]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 24]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 5 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 25]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 26]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 27]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 28]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 29]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 6 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 30]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 31]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 32]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 33]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 34]), sum4);
            x = FloatVector.fromMemorySegment(SPECIES, b, bj + 7 * bs, LITTLE_ENDIAN);
            sum0 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 35]), sum0);
            sum1 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 36]), sum1);
            sum2 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 37]), sum2);
            sum3 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 38]), sum3);
            sum4 = x.fma(FloatVector.broadcast(SPECIES, left[l0 + 39]), sum4);
            sum0.intoArray(sums, s0 + j);
            sum1.intoArray(sums, s1 + j);
            sum2.intoArray(sums, s2 + j);
            sum3.intoArray(sums, s3 + j);
            sum4.intoArray(sums, s4 + j);
        }
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
