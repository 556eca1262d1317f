package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cudart.Cudart;

/**
 * Memory of the current device, by address: a plain number, so the garbage collector does not manage it. The code that
 * allocates a block also frees it, on any thread but never from a cleaner.
 */
public final class CudaMemory {
    /**
     * Bytes that stay free for what CUDA itself needs later: code of kernels, which is loaded when they are launched first,
     * handles and graphs.
     */
    public static final long RESERVE = 64 << 20;

    private CudaMemory() {
    }

    /** An amount of memory: bytes free, and bytes in all. */
    public record Amount(long free, long total) {
    }

    /**
     * Allocates memory on the device, with undefined content, and leaves {@link #RESERVE} free.
     *
     * @param bytes at least 1
     * @return an address, aligned to 256 bytes
     * @throws CudaException if there is too little memory; the message states how much was free
     */
    public static long allocate(long bytes) {
        if (positive(bytes) > available().free() - RESERVE) {
            throw outOfMemory("cudaMalloc", Cudart.cudaErrorMemoryAllocation(), bytes);
        }
        try (var arena = Arena.ofConfined()) {
            var pointer = arena.allocate(JAVA_LONG);
            int status = Cudart.cudaMalloc(pointer, bytes);
            if (status != Cudart.cudaSuccess()) {
                throw outOfMemory("cudaMalloc", status, bytes);
            }
            return pointer.get(JAVA_LONG, 0);
        }
    }

    /** Frees a block that {@link #allocate} returned, after all work of the device that uses it. */
    public static void free(long address) {
        CudaException.check("cudaFree", Cudart.cudaFree(device("address", address)));
    }

    /**
     * Allocates pinned (page-locked) host memory, so that copies run asynchronously. It is freed when {@code arena} is
     * closed, and must not be used after that.
     *
     * @param arena confined or shared: an automatic one would free from a thread without a current device
     * @param bytes at least 1
     */
    public static MemorySegment pinned(Arena arena, long bytes) {
        positive(bytes);
        var pointer = CudaException.out("cudaHostAlloc",
                out -> Cudart.cudaHostAlloc(out, bytes, Cudart.cudaHostAllocDefault()));
        return pointer.reinterpret(bytes, arena,
                closed -> CudaException.check("cudaFreeHost", Cudart.cudaFreeHost(closed)));
    }

    /** Returns how much memory the current device has. */
    public static Amount available() {
        try (var arena = Arena.ofConfined()) {
            var free = arena.allocate(JAVA_LONG);
            var total = arena.allocate(JAVA_LONG);
            CudaException.check("cudaMemGetInfo", Cudart.cudaMemGetInfo(free, total));
            return new Amount(free.get(JAVA_LONG, 0), total.get(JAVA_LONG, 0));
        }
    }

    static MemorySegment device(String name, long address) {
        if (address == 0) {
            throw new IllegalArgumentException(name + ": 0 (expected: an address of device memory)");
        }
        return MemorySegment.ofAddress(address);
    }

    static MemorySegment host(String name, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(name + ": a segment on the heap (expected: a native one)");
        }
        return segment;
    }

    static long size(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("bytes: " + bytes + " (expected: at least 0)");
        }
        return bytes;
    }

    private static long positive(long bytes) {
        if (bytes < 1) {
            throw new IllegalArgumentException("bytes: " + bytes + " (expected: at least 1)");
        }
        return bytes;
    }

    private static CudaException outOfMemory(String function, int status, long bytes) {
        var sizes = bytes + " bytes";
        return CudaException.ofRuntime(function, status, status == Cudart.cudaErrorMemoryAllocation()
                ? "%s asked for, %d free, %d to be left for CUDA".formatted(sizes, available().free(), RESERVE)
                : sizes);
    }
}
