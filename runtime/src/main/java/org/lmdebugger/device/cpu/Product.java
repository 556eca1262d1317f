package org.lmdebugger.device.cpu;

import org.lmdebugger.bindings.OpenBlas;

/**
 * A matrix product that one thread computes: by own kernels for a few rows, by OpenBLAS for more. A thread has one
 * object, whose operands are set before each product, so that none allocates.
 */
final class Product {
    /** Largest number of rows for which the own kernel of A·B is faster than a BLAS, which packs all of B. */
    private static final int FEW_ROWS = 40;
    /** Largest number of rows for which the own kernel of A·Bᵀ is faster. */
    private static final int FEW_ROWS_TRANSPOSED = 14;

    private static final ThreadLocal<Product> OF_THREAD = ThreadLocal.withInitial(Product::new);

    final Operand c = new Operand();
    final Operand a = new Operand();
    final Operand b = new Operand();

    static Product ofThread() {
        return OF_THREAD.get();
    }

    /** Returns whether a product of so many rows is computed by own kernels. */
    static boolean few(long rows, boolean transposed) {
        return rows <= (transposed ? FEW_ROWS_TRANSPOSED : FEW_ROWS);
    }

    /** Computes columns from … to−1 of C = A·B, or of C += A·B. */
    void multiply(int from, int to, boolean accumulate) {
        if (few(c.rows, false)) {
            SkinnyGemm.multiply(c, a, b, from, to, accumulate);
        } else {
            OpenBlas.sgemm(false, c.rows, to - from, a.columns, a.segment, a.start, (int) a.stride,
                    b.segment, b.at(0, from), (int) b.stride, accumulate ? 1 : 0, c.segment, c.at(0, from),
                    (int) c.stride);
        }
    }

    /** Computes columns from … to−1 of C = A·Bᵀ. */
    void multiplyTransposed(int from, int to) {
        if (few(c.rows, true)) {
            SkinnyGemm.multiplyTransposed(c, a, b, from, to);
        } else {
            OpenBlas.sgemm(true, c.rows, to - from, a.columns, a.segment, a.start, (int) a.stride,
                    b.segment, b.at(from, 0), (int) b.stride, 0, c.segment, c.at(0, from), (int) c.stride);
        }
    }
}
