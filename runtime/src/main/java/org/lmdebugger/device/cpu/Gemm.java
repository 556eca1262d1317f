package org.lmdebugger.device.cpu;

import org.lmdebugger.bindings.CpuKernels;
import org.lmdebugger.device.Tensor;

/**
 * Matrix products C = A·B and C = A·Bᵀ, divided among the workers. The division depends on the shape and the number of
 * workers alone, so equal products give equal bits. One object serves product after product, so that none allocates.
 */
final class Gemm implements Workers.Job {
    /** Number of multiplications below which a product takes less time than waking a worker. */
    private static final long MIN_PARALLEL_MULTIPLICATIONS = 1 << 17;
    /** Granularity of the division in columns: three of the widest vectors, so that parts end where tiles do. */
    private static final int GRAIN = 48;

    private final Workers workers;
    private Tensor c;
    private Tensor a;
    private Tensor b;
    private boolean transposed;
    private boolean byRows;
    private int lead; // rows or columns before those that are shared out evenly, part of the first part
    private int share; // rows or columns of a part

    Gemm(Workers workers) {
        this.workers = workers;
    }

    void run(Tensor c, Tensor a, Tensor b, boolean transposed) {
        this.c = c;
        this.a = a;
        this.b = b;
        this.transposed = transposed;
        byRows = !Product.few(c.rows(), transposed) && c.rows() >= c.columns();
        long length = byRows ? c.rows() : c.columns();
        if (length == 0 || c.rows() == 0) {
            return;
        }
        int parts = c.rows() * c.columns() * a.columns() < MIN_PARALLEL_MULTIPLICATIONS ? 1 : workers.threads();
        boolean streamed = c.rows() == 1 && !transposed && CpuKernels.lanes() == 0;
        lead = streamed ? (int) Math.min(length - 1, SkinnyGemm.lead(CpuMemory.of(b), b.byteOffset(), b.stride())) : 0;
        share = (int) ((length - lead + (long) parts * GRAIN - 1) / ((long) parts * GRAIN) * GRAIN);
        workers.run(this, (int) ((length - lead + share - 1) / share));
    }

    @Override
    public void part(int part) {
        int from = part == 0 ? 0 : lead + part * share;
        int to = (int) Math.min(lead + (part + 1L) * share, byRows ? c.rows() : c.columns());
        var product = Product.ofThread();
        product.c.set(c, byRows ? from : 0, byRows ? to - from : c.rows());
        product.a.set(a, byRows ? from : 0, byRows ? to - from : a.rows());
        product.b.set(b, 0, b.rows());
        int firstColumn = byRows ? 0 : from;
        int lastColumn = byRows ? product.c.columns : to;
        if (transposed) {
            product.multiplyTransposed(firstColumn, lastColumn);
        } else {
            product.multiply(firstColumn, lastColumn, false);
        }
    }
}
