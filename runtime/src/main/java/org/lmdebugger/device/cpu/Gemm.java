package org.lmdebugger.device.cpu;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.OpenBlas;
import org.lmdebugger.device.Tensor;

/**
 * Matrix products C = A·B and C = A·Bᵀ, divided among the workers: by own kernels for a few rows, by OpenBLAS for more.
 * The division depends on the shape and the number of workers alone, so equal products give equal bits. One object
 * serves product after product, so that none allocates.
 */
final class Gemm implements Workers.Job {
    /** Largest number of rows for which the own kernel of A·B is faster than a BLAS, which packs all of B. */
    private static final int FEW_ROWS = 40;
    /** Largest number of rows for which the own kernel of A·Bᵀ is faster. */
    private static final int FEW_ROWS_TRANSPOSED = 14;
    /** Number of multiplications below which a product takes less time than waking a worker. */
    private static final long MIN_PARALLEL_MULTIPLICATIONS = 1 << 17;
    /** Granularity of the division in columns: two of the widest vectors, so that parts end where tiles do. */
    private static final int GRAIN = 32;

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
        byRows = !few(c.rows(), transposed) && c.rows() >= c.columns();
        long length = byRows ? c.rows() : c.columns();
        if (length == 0 || c.rows() == 0) {
            return;
        }
        int parts = c.rows() * c.columns() * a.columns() < MIN_PARALLEL_MULTIPLICATIONS ? 1 : workers.threads();
        boolean streamed = c.rows() == 1 && !transposed;
        lead = streamed ? (int) Math.min(length - 1, SkinnyGemm.lead(CpuMemory.of(b), b.byteOffset(), b.stride())) : 0;
        share = (int) ((length - lead + (long) parts * GRAIN - 1) / ((long) parts * GRAIN) * GRAIN);
        workers.run(this, (int) ((length - lead + share - 1) / share));
    }

    private static boolean few(long rows, boolean transposed) {
        return rows <= (transposed ? FEW_ROWS_TRANSPOSED : FEW_ROWS);
    }

    @Override
    public void part(int part) {
        int from = part == 0 ? 0 : lead + part * share;
        int to = (int) Math.min(lead + (part + 1L) * share, byRows ? c.rows() : c.columns());
        int firstRow = byRows ? from : 0;
        int firstColumn = byRows ? 0 : from;
        local(CpuMemory.of(c), Layouts.row(c, firstRow), c.stride(), CpuMemory.of(a), Layouts.row(a, firstRow),
                a.stride(),
                CpuMemory.of(b), b.byteOffset(), b.stride(), byRows ? to - from : (int) c.rows(), (int) a.columns(),
                firstColumn, byRows ? (int) c.columns() : to, transposed, false);
    }

    /** Computes columns from … to−1 of C = A·B, of C = A·Bᵀ, or of C += A·B on the calling thread. */
    static void local(MemorySegment c, long c0, long cs, MemorySegment a, long a0, long as, MemorySegment b, long b0,
            long bs, int m, int k, int from, int to, boolean transposed, boolean accumulate) {
        if (!few(m, transposed)) {
            OpenBlas.sgemm(false, transposed, m, to - from, k, a, a0, (int) as,
                    b, b0 + 4 * (transposed ? from * bs : from), (int) bs, accumulate ? 1 : 0, c, c0 + 4L * from,
                    (int) cs);
        } else if (transposed) {
            SkinnyGemm.multiplyTransposed(c, c0, cs, a, a0, as, b, b0, bs, m, k, from, to);
        } else {
            SkinnyGemm.multiply(c, c0, cs, a, a0, as, b, b0, bs, m, k, from, to, accumulate);
        }
    }
}
