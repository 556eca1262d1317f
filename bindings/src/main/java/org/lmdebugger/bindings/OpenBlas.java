package org.lmdebugger.bindings;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cblas.CBlas;

/**
 * Single-precision matrix products by OpenBLAS, each computed by the calling thread alone: for several threads, a
 * caller divides the product and calls from each of them. Any number of threads may call at once.
 *
 * <p>Matrices are row-major: {@code ld} is the distance between the starts of neighbouring rows, and offsets are in
 * bytes. Operands that do not lie within their segments are refused before native code runs.
 */
public final class OpenBlas {
    /** Names a library to load instead of the one on the class path. */
    public static final String LIBRARY = "lmdebugger.openblas.library";

    private OpenBlas() {
    }

    /**
     * Loads the library now rather than at the first product.
     *
     * @throws NativeLibraryException if it cannot be loaded; the message lists all attempts and a remedy
     */
    public static void load() {
        Loaded.once();
    }

    /** Returns the loaded library's description of itself: version, build and the processor of its kernels. */
    public static String description() {
        Loaded.once();
        return text(CBlas.openblas_get_config());
    }

    /**
     * Computes C = A·op(B) + beta·C, where op transposes or not; with a beta of 0, C is not read.
     *
     * @param m rows of C and A
     * @param n columns of C and op(B)
     * @param k columns of A, rows of op(B)
     * @throws IllegalArgumentException if an operand does not lie within its segment
     */
    public static void sgemm(boolean transposeB, int m, int n, int k,
            MemorySegment a, long aOffset, int lda, MemorySegment b, long bOffset, int ldb,
            float beta, MemorySegment c, long cOffset, int ldc) {
        Loaded.once();
        check(m, n, k);
        check("a", a, aOffset, lda, m, k);
        check("b", b, bOffset, ldb, transposeB ? n : k, transposeB ? k : n);
        check("c", c, cOffset, ldc, m, n);
        if (m > 0 && n > 0) {
            CBlas.cblas_sgemm(CBlas.CblasRowMajor(), CBlas.CblasNoTrans(),
                    transposeB ? CBlas.CblasTrans() : CBlas.CblasNoTrans(), m, n, k,
                    1, a.asSlice(aOffset), lda, b.asSlice(bOffset), ldb, beta, c.asSlice(cOffset), ldc);
        }
    }

    /** Refuses sizes that are negative. */
    static void check(int m, int n, int k) {
        if (m < 0 || n < 0 || k < 0) {
            throw new IllegalArgumentException("sizes: m %d, n %d, k %d (expected: none negative)".formatted(m, n, k));
        }
    }

    /** Refuses a matrix that does not lie within its segment. */
    static void check(String name, MemorySegment segment, long offset, long ld, int rows, int columns) {
        if (ld < Math.max(1, columns)) {
            throw new IllegalArgumentException("ld of %s: %d (expected: at least %d)"
                    .formatted(name, ld, Math.max(1, columns)));
        }
        long bytes = rows == 0 || columns == 0 ? 0 : 4 * ((rows - 1L) * ld + columns);
        if (!segment.isNative() || offset < 0 || offset > segment.byteSize() - bytes) {
            throw new IllegalArgumentException("%s: %d bytes from %d on (expected: within a native segment of %d bytes)"
                    .formatted(name, bytes, offset, segment.byteSize()));
        }
    }

    private static String text(MemorySegment pointer) {
        return pointer.reinterpret(Integer.MAX_VALUE).getString(0).strip();
    }

    /** A holder whose initialisation loads the library; the JVM initialises a class once. */
    private static final class Loaded {
        private static final NativeLibraryException FAILURE = load();

        private static NativeLibraryException load() {
            try {
                if (System.getProperty(LIBRARY) != null) {
                    NativeLibraries.loadFrom(LIBRARY);
                } else {
                    var platform = Platform.current();
                    NativeLibraries.loadFromClassPath("org/bytedeco/openblas/" + platform.classifier + "/",
                            platform.openBlasFiles, "org.lmdebugger:lmdebugger-interpret-platform, or "
                                    + "org.bytedeco:openblas:" + platform.classifier + ",",
                            LIBRARY);
                }
                CBlas.openblas_set_num_threads(1);
                return null;
            } catch (NativeLibraryException failure) {
                return failure;
            }
        }

        static void once() {
            if (FAILURE != null) {
                throw new NativeLibraryException(FAILURE.getMessage(), FAILURE);
            }
        }
    }
}
