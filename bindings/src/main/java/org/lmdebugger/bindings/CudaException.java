package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.ToIntFunction;
import org.lmdebugger.bindings.cublas.Cublas;
import org.lmdebugger.bindings.cudart.Cudart;

/** A failure of a function of CUDA, cuBLAS or this project's kernels, with its name, status and sizes. */
public final class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String codeName;

    private CudaException(String function, int code, String codeName, String meaning, String sizes) {
        super("%s: %d %s: %s%s".formatted(function, code, codeName, meaning,
                sizes.isEmpty() ? "" : " (" + sizes + ")"));
        this.codeName = codeName;
    }

    /** Returns whether there was too little memory; then nothing was changed, and a smaller request may succeed. */
    public boolean isOutOfMemory() {
        return codeName.equals("cudaErrorMemoryAllocation") || codeName.equals("CUBLAS_STATUS_ALLOC_FAILED");
    }

    /**
     * Checks a status of the CUDA runtime.
     *
     * @throws CudaException if it is not success
     */
    static void check(String function, int status) {
        if (status != Cudart.cudaSuccess()) {
            throw ofRuntime(function, status, "");
        }
    }

    /** Returns the pointer that a function of the CUDA runtime writes through its first argument. */
    static MemorySegment out(String function, ToIntFunction<MemorySegment> call) {
        try (var arena = Arena.ofConfined()) {
            var pointer = arena.allocate(ADDRESS);
            check(function, call.applyAsInt(pointer));
            return pointer.get(ADDRESS, 0);
        }
    }

    /** Returns the exception for a status of the CUDA runtime that is not success. */
    static CudaException ofRuntime(String function, int status, String sizes) {
        Cudart.cudaGetLastError(); // else the next launch would report it
        return new CudaException(function, status, text(Cudart.cudaGetErrorName(status)),
                text(Cudart.cudaGetErrorString(status)), sizes);
    }

    /** Returns the exception for a status of cuBLAS that is not success. */
    static CudaException ofBlas(String function, int status, String sizes) {
        return new CudaException(function, status, text(Cublas.cublasGetStatusName(status)),
                text(Cublas.cublasGetStatusString(status)), sizes);
    }

    private static String text(MemorySegment pointer) {
        return pointer.reinterpret(Integer.MAX_VALUE).getString(0);
    }
}
