package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.F64;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.index;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.lmdebugger.device.ColumnStatistics;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.device.Tensor;

/** Sums over rows, and statistics of columns: each number in F64, row after row. Columns are independent. */
final class Columns {
    /** Columns that a worker takes at a time: their statistics stay in its cache. */
    static final int CHUNK = 256;

    private static final VectorSpecies<Double> WIDE = DoubleVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Float> NARROW = VectorSpecies.of(float.class,
            VectorShape.forBitSize(WIDE.vectorBitSize() / 2)); // as many lanes

    private Columns() {
    }

    /** Adds the rows of targets {@code first}, {@code first + step} and so on. */
    static void addRows(Tensor sums, Tensor x, Tensor starts, Tensor rows, int first, int step) {
        for (long t = first; t < sums.rows(); t += step) {
            for (int j = index(starts, t); j < index(starts, t + 1); j++) {
                add(CpuMemory.of(sums), row(sums, t), CpuMemory.of(x), row(x, index(rows, j)), x.columns());
            }
        }
    }

    private static void add(MemorySegment sums, long sums0, MemorySegment x, long x0, long n) {
        long i = 0;
        for (; i <= n - WIDE.length(); i += WIDE.length()) {
            var numbers = FloatVector.fromMemorySegment(NARROW, x, x0 + 4 * i, LITTLE_ENDIAN)
                    .convertShape(VectorOperators.F2D, WIDE, 0);
            DoubleVector.fromMemorySegment(WIDE, sums, sums0 + 8 * i, LITTLE_ENDIAN).add(numbers)
                    .intoMemorySegment(sums, sums0 + 8 * i, LITTLE_ENDIAN);
        }
        for (; i < n; i++) {
            sums.set(F64, sums0 + 8 * i, sums.get(F64, sums0 + 8 * i) + x.get(F32, x0 + 4 * i));
        }
    }

    /** Adds all rows to the statistics of at most {@link #CHUNK} columns. */
    static void accumulate(ColumnStatistics statistics, Tensor x, long from, long to) {
        int n = (int) (to - from);
        var sums = new double[n];
        var squares = new double[n];
        var min = new float[n];
        var max = new float[n];
        var counts = new int[n * Histogram.BINS];
        long sums0 = statistics.sums().byteOffset() + 8 * from;
        long squares0 = statistics.squares().byteOffset() + 8 * from;
        long min0 = statistics.min().byteOffset() + 4 * from;
        long max0 = statistics.max().byteOffset() + 4 * from;
        MemorySegment.copy(CpuMemory.of(statistics.sums()), F64, sums0, sums, 0, n);
        MemorySegment.copy(CpuMemory.of(statistics.squares()), F64, squares0, squares, 0, n);
        RowBuffers.load(min, CpuMemory.of(statistics.min()), min0, n);
        RowBuffers.load(max, CpuMemory.of(statistics.max()), max0, n);
        var row = RowBuffers.ofThread().x;
        for (long r = 0; r < x.rows(); r++) {
            RowBuffers.load(row, CpuMemory.of(x), row(x, r) + 4 * from, n);
            addMoments(row, sums, squares, n);
            bound(row, min, max, n);
            for (int c = 0; c < n; c++) {
                counts[c * Histogram.BINS + Histogram.bin(row[c])]++;
            }
        }
        MemorySegment.copy(sums, 0, CpuMemory.of(statistics.sums()), F64, sums0, n);
        MemorySegment.copy(squares, 0, CpuMemory.of(statistics.squares()), F64, squares0, n);
        RowBuffers.store(CpuMemory.of(statistics.min()), min0, min, n);
        RowBuffers.store(CpuMemory.of(statistics.max()), max0, max, n);
        for (int c = 0; c < n; c++) {
            addCounts(statistics.histograms(), from + c, counts, c * Histogram.BINS);
        }
    }

    private static void addMoments(float[] row, double[] sums, double[] squares, int n) {
        for (int c = 0; c < n; c++) {
            double number = row[c];
            sums[c] += number;
            squares[c] += number * number;
        }
    }

    /** Lowers and raises each column's smallest and largest number to those of a row. */
    static void bound(float[] row, float[] min, float[] max, int n) {
        for (int c = 0; c < n; c++) {
            max[c] = Math.max(max[c], row[c]);
            min[c] = Math.min(min[c], row[c]);
        }
    }

    private static void addCounts(Tensor histograms, long column, int[] counts, int first) {
        var memory = CpuMemory.of(histograms);
        for (int bin = 0; bin < Histogram.BINS; bin++) {
            long at = row(histograms, column) + 4L * bin;
            memory.set(I32, at, memory.get(I32, at) + counts[first + bin]);
        }
    }
}
