package org.lmdebugger.device.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.CpuKernels;
import org.lmdebugger.bindings.OpenBlas;

/**
 * A matrix product that one thread computes: by {@link CpuKernels} where there are any; elsewhere by the JDK's vectors
 * for a few rows and by OpenBLAS for more. A thread has one object, whose operands are set before each product, so that
 * none allocates.
 */
final class Product {
    /** Largest number of rows for which the JDK's vectors are faster at A·B than OpenBLAS, which packs all of B. */
    private static final int FEW_ROWS = 40;
    /** Largest number of rows for which they are faster at A·Bᵀ. */
    private static final int FEW_ROWS_TRANSPOSED = 14;

    private static final ThreadLocal<Product> OF_THREAD = ThreadLocal
            .withInitial(() -> new Product(CpuKernels.lanes()));

    final Operand c = new Operand();
    final Operand a = new Operand();
    final Operand b = new Operand();
    private final int lanes;
    private final MemorySegment scratch;

    /** @param lanes floats in the vectors of the native kernels; 0: without these */
    Product(int lanes) {
        this.lanes = lanes;
        scratch = lanes == 0 ? MemorySegment.NULL : Arena.ofAuto().allocate(CpuKernels.scratch(), 64);
    }

    static Product ofThread() {
        return OF_THREAD.get();
    }

    /** Returns whether a product of so many rows is divided by columns, whatever its shape. */
    static boolean few(long rows, boolean transposed) {
        return rows <= (transposed ? FEW_ROWS_TRANSPOSED : FEW_ROWS);
    }

    /** Computes columns from … to−1 of C = A·B, or of C += A·B. */
    void multiply(int from, int to, boolean accumulate) {
        if (lanes > 0) {
            kernel(false, b.at(0, from), from, to, accumulate);
        } else if (few(c.rows, false)) {
            SkinnyGemm.multiply(c, a, b, from, to, accumulate);
        } else {
            OpenBlas.sgemm(false, c.rows, to - from, a.columns, a.segment, a.start, (int) a.stride,
                    b.segment, b.at(0, from), (int) b.stride, accumulate ? 1 : 0, c.segment, c.at(0, from),
                    (int) c.stride);
        }
    }

    /** Computes columns from … to−1 of C = A·Bᵀ. */
    void multiplyTransposed(int from, int to) {
        if (lanes > 0) {
            kernel(true, b.at(from, 0), from, to, false);
        } else if (few(c.rows, true)) {
            SkinnyGemm.multiplyTransposed(c, a, b, from, to);
        } else {
            OpenBlas.sgemm(true, c.rows, to - from, a.columns, a.segment, a.start, (int) a.stride,
                    b.segment, b.at(from, 0), (int) b.stride, 0, c.segment, c.at(0, from), (int) c.stride);
        }
    }

    private void kernel(boolean transposed, long bStart, int from, int to, boolean accumulate) {
        CpuKernels.sgemm(transposed, c.rows, to - from, a.columns, a.segment, a.start, a.stride, b.segment, bStart,
                b.stride, accumulate, c.segment, c.at(0, from), c.stride, lanes, scratch);
    }
}
