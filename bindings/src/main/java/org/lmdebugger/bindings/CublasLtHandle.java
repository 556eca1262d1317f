package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import org.lmdebugger.bindings.CublasHandle.Arithmetic;
import org.lmdebugger.bindings.CublasHandle.Matrix;
import org.lmdebugger.bindings.cublas.Cublas;
import org.lmdebugger.bindings.cublaslt.CublasLt;
import org.lmdebugger.bindings.cublaslt.cublasLtMatmulDescOpaque_t;
import org.lmdebugger.bindings.cublaslt.cublasLtMatmulHeuristicResult_t;
import org.lmdebugger.bindings.cublaslt.cublasLtMatmulPreferenceOpaque_t;
import org.lmdebugger.bindings.cublaslt.cublasLtMatrixLayoutOpaque_t;

/**
 * A handle of cuBLASLt, whose products add a bias, and the matrix that was there, before they are stored. Not every product
 * has a kernel for this. Matrices are those of {@link CublasHandle}.
 */
public final class CublasLtHandle extends CudaHandle {
    /** Shapes whose plans are kept, of less than a kilobyte each; cuBLASLt takes some ten microseconds to choose a kernel. */
    private static final int PLANS = 512;

    /** The strictest alignment that a kernel may ask for, in bytes. */
    private static final long ALIGNMENT = 256;

    private final MemorySegment stream;
    private final MemorySegment workspace;
    private final long workspaceBytes;
    private final MemorySegment one = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = Arena.ofAuto().allocateFrom(JAVA_FLOAT, 0);
    private final MemorySegment attribute = Arena.ofAuto().allocate(JAVA_LONG); // of the call that sets one
    private final Map<Shape, Plan> plans = new LinkedHashMap<>(16, 0.75f, true) { // the latest used last
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Shape, Plan> eldest) {
            return size() > PLANS;
        }
    };

    /** All that a kernel is chosen by; alignments are those of addresses, in bytes. */
    private record Shape(Arithmetic arithmetic, int m, int n, int k, int ldA, int ldB, int ldC, boolean adds,
            int alignedA,
            int alignedB, int alignedC, int alignedBias) {
        @Override
        public String toString() {
            return "%s, m %d, n %d, k %d, ld %d %d %d, %s".formatted(arithmetic, m, n, k, ldA, ldB, ldC,
                    adds ? "bias and C" : "bias");
        }
    }

    /** Descriptors of a product, in memory that lives as long as they do, and the kernel for it. */
    private record Plan(MemorySegment operation, MemorySegment a, MemorySegment b, MemorySegment c,
            MemorySegment algorithm) {
        /** The plan of a shape that there is no kernel for. */
        private static final Plan NONE = new Plan(MemorySegment.NULL, MemorySegment.NULL, MemorySegment.NULL,
                MemorySegment.NULL, MemorySegment.NULL);
    }

    private CublasLtHandle(MemorySegment pointer, MemorySegment stream, MemorySegment workspace, long workspaceBytes) {
        super(pointer);
        this.stream = stream;
        this.workspace = workspace;
        this.workspaceBytes = workspaceBytes;
    }

    /**
     * Creates a handle whose products run in {@code stream} and use {@code workspace}, which it may share with a
     * {@link CublasHandle} of that stream.
     *
     * @param workspace device memory that lives as long as the handle, aligned to 256 bytes
     * @param bytes     its size
     */
    public static CublasLtHandle create(CudaStream stream, long workspace, long bytes) {
        var memory = CudaMemory.device("workspace", workspace);
        long size = CudaMemory.size(bytes);
        var queue = stream.pointer();
        return new CublasLtHandle(CublasHandle.created("cublasLtCreate", CublasLt::cublasLtCreate), queue, memory,
                size);
    }

    /**
     * Computes C = A·B + bias, or C = A·B + C + bias if {@code adds}, if cuBLASLt has a kernel for it.
     *
     * @param m    rows of C and A
     * @param n    columns of C and B
     * @param k    columns of A, rows of B; of none, there is no such kernel
     * @param bias the address of n numbers
     * @return whether it has one; otherwise nothing is done
     */
    public boolean gemm(Arithmetic arithmetic, int m, int n, int k, Matrix a, Matrix b, long bias, Matrix c,
            boolean adds) {
        CublasHandle.checkSizes(m, n, k);
        CublasHandle.checkLds(a, k, b, n, c, n);
        if (m == 0 || n == 0) {
            return true;
        }
        if (k == 0) {
            return false;
        }
        var shape = new Shape(arithmetic, m, n, k, a.ld(), b.ld(), c.ld(), adds, alignment(a.address()),
                alignment(b.address()), alignment(c.address()), alignment(bias));
        var plan = plans.get(shape);
        if (plan == null) {
            plan = plan(shape, bias);
            plans.put(shape, plan);
        }
        if (plan == Plan.NONE) {
            return false;
        }
        setPointer(plan.operation, bias);
        // Cᵀ = Bᵀ·Aᵀ, because cuBLASLt is column-major and the matrices here are row-major.
        int status = CublasLt.cublasLtMatmul(pointer(), plan.operation, one, CudaMemory.device("b", b.address()),
                plan.b,
                CudaMemory.device("a", a.address()), plan.a, adds ? one : zero, CudaMemory.device("c", c.address()),
                plan.c, MemorySegment.ofAddress(c.address()), plan.c, plan.algorithm, workspace, workspaceBytes,
                stream);
        if (status == CublasLt.CUBLAS_STATUS_NOT_SUPPORTED()) { // though it chose the kernel
            plans.put(shape, Plan.NONE);
            return false;
        }
        CublasHandle.check("cublasLtMatmul", status, shape);
        return true;
    }

    private static int alignment(long address) {
        return (int) Math.min(ALIGNMENT, Long.lowestOneBit(address));
    }

    private Plan plan(Shape shape, long bias) {
        var memory = Arena.ofAuto();
        int type = shape.arithmetic.operands;
        var operation = cublasLtMatmulDescOpaque_t.allocate(memory);
        CublasHandle.check("cublasLtMatmulDescInit",
                CublasLt.cublasLtMatmulDescInit_internal(operation, operation.byteSize(),
                        shape.arithmetic.compute, Cublas.CUDA_R_32F()),
                shape);
        attribute.set(JAVA_INT, 0, CublasLt.CUBLASLT_EPILOGUE_BIAS());
        setAttribute(operation, CublasLt.CUBLASLT_MATMUL_DESC_EPILOGUE(), JAVA_INT.byteSize());
        setPointer(operation, bias); // whose alignment counts
        var b = layout(memory, type, shape.n, shape.k, shape.ldB);
        var a = layout(memory, type, shape.k, shape.m, shape.ldA);
        var c = layout(memory, Cublas.CUDA_R_32F(), shape.n, shape.m, shape.ldC);
        try (var arena = Arena.ofConfined()) {
            var preference = cublasLtMatmulPreferenceOpaque_t.allocate(arena);
            CublasHandle.check("cublasLtMatmulPreferenceInit",
                    CublasLt.cublasLtMatmulPreferenceInit_internal(preference, preference.byteSize()), "");
            prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES(), workspaceBytes,
                    JAVA_LONG.byteSize());
            prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES(), shape.alignedB,
                    JAVA_INT.byteSize());
            prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES(), shape.alignedA,
                    JAVA_INT.byteSize());
            prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES(), shape.alignedC,
                    JAVA_INT.byteSize());
            prefer(preference, CublasLt.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES(), shape.alignedC,
                    JAVA_INT.byteSize());
            var count = arena.allocate(JAVA_INT);
            var result = cublasLtMatmulHeuristicResult_t.allocate(memory);
            int status = CublasLt.cublasLtMatmulAlgoGetHeuristic(pointer(), operation, b, a, c, c, preference, 1,
                    result,
                    count);
            if (status == CublasLt.CUBLAS_STATUS_NOT_SUPPORTED()) {
                return Plan.NONE;
            }
            CublasHandle.check("cublasLtMatmulAlgoGetHeuristic", status, shape);
            boolean found = count.get(JAVA_INT, 0) > 0
                    && cublasLtMatmulHeuristicResult_t.state(result) == Cublas.CUBLAS_STATUS_SUCCESS();
            return found ? new Plan(operation, a, b, c, cublasLtMatmulHeuristicResult_t.algo(result)) : Plan.NONE;
        }
    }

    private void setPointer(MemorySegment operation, long bias) {
        attribute.set(ADDRESS, 0, CudaMemory.device("bias", bias));
        setAttribute(operation, CublasLt.CUBLASLT_MATMUL_DESC_BIAS_POINTER(), ADDRESS.byteSize());
    }

    private void setAttribute(MemorySegment operation, int name, long bytes) {
        CublasHandle.check("cublasLtMatmulDescSetAttribute",
                CublasLt.cublasLtMatmulDescSetAttribute(operation, name, attribute, bytes), name);
    }

    private void prefer(MemorySegment preference, int name, long value, long bytes) {
        attribute.set(JAVA_LONG, 0, value); // little-endian, so that the first four bytes are an int, too
        CublasHandle.check("cublasLtMatmulPreferenceSetAttribute",
                CublasLt.cublasLtMatmulPreferenceSetAttribute(preference, name, attribute, bytes), name);
    }

    private static MemorySegment layout(Arena memory, int type, long rows, long columns, long ld) {
        var layout = cublasLtMatrixLayoutOpaque_t.allocate(memory);
        CublasHandle.check("cublasLtMatrixLayoutInit",
                CublasLt.cublasLtMatrixLayoutInit_internal(layout, layout.byteSize(), type, rows,
                        columns, ld),
                "");
        return layout;
    }

    @Override
    void destroy(MemorySegment pointer) {
        CublasHandle.check("cublasLtDestroy", CublasLt.cublasLtDestroy(pointer), "");
    }
}
