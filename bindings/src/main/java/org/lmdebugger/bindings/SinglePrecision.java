package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import org.lmdebugger.bindings.CublasHandle.Matrix;

/**
 * A check that products said to be of single precision are: some variables of the environment make cuBLAS round operands,
 * whatever arithmetic it is asked for. The product is large enough for the kernels that can do so, and each of its
 * elements is 1 + 2⁻²⁰, which needs more bits than TF32 and BF16 have.
 */
final class SinglePrecision {
    private static final int M = 128;
    private static final int K = 64;
    private static final float EXACT = 1 + 0x1p-20f;

    private SinglePrecision() {
    }

    /** A product to check, C = A·B. */
    @FunctionalInterface
    interface Product {
        /**
         * @param bias the address of n zeros, for a product that adds a bias
         * @return whether there is such a product
         */
        boolean compute(int m, int n, int k, Matrix a, Matrix b, long bias, Matrix c);
    }

    /** @throws NativeLibraryException if an element is another number */
    static void require(CudaStream stream, Product product) {
        long memory = CudaMemory.allocate(Float.BYTES * (M * K + K * M + M + M * M));
        try (var arena = Arena.ofConfined()) {
            var operands = arena.allocate(JAVA_FLOAT, M * K + K * M + M);
            for (int i = 0; i < M * K; i++) {
                operands.setAtIndex(JAVA_FLOAT, i, EXACT);
            }
            for (int j = 0; j < M; j++) { // a one in each column
                operands.setAtIndex(JAVA_FLOAT, M * K + (j % K) * M + j, 1);
            }
            stream.copyToDevice(memory, operands);
            long bias = memory + Float.BYTES * (M * K + K * M);
            long c = memory + operands.byteSize();
            if (!product.compute(M, M, K, new Matrix(memory, K), new Matrix(memory + Float.BYTES * M * K, M), bias,
                    new Matrix(c, M))) {
                return;
            }
            var elements = arena.allocate(JAVA_FLOAT, M * M);
            stream.copyToHost(elements, c);
            stream.synchronize();
            for (float element : elements.toArray(JAVA_FLOAT)) {
                if (element != EXACT) {
                    throw new NativeLibraryException(
                            ("fp32: cuBLAS computes %s · 1 as %s (expected: %s; unset variables of "
                                    + "the environment that change its arithmetic, such as NVIDIA_TF32_OVERRIDE and "
                                    + "CUBLAS_EMULATE_SINGLE_PRECISION)")
                                            .formatted(EXACT, element, EXACT),
                            null);
                }
            }
        } finally {
            CudaMemory.free(memory);
        }
    }
}
