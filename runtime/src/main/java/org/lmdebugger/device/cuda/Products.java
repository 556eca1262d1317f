package org.lmdebugger.device.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasHandle.Arithmetic;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaKernels.Matrix;
import org.lmdebugger.bindings.CudaKernels.Type;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;

/**
 * Matrix products by cuBLAS, in a device's precision. Its kernels, which it chooses by shape, differ in how they round
 * operands, and some do not: so operands are rounded before it sees them, as weights are when they are loaded. Of numbers
 * that are rounded already, all products are exact.
 *
 * <p>The latest operation that computes rows is held back until the next one: if that is a product which consumes them,
 * they are written rounded at once. So is the latest product: if the next operation adds a bias to it, or both to the
 * residual stream, cuBLASLt does so before it stores the product, where it has a kernel for that.
 */
final class Products {
    /** Numbers of an operand's copies: 2,621 rows of GPT-2 XL's coefficients. Larger operands are multiplied in pieces. */
    static final long COPIES = 16 << 20;

    /** Rows from which on a product on tensor cores makes up for splitting its operands, on an H100 and an A100. */
    private static final long SPLIT_ROWS = 256;

    private final CublasHandle blas;
    private final CublasLtHandle blasLt;
    private final CudaKernels kernels;
    private final Precision precision;
    private final long copies; // of A, then of B if that is split, too
    private final long most; // numbers of a copy
    private Rows held; // at most one of the two is held back
    private Product pending;

    /** A kernel that computes rows of a matrix, each by itself. */
    @FunctionalInterface
    interface RowKernel {
        /**
         * @param from the first of the rows
         * @param to   where they are written, as many
         * @param tf32 whether they are rounded to TF32
         */
        void run(long from, Matrix to, boolean tf32);
    }

    /** @param read memory that the kernel reads beside the rows themselves */
    private record Rows(Matrix rows, RowKernel kernel, List<Memory> read) {
    }

    /**
     * C = A·op(B), where op transposes or not.
     *
     * @param rowsOfA writes rows of A, rounded as the product reads them
     * @param read    memory that it and the product read
     */
    private record Product(Matrix c, Matrix a, Matrix b, boolean transposed, RowKernel rowsOfA, List<Memory> read) {
    }

    /** The addition after a product C: C += bias, or x += C + bias if x is not null. */
    private record Addition(Matrix bias, Matrix x) {
        Addition rows(long from, long count) {
            return x == null ? this : new Addition(bias, x.rows(from, count));
        }

        Addition columns(long from, long count) {
            return new Addition(bias.columns(from, count),
                    x == null ? null : x.columns(from, count));
        }
    }

    /**
     * @param copies device memory
     * @param most   numbers that it has room for, of an operand; {@link #COPIES}, if it is of {@link #bytes}
     */
    Products(CublasHandle blas, CublasLtHandle blasLt, CudaKernels kernels, Precision precision, long copies,
            long most) {
        this.blas = blas;
        this.blasLt = blasLt;
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
        held = new Rows(CudaOperations.matrix(rows), kernel, Arrays.stream(read).map(Tensor::memory).toList());
        if (precision != Precision.TF32 && precision != Precision.BF16) {
            flush();
        }
    }

    /** C = A·B, as {@link #multiply}; what A has afterwards does not matter. */
    void consume(Tensor c, Tensor a, Tensor b) {
        var left = CudaOperations.matrix(a);
        var right = CudaOperations.matrix(b);
        if (held == null || !held.rows.equals(left) || held.read.contains(c.memory()) || !rounds(right)) {
            multiply(c, a, b, false);
            return;
        }
        var read = new ArrayList<>(held.read);
        read.addAll(List.of(a.memory(), b.memory()));
        pending = new Product(CudaOperations.matrix(c), left, right, false, held.kernel, read);
        held = null;
    }

    /** C = A·op(B), where op transposes or not, with weights B as they were loaded. */
    void multiply(Tensor c, Tensor a, Tensor b, boolean transposed) {
        flush();
        var left = CudaOperations.matrix(a);
        pending = new Product(CudaOperations.matrix(c), left, CudaOperations.matrix(b), transposed,
                (from, to, tf32) -> kernels.convert(to, left.rows(from, to.rows())),
                List.of(a.memory(), b.memory()));
        if (transposed) {
            flush();
        }
    }

    /** C = A·op(B) in single precision. */
    void exact(Tensor c, Tensor a, Tensor b, boolean transposed) {
        flush();
        var left = CudaOperations.matrix(a);
        gemm(Arithmetic.FP32, CudaOperations.matrix(c), left.columns(), left, CudaOperations.matrix(b), transposed,
                null);
    }

    /** Takes x += bias, if x is the pending product. */
    boolean addBias(Tensor x, Tensor bias) {
        return isPending(x) && run(new Addition(CudaOperations.matrix(bias), null));
    }

    /** Takes x += y + bias, if y is the pending product and x is in none of its operands, which are still read. */
    boolean biasResidual(Tensor x, Tensor y, Tensor bias) {
        return isPending(y) && !pending.read.contains(x.memory())
                && run(new Addition(CudaOperations.matrix(bias), CudaOperations.matrix(x)));
    }

    private boolean isPending(Tensor x) {
        return pending != null && pending.c.equals(CudaOperations.matrix(x));
    }

    /** Queues the kernel or the product that is held back, if there is one, as it is. */
    void flush() {
        if (held != null) {
            var alone = held;
            held = null;
            alone.kernel.run(0, alone.rows, false);
        }
        if (pending != null) {
            run(null);
        }
    }

    /** Forgets the kernel or the product that is held back, of a call that has failed. */
    void abandon() {
        held = null;
        pending = null;
    }

    private boolean run(Addition then) {
        var product = pending;
        pending = null;
        if (rounds(product.b)) {
            rounded(product, then);
        } else if (precision == Precision.TF32X3 && product.a.rows() >= SPLIT_ROWS) {
            split(product, then);
        } else {
            gemm(Arithmetic.FP32, product.c, product.a.columns(), product.a, product.b, product.transposed, then);
        }
        return true;
    }

    /** Returns whether products with B read an A that is rounded. */
    private boolean rounds(Matrix b) {
        return b.type() == Type.BF16 || precision == Precision.TF32;
    }

    private void rounded(Product p, Addition then) {
        boolean tf32 = p.b.type() != Type.BF16;
        var arithmetic = tf32 ? Arithmetic.TF32 : Arithmetic.BF16;
        long k = p.a.columns();
        if (p.a.type() != Type.F32) {
            gemm(arithmetic, p.c, k, p.a, p.b, p.transposed, then);
            return;
        }
        long rows = piece(p.a.rows(), most / Math.max(1, k));
        for (long r = 0; r < p.a.rows(); r += rows) {
            long count = Math.min(rows, p.a.rows() - r);
            var copy = new Matrix(tf32 ? Type.F32 : Type.BF16, copies, count, k, k);
            p.rowsOfA.run(r, copy, tf32);
            gemm(arithmetic, p.c.rows(r, count), k, copy, p.b, p.transposed,
                    then == null ? null : then.rows(r, count));
        }
    }

    /**
     * C = H·H' + H·L' + L·H' with A = H + L and op(B) = H' + L', all of which TF32 has: one product
     * [H, H, L]·[H'; L'; H'], on the tensor cores. Relatively, an operand of at least 2⁻¹¹⁴ is within 2⁻²³ of its two
     * parts, and L·L', which is left out, within 2⁻²² of A·B: together an element is within 2⁻²¹·Σ|a·b| of the exact one,
     * beside the sum's own rounding (Markidis et al., 2018; Ootomo and Yokota, 2022).
     */
    private void split(Product p, Addition then) {
        long k = p.a.columns();
        long rows = piece(p.a.rows(), most / (3 * Math.max(1, k)));
        long columns = piece(p.c.columns(), most / (3 * Math.max(1, k)));
        long copiesOfB = copies + most * Float.BYTES;
        for (long j = 0; j < p.c.columns(); j += columns) {
            long n = Math.min(columns, p.c.columns() - j);
            if (p.transposed) {
                split(copiesOfB, p.b.rows(j, n), k, 3 * k, 1);
            } else {
                split(copiesOfB, p.b.columns(j, n), k * n, n, 1);
            }
            for (long r = 0; r < p.a.rows(); r += rows) {
                long m = Math.min(rows, p.a.rows() - r);
                if (j == 0 || rows < p.a.rows()) {
                    split(copies, p.a.rows(r, m), k, 3 * k, 2);
                }
                gemm(Arithmetic.TF32, p.c.rows(r, m).columns(j, n), 3 * k,
                        new Matrix(Type.F32, copies, m, 3 * k, 3 * k),
                        new Matrix(Type.F32, copiesOfB, 3 * k, n, p.transposed ? 3 * k : n), p.transposed,
                        then == null ? null : then.rows(r, m).columns(j, n));
            }
        }
    }

    /**
     * Writes three parts of {@code x}, {@code distance} numbers apart from one's first to the next's: the lower digits at
     * {@code low}, 1 or 2, and the higher ones in the others' places.
     */
    private void split(long to, Matrix x, long distance, long stride, int low) {
        var parts = new Matrix[3];
        for (int i = 0; i < 3; i++) {
            parts[i] = new Matrix(Type.F32, to + i * distance * Float.BYTES, x.rows(), x.columns(), stride);
        }
        kernels.split(parts[0], parts[3 - low], parts[low], x);
    }

    /** Returns the size of pieces of at most {@code most}, nearly equal, so that one kernel suits all, and aligned. */
    private static long piece(long size, long most) {
        if (size <= most) {
            return Math.max(1, size);
        }
        long even = Math.ceilDiv(size, Math.ceilDiv(size, most));
        return Math.min(most / 64 * 64, Math.ceilDiv(even, 64) * 64);
    }

    /** @param then null, or the addition after it */
    private void gemm(Arithmetic arithmetic, Matrix c, long k, Matrix a, Matrix b, boolean transposed, Addition then) {
        int m = Math.toIntExact(c.rows());
        int n = Math.toIntExact(c.columns());
        int inner = Math.toIntExact(k);
        if (then == null) {
            blas.gemm(arithmetic, transposed, m, n, inner, operand(a), operand(b), operand(c));
            return;
        }
        if (!blasLt.gemm(arithmetic, m, n, inner, operand(a), operand(b), then.bias.address(),
                operand(then.x == null ? c : then.x), then.x != null)) {
            blas.gemm(arithmetic, false, m, n, inner, operand(a), operand(b), operand(c));
            if (then.x == null) {
                kernels.addBias(c, then.bias);
            } else {
                kernels.biasResidual(then.x, c, then.bias);
            }
        }
    }

    private static CublasHandle.Matrix operand(Matrix matrix) {
        return new CublasHandle.Matrix(matrix.address(), Math.toIntExact(Math.max(1, matrix.stride())));
    }
}
