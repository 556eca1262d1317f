package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.lmdebugger.device.Tensor;

/**
 * A selection of the k largest numbers of a row, largest first, ties to the lower index, NaN above all, in one pass.
 * Once k numbers are kept, most others cost one comparison with the smallest of them.
 */
final class Selection {
    /** Row length from which vector instructions pay: they are slow until they are compiled. */
    private static final long BULK = 1 << 23;
    /** A bit for each lane of a vector. */
    private static final long LANES = -1L >>> Long.SIZE - SPECIES.length();

    private final float[] values;
    private final int[] indices;
    private final float sign; // 1, or −1 to select the smallest
    private final boolean bulk;
    private int count;

    private Selection(int k, float sign, boolean bulk) {
        this.sign = sign;
        this.bulk = bulk;
        values = new float[k];
        indices = new int[k];
    }

    static void topK(Tensor indices, Tensor values, Tensor x, long from, long to) {
        select(1, indices, values, x, from, to);
    }

    static void bottomK(Tensor indices, Tensor values, Tensor x, long from, long to) {
        select(-1, indices, values, x, from, to);
    }

    private static void select(float sign, Tensor indices, Tensor values, Tensor x, long from, long to) {
        var best = new Selection((int) indices.columns(), sign, x.rows() * x.columns() >= BULK);
        var segment = CpuMemory.of(x);
        for (long r = from; r < to; r++) {
            best.select(segment, row(x, r), x.columns());
            best.write(row(indices, r), CpuMemory.of(indices), row(values, r), CpuMemory.of(values));
        }
    }

    static void dominant(Tensor neurons, Tensor coefficients, Tensor scores, Tensor m, Tensor norms, long from,
            long to) {
        var best = new Selection((int) neurons.columns(), 1, false);
        MemorySegment ms = CpuMemory.of(m), ns = CpuMemory.of(norms), cs = CpuMemory.of(coefficients);
        long n = m.columns();
        var score = Scratch.of(4 * n);
        var block = RowBuffers.ofThread();
        float[] x = block.x, y = block.y;
        for (long r = from; r < to; r++) {
            long m0 = row(m, r);
            for (long at = 0; at < n; at += RowBuffers.SIZE) {
                int count = RowBuffers.count(at, n);
                RowBuffers.load(x, ms, m0 + 4 * at, count);
                RowBuffers.load(y, ns, norms.byteOffset() + 4 * at, count);
                for (int i = 0; i < count; i++) {
                    x[i] = Math.abs(x[i]) * y[i];
                }
                RowBuffers.store(score, 4 * at, x, count);
            }
            best.select(score, 0, n);
            best.write(row(neurons, r), CpuMemory.of(neurons), row(scores, r), CpuMemory.of(scores));
            for (int j = 0; j < best.count; j++) {
                cs.set(F32, row(coefficients, r) + 4L * j, ms.get(F32, m0 + 4L * best.indices[j]));
            }
        }
    }

    /** Writes the {@code k} best of a row into arrays of at least that length. */
    static void topK(int[] indices, float[] values, int k, MemorySegment x, long x0, long n) {
        var best = new Selection(k, 1, false);
        best.select(x, x0, n);
        System.arraycopy(best.indices, 0, indices, 0, k);
        System.arraycopy(best.values, 0, values, 0, k);
    }

    private void select(MemorySegment x, long x0, long n) {
        count = 0;
        int k = values.length;
        for (int i = 0; i < k; i++) {
            insert(sign * x.get(F32, x0 + 4L * i), i);
        }
        var block = RowBuffers.ofThread().z; // x and y may hold what is selected from
        for (long at = k; at < n; at += RowBuffers.SIZE) {
            int length = RowBuffers.count(at, n);
            RowBuffers.load(block, x, x0 + 4 * at, length);
            for (int i = 0; i < length; i++) {
                block[i] *= sign;
            }
            for (int i = bulk ? offerVectors(block, length, at) : 0; i < length; i++) {
                // "not at most the smallest" rather than "more than it": lets NaN through
                if (!(block[i] <= values[k - 1])) {
                    offer(block[i], (int) at + i);
                }
            }
        }
    }

    /**
     * Offers the elements of a block that fill whole vectors, the first of index {@code at}; returns how many these
     * are.
     */
    private int offerVectors(float[] block, int length, long at) {
        int k = values.length;
        int i = 0;
        for (; i <= length - SPECIES.length(); i += SPECIES.length()) {
            long rest = FloatVector.fromArray(SPECIES, block, i).compare(VectorOperators.LE, values[k - 1]).toLong()
                    ^ LANES;
            for (; rest != 0; rest &= rest - 1) {
                int lane = i + Long.numberOfTrailingZeros(rest);
                offer(block[lane], (int) at + lane);
            }
        }
        return i;
    }

    private void offer(float value, int index) {
        if (larger(value, values[count - 1])) {
            count--;
            insert(value, index);
        }
    }

    /** Adds a number whose index is higher than those of all kept numbers. */
    private void insert(float value, int index) {
        int at = count++;
        for (; at > 0 && larger(value, values[at - 1]); at--) {
            values[at] = values[at - 1];
            indices[at] = indices[at - 1];
        }
        values[at] = value;
        indices[at] = index;
    }

    /** Compares in numeric order, in which −0 equals +0, with NaN on top. */
    private static boolean larger(float a, float b) {
        return a > b || (a != a && b == b);
    }

    private void write(long indices0, MemorySegment toIndices, long values0, MemorySegment toValues) {
        for (int j = 0; j < count; j++) {
            toIndices.set(I32, indices0 + 4L * j, indices[j]);
            toValues.set(F32, values0 + 4L * j, sign * values[j]);
        }
    }
}
