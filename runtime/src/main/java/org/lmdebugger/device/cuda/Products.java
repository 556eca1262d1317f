package org.lmdebugger.device.cuda;

import static org.lmdebugger.device.ElementType.BF16;
import static org.lmdebugger.device.ElementType.F32;

import java.util.Arrays;
import java.util.List;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasHandle.Arithmetic;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;

/**
 * Matrix products by cuBLAS, in a device's precision. Its kernels, which it chooses by shape, differ in how they round
 * operands, and some do not: so operands are rounded before it sees them, as weights are when they are loaded. Of numbers
 * that are rounded already, all products are exact.
 *
 * <p>The latest operation that computes rows is held back until the next one: if that is a product which consumes them,
 * they are written rounded at once.
 */
final class Products {
    /** Numbers of an operand's copies: 2,621 rows of GPT-2 XL's coefficients. Larger operands are multiplied in pieces. */
    static final long COPIES = 16 << 20;

    /** Rows from which on a product on tensor cores makes up for splitting its operands, on an H100 and an A100. */
    private static final long SPLIT_ROWS = 256;

    private final CublasHandle blas;
    private final CudaKernels kernels;
    private final Precision precision;
    private final long copies; // of A, then of B if that is split, too
    private final long most; // numbers of a copy
    private Held held;

    /** A kernel that computes rows of a matrix, each by itself. */
    @FunctionalInterface
    interface RowKernel {
        /**
         * @param from the first of the rows
         * @param to   where they are written, as many
         * @param tf32 whether they are rounded to TF32
         */
        void run(long from, CudaKernels.Matrix to, boolean tf32);
    }

    /** @param read memory that the kernel reads beside the rows themselves */
    private record Held(CudaKernels.Matrix rows, RowKernel kernel, List<Memory> read) {
    }

    /**
     * @param copies device memory
     * @param most   numbers that it has room for, of an operand; {@link #COPIES}, if it is of {@link #bytes}
     */
    Products(CublasHandle blas, CudaKernels kernels, Precision precision, long copies, long most) {
        this.blas = blas;
        this.kernels = kernels;
        this.precision = precision;
        this.copies = copies;
        this.most = most;
    }

    /** Returns the size of the memory for copies of operands. */
    static long bytes(Precision precision) {
        return switch (precision) {
            case FP32 -> 0;
            case TF32X3 -> 2 * COPIES * Float.BYTES;
            case TF32 -> COPIES * Float.BYTES;
            case BF16 -> COPIES * Short.BYTES;
        };
    }

    /** Computes rows by a kernel that reads {@code read} and, where it works in place, the rows. */
    void compute(Tensor rows, RowKernel kernel, Tensor... read) {
        flush();
        held = new Held(CudaOperations.matrix(rows), kernel, Arrays.stream(read).map(Tensor::memory).toList());
        if (precision != Precision.TF32 && precision != Precision.BF16) {
            flush();
        }
    }

    /** Queues the kernel that is held back, if there is one, as it is. */
    void flush() {
        if (held != null) {
            var alone = held;
            held = null;
            alone.kernel.run(0, alone.rows, false);
        }
    }

    /** Forgets the kernel that is held back, of a call that has failed. */
    void abandon() {
        held = null;
    }

    /** C = A·B, as {@link #multiply}; what A has afterwards does not matter. */
    void consume(Tensor c, Tensor a, Tensor b) {
        var last = held;
        if (last != null && last.rows.equals(CudaOperations.matrix(a)) && !last.read.contains(c.memory())
                && rounds(b)) {
            held = null;
            rounded(c, a, b, false, last.kernel);
        } else {
            multiply(c, a, b, false);
        }
    }

    /** C = A·op(B), where op transposes or not, with weights B as they were loaded. */
    void multiply(Tensor c, Tensor a, Tensor b, boolean transposed) {
        flush();
        if (rounds(b)) {
            rounded(c, a, b, transposed, (from, to, tf32) -> kernels.convert(to,
                    CudaOperations.matrix(a.rows(from, to.rows()))));
        } else if (precision == Precision.TF32X3 && a.rows() >= SPLIT_ROWS) {
            split(c, a, b, transposed);
        } else {
            exact(c, a, b, transposed);
        }
    }

    /** Returns whether products with B read an A that is rounded. */
    private boolean rounds(Tensor b) {
        return b.type() == BF16 || precision == Precision.TF32;
    }

    /** C = A·op(B) in single precision. */
    void exact(Tensor c, Tensor a, Tensor b, boolean transposed) {
        flush();
        gemm(Arithmetic.FP32, c, a.columns(), operand(a), operand(b), transposed);
    }

    /** @param copy writes rows of A as the product reads them */
    private void rounded(Tensor c, Tensor a, Tensor b, boolean transposed, RowKernel copy) {
        boolean tf32 = b.type() != BF16;
        var arithmetic = tf32 ? Arithmetic.TF32 : Arithmetic.BF16;
        if (a.type() != F32) {
            gemm(arithmetic, c, a.columns(), operand(a), operand(b), transposed);
            return;
        }
        long rows = piece(a.rows(), most / Math.max(1, a.columns()));
        for (long r = 0; r < a.rows(); r += rows) {
            long count = Math.min(rows, a.rows() - r);
            copy.run(r, new CudaKernels.Matrix(tf32 ? CudaKernels.Type.F32 : CudaKernels.Type.BF16, copies, count,
                    a.columns(), a.columns()), tf32);
            gemm(arithmetic, c.rows(r, count), a.columns(), copy(copies, a.columns()), operand(b), transposed);
        }
    }

    /**
     * C = H·H' + H·L' + L·H' with A = H + L and op(B) = H' + L', all of which TF32 has: one product
     * [H, H, L]·[H'; L'; H'], on the tensor cores. Relatively, an operand of at least 2⁻¹¹⁴ is within 2⁻²³ of its two
     * parts, and L·L', which is left out, within 2⁻²² of A·B: together an element is within 2⁻²¹·Σ|a·b| of the exact one,
     * beside the sum's own rounding (Markidis et al., 2018; Ootomo and Yokota, 2022).
     */
    private void split(Tensor c, Tensor a, Tensor b, boolean transposed) {
        long k = a.columns();
        long rows = piece(a.rows(), most / (3 * Math.max(1, k)));
        long columns = piece(c.columns(), most / (3 * Math.max(1, k)));
        long copiesOfB = copies + most * Float.BYTES;
        for (long j = 0; j < c.columns(); j += columns) {
            long n = Math.min(columns, c.columns() - j);
            if (transposed) {
                split(copiesOfB, b.rows(j, n), k, 3 * k, 1);
            } else {
                split(copiesOfB, b.columns(j, n), k * n, n, 1);
            }
            for (long r = 0; r < a.rows(); r += rows) {
                long m = Math.min(rows, a.rows() - r);
                if (j == 0 || rows < a.rows()) {
                    split(copies, a.rows(r, m), k, 3 * k, 2);
                }
                gemm(Arithmetic.TF32, c.rows(r, m).columns(j, n), 3 * k, copy(copies, 3 * k),
                        copy(copiesOfB, transposed ? 3 * k : n), transposed);
            }
        }
    }

    /**
     * Writes three parts of {@code x}, {@code distance} numbers apart from one's first to the next's: the lower digits at
     * {@code low}, 1 or 2, and the higher ones in the others' places.
     */
    private void split(long to, Tensor x, long distance, long stride, int low) {
        var parts = new CudaKernels.Matrix[3];
        for (int i = 0; i < 3; i++) {
            parts[i] = new CudaKernels.Matrix(CudaKernels.Type.F32, to + i * distance * Float.BYTES, x.rows(),
                    x.columns(),
                    stride);
        }
        kernels.split(parts[0], parts[3 - low], parts[low], CudaOperations.matrix(x));
    }

    /** Returns the size of pieces of at most {@code most}, nearly equal, so that one kernel suits all, and aligned. */
    private static long piece(long size, long most) {
        if (size <= most) {
            return Math.max(1, size);
        }
        long even = Math.ceilDiv(size, Math.ceilDiv(size, most));
        return Math.min(most / 64 * 64, Math.ceilDiv(even, 64) * 64);
    }

    private void gemm(Arithmetic arithmetic, Tensor c, long k, CublasHandle.Matrix a, CublasHandle.Matrix b,
            boolean transposed) {
        blas.gemm(arithmetic, transposed, Math.toIntExact(c.rows()), Math.toIntExact(c.columns()), Math.toIntExact(k),
                a, b,
                operand(c));
    }

    private static CublasHandle.Matrix operand(Tensor tensor) {
        return copy(GpuMemory.address(tensor), tensor.stride());
    }

    private static CublasHandle.Matrix copy(long address, long stride) {
        return new CublasHandle.Matrix(address, Math.toIntExact(Math.max(1, stride)));
    }
}
