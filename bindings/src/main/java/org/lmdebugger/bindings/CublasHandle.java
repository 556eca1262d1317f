package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.ToIntFunction;
import org.lmdebugger.bindings.cublas.Cublas;

/**
 * A handle of cuBLAS, which computes matrix products on one stream of a GPU.
 *
 * <p>Matrices are row-major: {@code ld} is the distance between the starts of neighbouring rows, in elements. Addresses
 * are those of {@link CudaMemory}; that an operand lies within its block cannot be checked here.
 */
public final class CublasHandle extends CudaHandle {
    /** The type of the operands A and B and the arithmetic of their products; sums and C are FP32 in each. */
    public enum Arithmetic {
        /** FP32 operands, multiplied without rounding. */
        FP32(Cublas.CUDA_R_32F(), Cublas.CUBLAS_COMPUTE_32F()),
        /** FP32 operands, rounded to 10 bits of mantissa before they are multiplied. */
        TF32(Cublas.CUDA_R_32F(), Cublas.CUBLAS_COMPUTE_32F_FAST_TF32()),
        /** BF16 operands. */
        BF16(Cublas.CUDA_R_16BF(), Cublas.CUBLAS_COMPUTE_32F());

        final int operands;
        final int compute;

        Arithmetic(int operands, int compute) {
            this.operands = operands;
            this.compute = compute;
        }
    }

    /** A matrix in device memory: its address and the distance between rows. */
    public record Matrix(long address, int ld) {
    }

    private final MemorySegment one = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 0);

    private CublasHandle(MemorySegment pointer) {
        super(pointer);
    }

    /**
     * Creates a handle whose products run in {@code stream} and use {@code workspace}, so that none allocates.
     *
     * @param workspace device memory that lives as long as the handle, aligned to 256 bytes
     * @param bytes     its size; 32 MiB suits every GPU so far
     */
    public static CublasHandle create(CudaStream stream, long workspace, long bytes) {
        var handle = new CublasHandle(created("cublasCreate", Cublas::cublasCreate_v2));
        try {
            check("cublasSetMathMode", Cublas.cublasSetMathMode(handle.pointer(), Cublas.CUBLAS_DEFAULT_MATH()), "");
            check("cublasSetStream", Cublas.cublasSetStream_v2(handle.pointer(), stream.pointer()), "");
            // Last: setting the stream resets the workspace.
            check("cublasSetWorkspace", Cublas.cublasSetWorkspace_v2(handle.pointer(),
                    CudaMemory.device("workspace", workspace), CudaMemory.size(bytes)), bytes + " bytes");
            return handle;
        } catch (RuntimeException failure) {
            handle.close();
            throw failure;
        }
    }

    /** Returns the version of cuBLAS, such as 130000 for 13.0.0. */
    public int version() {
        try (var arena = Arena.ofConfined()) {
            var version = arena.allocate(JAVA_INT);
            check("cublasGetVersion", Cublas.cublasGetVersion_v2(pointer(), version), "");
            return version.get(JAVA_INT, 0);
        }
    }

    /**
     * Computes C = A·op(B), where op transposes or not.
     *
     * @param m rows of C and A
     * @param n columns of C and op(B)
     * @param k columns of A, rows of op(B)
     */
    public void gemm(Arithmetic arithmetic, boolean transposeB, int m, int n, int k, Matrix a, Matrix b, Matrix c) {
        checkSizes(m, n, k);
        checkLds(a, k, b, transposeB ? k : n, c, n);
        if (m == 0 || n == 0) {
            return;
        }
        int status = call(arithmetic, transposeB, m, n, k, a, b, c);
        if (status != Cublas.CUBLAS_STATUS_SUCCESS()) {
            throw CudaException.ofBlas("cublasGemmEx", status, "%s, m %d, n %d, k %d, ld %d %d %d"
                    .formatted(arithmetic, m, n, k, a.ld(), b.ld(), c.ld()));
        }
    }

    /** Computes Cᵀ = op(B)ᵀ·Aᵀ, because cuBLAS is column-major and the matrices here are row-major. */
    private int call(Arithmetic arithmetic, boolean transposeB, int m, int n, int k, Matrix a, Matrix b, Matrix c) {
        var addressA = CudaMemory.device("a", a.address());
        var addressB = CudaMemory.device("b", b.address());
        var addressC = CudaMemory.device("c", c.address());
        int operationB = transposeB ? Cublas.CUBLAS_OP_T() : Cublas.CUBLAS_OP_N();
        int type = arithmetic.operands;
        return Cublas.cublasGemmEx(pointer(), operationB, Cublas.CUBLAS_OP_N(), n, m, k, one,
                addressB, type, b.ld(), addressA, type, a.ld(), zero, addressC, Cublas.CUDA_R_32F(), c.ld(),
                arithmetic.compute, Cublas.CUBLAS_GEMM_DEFAULT());
    }

    static void checkSizes(int m, int n, int k) {
        if (m < 0 || n < 0 || k < 0) {
            throw new IllegalArgumentException("sizes: m %d, n %d, k %d (expected: none negative)".formatted(m, n, k));
        }
    }

    static void checkLds(Matrix a, int columnsOfA, Matrix b, int columnsOfB, Matrix c, int columnsOfC) {
        checkLd("a", a.ld(), columnsOfA);
        checkLd("b", b.ld(), columnsOfB);
        checkLd("c", c.ld(), columnsOfC);
    }

    private static void checkLd(String name, int ld, int columns) {
        if (ld < Math.max(1, columns)) {
            throw new IllegalArgumentException("ld of %s: %d (expected: at least %d)"
                    .formatted(name, ld, Math.max(1, columns)));
        }
    }

    /** Returns the handle that a function writes through its argument. */
    static MemorySegment created(String function, ToIntFunction<MemorySegment> create) {
        try (var arena = Arena.ofConfined()) {
            var handle = arena.allocate(ADDRESS);
            check(function, create.applyAsInt(handle), "");
            return handle.get(ADDRESS, 0);
        }
    }

    /** @param of what the function works on, for the message */
    static void check(String function, int status, Object of) {
        if (status != Cublas.CUBLAS_STATUS_SUCCESS()) {
            throw CudaException.ofBlas(function, status, of.toString());
        }
    }

    @Override
    void destroy(MemorySegment pointer) {
        check("cublasDestroy", Cublas.cublasDestroy_v2(pointer), "");
    }
}
