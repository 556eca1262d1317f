package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.lmdebugger.bindings.CublasHandle.Arithmetic.FP32;

import java.lang.foreign.Arena;
import org.lmdebugger.bindings.CublasHandle.Matrix;

/**
 * A check that products said to be of single precision are: some variables of the environment make cuBLAS round operands,
 * whatever arithmetic it is asked for. The product is large enough for the kernels that can do so, and each of its
 * elements is 1 + 2⁻²⁰, which needs more bits than TF32 and BF16 have.
 */
public final class SinglePrecision {
    private static final int M = 128;
    private static final int K = 64;
    private static final float EXACT = 1 + 0x1p-20f;

    private SinglePrecision() {
    }

    /**
     * Checks products of both handles, if cuBLASLt has one.
     *
     * @param stream that of the handles
     * @throws NativeLibraryException if an element is another number
     */
    public static void require(CudaStream stream, CublasHandle blas, CublasLtHandle blasLt) {
        long memory = CudaMemory.allocate(Float.BYTES * (M * K + K * M + M + 2 * M * M));
        try (var arena = Arena.ofConfined()) {
            var operands = arena.allocate(JAVA_FLOAT, M * K + K * M + M); // A, B and a bias of zeros
            for (int i = 0; i < M * K; i++) {
                operands.setAtIndex(JAVA_FLOAT, i, EXACT);
            }
            for (int j = 0; j < M; j++) { // a one in each column
                operands.setAtIndex(JAVA_FLOAT, M * K + (j % K) * M + j, 1);
            }
            stream.copyToDevice(memory, operands);
            var a = new Matrix(memory, K);
            var b = new Matrix(memory + Float.BYTES * M * K, M);
            long bias = memory + Float.BYTES * (M * K + K * M);
            long products = memory + operands.byteSize();
            blas.gemm(FP32, false, M, M, K, a, b, new Matrix(products, M));
            boolean both = blasLt.gemm(FP32, M, M, K, a, b, bias, new Matrix(products + Float.BYTES * M * M, M), false);
            var elements = arena.allocate(JAVA_FLOAT, (both ? 2 : 1) * M * M);
            stream.copyToHost(elements, products);
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
