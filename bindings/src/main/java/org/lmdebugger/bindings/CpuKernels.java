package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import org.lmdebugger.bindings.lmdebuggercpu.LmDebuggerCpu;

/**
 * Single-precision matrix products of this project's own, for x86-64 processors with AVX2 or AVX-512 under Linux. Each
 * element is one chain of fused multiply-adds in the order of the inner dimension, so its bits depend on its row and
 * its column alone: not on the shape, the number of threads, or the processor. Each product is computed by the calling
 * thread alone. Any number of threads may call at once.
 *
 * <p>Matrices are row-major: {@code ld} is the distance between the starts of neighbouring rows, and offsets are in
 * bytes. Operands that do not lie within their segments are refused before native code runs.
 */
public final class CpuKernels {
    /** Names a library to load instead of the one on the class path. */
    public static final String LIBRARY = "lmdebugger.cpu.library";
    /** Limits the floats of a vector: 16, 8, or 0 to use no kernels of this library. */
    public static final String LANES = "lmdebugger.cpu.lanes";

    private static final String FOLDER = "META-INF/native/linux-x86_64/";
    private static final String FILE = "liblmdebugger-cpu.so";

    private CpuKernels() {
    }

    /**
     * Returns the floats in the vectors that products use: 16 (AVX-512), 8 (AVX2), or 0 if there are no kernels for
     * this machine, or none on the class path.
     *
     * @throws NativeLibraryException if there is a library but it cannot be loaded
     */
    public static int lanes() {
        if (Loaded.FAILURE != null) {
            throw new NativeLibraryException(Loaded.FAILURE.getMessage(), Loaded.FAILURE);
        }
        return Loaded.lanes;
    }

    /** Returns the bytes of scratch memory that a product needs. */
    public static long scratch() {
        return LmDebuggerCpu.lmdebugger_cpu_scratch();
    }

    /**
     * Computes C = A·op(B), or C += A·op(B), where op transposes or not.
     *
     * @param m rows of C and A
     * @param n columns of C and op(B)
     * @param k columns of A, rows of op(B)
     * @param lanes 16 or 8, at most {@link #lanes()}
     * @param scratch memory that no other call uses at the same time: {@link #scratch()} bytes, aligned to 64
     * @throws IllegalArgumentException if an operand does not lie within its segment
     */
    public static void sgemm(boolean transposeB, int m, int n, int k,
            MemorySegment a, long aOffset, long lda, MemorySegment b, long bOffset, long ldb,
            boolean accumulate, MemorySegment c, long cOffset, long ldc, int lanes, MemorySegment scratch) {
        if (lanes != 16 && lanes != 8 || lanes > lanes()) {
            throw new IllegalArgumentException("lanes: %d (expected: 16 or 8, at most %d)".formatted(lanes, lanes()));
        }
        OpenBlas.check(m, n, k);
        OpenBlas.check("a", a, aOffset, lda, m, k);
        OpenBlas.check("b", b, bOffset, ldb, transposeB ? n : k, transposeB ? k : n);
        OpenBlas.check("c", c, cOffset, ldc, m, n);
        if (!scratch.isNative() || scratch.byteSize() < scratch() || scratch.address() % 64 != 0) {
            throw new IllegalArgumentException("scratch: %d bytes at %d (expected: %d native bytes, aligned to 64)"
                    .formatted(scratch.byteSize(), scratch.address(), scratch()));
        }
        // Addresses instead of slices: a decoded token makes some fifty products, and no object.
        LmDebuggerCpu.lmdebugger_cpu_sgemm(c.address() + cOffset, a.address() + aOffset, b.address() + bOffset, m, n, k,
                ldc, lda, ldb, transposeB ? 1 : 0, accumulate ? 1 : 0, lanes, scratch.address());
        Reference.reachabilityFence(a);
        Reference.reachabilityFence(b);
        Reference.reachabilityFence(c);
        Reference.reachabilityFence(scratch);
    }

    /** Returns the lanes that {@link #LANES} allows. */
    static int most() {
        var text = System.getProperty(LANES, "16");
        if (!List.of("16", "8", "0").contains(text)) {
            throw new NativeLibraryException("%s: %s (expected: 16, 8 or 0)".formatted(LANES, text), null);
        }
        return Integer.parseInt(text);
    }

    /** A holder whose initialisation loads the library; the JVM initialises a class once. */
    private static final class Loaded {
        private static int lanes;
        private static final NativeLibraryException FAILURE = load();

        private static NativeLibraryException load() {
            try {
                int most = most();
                if (most == 0) {
                    return null;
                }
                if (System.getProperty(LIBRARY) != null) {
                    NativeLibraries.loadFrom(LIBRARY);
                } else if (Platform.current() == Platform.LINUX_X86_64
                        && NativeLibraries.isOnClassPath(FOLDER + FILE)) {
                            NativeLibraries.loadFromClassPath(FOLDER, List.of(FILE), "org.lmdebugger:lmdebugger-native",
                                    LIBRARY);
                        } else {
                            return null;
                        }
                lanes = Math.min(most, LmDebuggerCpu.lmdebugger_cpu_lanes());
                return null;
            } catch (NativeLibraryException failure) {
                return failure;
            }
        }
    }
}
