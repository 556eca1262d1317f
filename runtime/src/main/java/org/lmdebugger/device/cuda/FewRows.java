package org.lmdebugger.device.cuda;

import java.util.List;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaKernels.Matrix;
import org.lmdebugger.bindings.CudaKernels.Norm;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Tensor;

/**
 * The latest product of few rows, held back until the next operation: if that adds a bias, applies the activation or
 * adds to the residual stream, it becomes a part of the product's kernel. So does the LayerNorm of a single row before it,
 * which is held back likewise. A decoded token consists of such products, and each kernel takes longer to start than to
 * run.
 */
final class FewRows {
    /** Rows that one kernel takes; taller products are cuBLAS's. */
    private static final int MOST = 16;

    private final CudaKernels kernels;
    private final boolean tf32;
    private Norm norm; // at most one of the two is pending
    private Memory normalised; // of the norm's x
    private Product pending;

    private record Product(Matrix c, Matrix a, Matrix b, Norm norm, List<Memory> operands) {
    }

    FewRows(CudaKernels kernels, boolean tf32) {
        this.kernels = kernels;
        this.tf32 = tf32;
    }

    /** Takes y = LayerNorm(x), if that is one row. */
    boolean layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon) {
        if (y.rows() != 1) {
            return false;
        }
        flush();
        norm = new Norm(CudaOperations.matrix(y), CudaOperations.matrix(x), CudaOperations.matrix(gain),
                CudaOperations.matrix(bias), epsilon);
        normalised = x.memory();
        return true;
    }

    /** Returns whether {@link #multiply} takes a product with this operand. */
    static boolean takes(Tensor a) {
        return a.rows() <= MOST && a.type() == ElementType.F32;
    }

    /** Takes c = A·B of few rows; A may be the pending norm, unless c lies where blocks still read. */
    void multiply(Tensor c, Tensor a, Tensor b) {
        if (norm == null || !norm.y().equals(CudaOperations.matrix(a)) || c.memory() == normalised) {
            flush();
        }
        pending = new Product(CudaOperations.matrix(c), CudaOperations.matrix(a), CudaOperations.matrix(b), norm,
                norm == null ? List.of(a.memory(), b.memory()) : List.of(a.memory(), b.memory(), normalised));
        norm = null;
    }

    /** Takes x += bias, if x is the pending product. */
    boolean addBias(Tensor x, Tensor bias) {
        return isPending(x) && run(null, bias, 0);
    }

    /** Takes m = gelu(m + bias), if m is the pending product. */
    boolean biasGelu(Tensor m, Tensor bias, Gelu gelu) {
        return isPending(m) && run(null, bias, switch (gelu) {
            case TANH -> 1;
            case ERF -> 2;
        });
    }

    /** Takes x += y + bias, if y is the pending product and x is in none of its operands, which other blocks still read. */
    boolean biasResidual(Tensor x, Tensor y, Tensor bias) {
        return isPending(y) && !pending.operands.contains(x.memory()) && run(x, bias, 0);
    }

    private boolean isPending(Tensor x) {
        return pending != null && pending.c.equals(CudaOperations.matrix(x));
    }

    /** Queues the pending norm or product, if there is one, as it is. */
    void flush() {
        if (norm != null) {
            var alone = norm;
            norm = null;
            kernels.layerNorm(alone.y(), alone.x(), alone.gain(), alone.bias(), alone.epsilon(), false);
        }
        if (pending != null) {
            run(null, null, 0);
        }
    }

    /** Forgets the pending norm or product of a call that has failed. */
    void abandon() {
        norm = null;
        pending = null;
    }

    private boolean run(Tensor residual, Tensor bias, int gelu) {
        var product = pending;
        pending = null;
        kernels.multiplyFew(product.c, CudaOperations.matrix(residual), product.a, product.b,
                CudaOperations.matrix(bias), product.norm, tf32, gelu);
        return true;
    }
}
