package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.function.ToIntFunction;
import org.lmdebugger.bindings.cublas.Cublas;
import org.lmdebugger.bindings.cudart.Cudart;

/** A failure of a function of CUDA, cuBLAS or this project's kernels, with its name, status and sizes. */
public final class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Errors after which every call of CUDA in the process fails, as {@code driver_types.h} says of each. */
    private static final Set<String> FATAL = Set.of("cudaErrorContained", "cudaErrorIllegalAddress",
            "cudaErrorLaunchTimeout", "cudaErrorAssert", "cudaErrorHardwareStackError", "cudaErrorIllegalInstruction",
            "cudaErrorMisalignedAddress", "cudaErrorInvalidAddressSpace", "cudaErrorInvalidPc",
            "cudaErrorLaunchFailure",
            "cudaErrorTensorMemoryLeak", "cudaErrorMpsClientTerminated", "cudaErrorExternalDevice");

    /** Statuses of cuBLAS that may mean that there was too little memory for a handle, or for the code of a kernel. */
    private static final Set<String> UNCLEAR = Set.of("CUBLAS_STATUS_NOT_INITIALIZED", "CUBLAS_STATUS_EXECUTION_FAILED",
            "CUBLAS_STATUS_INTERNAL_ERROR");

    private final boolean outOfMemory;
    private final boolean fatal;

    private CudaException(String function, int code, String name, String meaning, String sizes, boolean outOfMemory,
            boolean fatal) {
        super("%s: %d %s: %s%s%s".formatted(function, code, name, meaning, sizes.isEmpty() ? "" : " (" + sizes + ")",
                fatal ? "; every call of CUDA in this process fails from now on (expected: a restart of the process)"
                        : ""));
        this.outOfMemory = outOfMemory;
        this.fatal = fatal;
    }

    /** Returns whether there was too little memory; then nothing was changed, and a smaller request may succeed. */
    public boolean isOutOfMemory() {
        return outOfMemory;
    }

    /** Returns whether the GPU has failed in such a way that this process cannot use CUDA any more. */
    public boolean isFatal() {
        return fatal;
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
        var name = text(Cudart.cudaGetErrorName(status));
        return new CudaException(function, status, name, text(Cudart.cudaGetErrorString(status)), sizes,
                status == Cudart.cudaErrorMemoryAllocation(), FATAL.contains(name));
    }

    /** Returns the exception for a status of cuBLAS that is not success. CUDA is asked what cuBLAS does not tell. */
    static CudaException ofBlas(String function, int status, String sizes) {
        var name = text(Cublas.cublasGetStatusName(status));
        boolean outOfMemory = name.equals("CUBLAS_STATUS_ALLOC_FAILED");
        boolean fatal = false;
        try {
            outOfMemory |= UNCLEAR.contains(name) && CudaMemory.available().free() < CudaMemory.RESERVE;
        } catch (CudaException reason) {
            fatal = reason.fatal;
        }
        return new CudaException(function, status, name, text(Cublas.cublasGetStatusString(status)), sizes, outOfMemory,
                fatal);
    }

    private static String text(MemorySegment pointer) {
        return pointer.reinterpret(Integer.MAX_VALUE).getString(0);
    }
}
