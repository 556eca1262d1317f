package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Working arrays of a thread. Rows are processed in blocks that stay in the L1 cache; sums are carried from block to
 * block in double precision, so that their error does not grow with the length of the row.
 */
final class RowBuffers {
    static final int SIZE = 1024;

    private static final ThreadLocal<RowBuffers> BLOCK = ThreadLocal.withInitial(RowBuffers::new);

    final float[] x = new float[SIZE];
    final float[] y = new float[SIZE];
    final float[] z = new float[SIZE];
    final float[] lanes = new float[Layouts.SPECIES.length()];

    private float[] sums = new float[0];
    private float[] left = new float[0];

    /** Returns an array for sums: at least {@code size} elements with undefined contents. */
    float[] sums(int size) {
        return sums.length < size ? sums = new float[size] : sums;
    }

    /** Returns an array for the packed left operand: at least {@code size} elements with undefined contents. */
    float[] left(int size) {
        return left.length < size ? left = new float[size] : left;
    }

    static RowBuffers ofThread() {
        return BLOCK.get();
    }

    /** Returns the number of elements in the block that starts at {@code at} of a row of {@code length}. */
    static int count(long at, long length) {
        return (int) Math.min(SIZE, length - at);
    }

    static void load(float[] to, MemorySegment from, long from0, int n) {
        MemorySegment.copy(from, F32, from0, to, 0, n);
    }

    static void store(MemorySegment to, long to0, float[] from, int n) {
        MemorySegment.copy(from, 0, to, F32, to0, n);
    }

    /** Returns Σ x[i] for i below n, in an order that depends on n and the vector width only. */
    static float sum(float[] x, int n) {
        var lanes = RowBuffers.ofThread().lanes;
        var sums = FloatVector.zero(Layouts.SPECIES);
        int i = 0;
        for (; i <= n - Layouts.SPECIES.length(); i += Layouts.SPECIES.length()) {
            sums = FloatVector.fromArray(Layouts.SPECIES, x, i).add(sums);
        }
        sums.intoArray(lanes, 0);
        float sum = Reductions.lanes(lanes);
        for (; i < n; i++) {
            sum += x[i];
        }
        return sum;
    }

    /** Returns Σ x[i]·y[i] for i below n, in an order that depends on n and the vector width only. */
    static float dot(float[] x, float[] y, int n) {
        var lanes = RowBuffers.ofThread().lanes;
        var sums = FloatVector.zero(Layouts.SPECIES);
        int i = 0;
        for (; i <= n - Layouts.SPECIES.length(); i += Layouts.SPECIES.length()) {
            sums = FloatVector.fromArray(Layouts.SPECIES, x, i).fma(FloatVector.fromArray(Layouts.SPECIES, y, i), sums);
        }
        sums.intoArray(lanes, 0);
        float sum = Reductions.lanes(lanes);
        for (; i < n; i++) {
            sum = Math.fma(x[i], y[i], sum);
        }
        return sum;
    }
}
