package org.lmdebugger.device.cuda;

import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaKernels.Matrix;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Tensor;

/**
 * The latest product of few rows, held back until the next operation: if that adds a bias, applies the activation or
 * adds to the residual stream, it becomes a part of the product's kernel. A decoded token consists of such products, and
 * each kernel takes longer to start than to run.
 */
final class FewRows {
    /** Rows that one kernel takes; taller products are cuBLAS's. */
    private static final int MOST = 16;

    private final CudaKernels kernels;
    private final boolean tf32;
    private Product pending;

    private record Product(Matrix c, Matrix a, Matrix b, Memory ofA, Memory ofB) {
        boolean reads(Tensor x) {
            return x.memory() == ofA || x.memory() == ofB;
        }
    }

    FewRows(CudaKernels kernels, boolean tf32) {
        this.kernels = kernels;
        this.tf32 = tf32;
    }

    /** Takes c = A·B, if that is a product of few rows. */
    boolean multiply(Tensor c, Tensor a, Tensor b) {
        if (a.rows() > MOST || a.type() != ElementType.F32) {
            return false;
        }
        flush();
        pending = new Product(CudaOperations.matrix(c), CudaOperations.matrix(a), CudaOperations.matrix(b), a.memory(),
                b.memory());
        return true;
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
        return isPending(y) && !pending.reads(x) && run(x, bias, 0);
    }

    private boolean isPending(Tensor x) {
        return pending != null && pending.c.equals(CudaOperations.matrix(x));
    }

    /** Queues the pending product, if there is one, as it is. */
    void flush() {
        if (pending != null) {
            run(null, null, 0);
        }
    }

    /** Forgets the pending product of a call that has failed. */
    void abandon() {
        pending = null;
    }

    private boolean run(Tensor residual, Tensor bias, int gelu) {
        var product = pending;
        pending = null;
        kernels.multiplyFew(product.c, CudaOperations.matrix(residual), product.a, product.b,
                CudaOperations.matrix(bias), tf32, gelu);
        return true;
    }
}
