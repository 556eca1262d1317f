package org.lmdebugger.bindings;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The libraries of CUDA 13 and the kernels of this project, loaded once in a process.
 *
 * <p>If {@value #PATH} is set, only the directory that it names is searched. Otherwise the search order is: the dynamic
 * linker; {@code CUDA_PATH}, {@code CUDA_HOME} and {@code /usr/local/cuda}; the Python wheels of {@code VIRTUAL_ENV},
 * {@code CONDA_PREFIX} and {@code python3}. A library is used only if it exports every bound function. The kernels come
 * from the class path, or from the file that {@value #KERNELS} names.
 */
public final class CudaLibraries {
    /** Names the directory of CUDA's libraries; no other is searched then. */
    public static final String PATH = "lmdebugger.cuda.path";

    /** Names the library of kernels to load instead of the one on the class path. */
    public static final String KERNELS = "lmdebugger.native.library";

    private static final String KERNEL_FOLDER = "META-INF/native/linux-x86_64/";
    private static final String KERNEL_FILE = "liblmdebugger.so";
    private static final String KERNEL_ARTIFACT = "org.lmdebugger:lmdebugger-native";

    private static final String FIX = "an NVIDIA GPU with driver 580 or newer, CUDA 13's runtime and cuBLAS, as in "
            + "pip install nvidia-cuda-runtime nvidia-cublas, or -D" + PATH + "=DIRECTORY of libcudart.so.13, "
            + "libcublasLt.so.13, libcublas.so.13 and the libnvrtc.so.13 that cuBLAS uses; or --device cpu";

    private CudaLibraries() {
    }

    /** The result of loading: whether CUDA can be used in this process. */
    public sealed interface Result {
    }

    /**
     * The result when CUDA can be used.
     *
     * @param log each library with the file that it was loaded from, and the attempts before it
     */
    public record Loaded(List<String> log) implements Result {
    }

    /**
     * The result when CUDA cannot be used.
     *
     * @param reasons all attempts, and why each failed
     */
    public record Unavailable(List<String> reasons) implements Result {
        /** Returns the exception for a user who asked for the device {@code name}. */
        public NativeLibraryException exception(String name) {
            return new NativeLibraryException("device: %s: not usable (expected: %s); tried:%n  %s".formatted(name, FIX,
                    String.join(System.lineSeparator() + "  ", reasons)), null);
        }
    }

    /** Loads the libraries, once in a process; later calls return the result of the first. */
    public static Result load() {
        return Once.RESULT;
    }

    private static final class Once {
        private static final Result RESULT = load(System.getProperty(PATH), System.getenv());
    }

    private static Result load(String path, Map<String, String> environment) {
        var log = new ArrayList<String>();
        try {
            if (Platform.current() != Platform.LINUX_X86_64) {
                return new Unavailable(List.of("platform: %s (expected: %s)"
                        .formatted(Platform.current().classifier, Platform.LINUX_X86_64.classifier)));
            }
            boolean kernels = System.getProperty(KERNELS) != null
                    || NativeLibraries.isOnClassPath(KERNEL_FOLDER + KERNEL_FILE);
            if (!kernels) {
                log.add("%s: not on the class path (expected: %s there, built with nvcc, or -D%s=FILE)"
                        .formatted(KERNEL_FOLDER + KERNEL_FILE, KERNEL_ARTIFACT, KERNELS));
            }
            var search = search(path, environment, log);
            boolean found = loadAll(search);
            log.addAll(search.tried());
            if (!found || !kernels) {
                return new Unavailable(log);
            }
            CudaDevices.requireUsable();
            loadKernels();
            return new Loaded(log);
        } catch (NativeLibraryException | CudaException failure) {
            log.add(failure.getMessage());
            return new Unavailable(log);
        }
    }

    /**
     * Returns the search for CUDA's libraries.
     *
     * @param path the value of {@value #PATH}, or null
     */
    static CudaSearch search(String path, Map<String, String> environment, List<String> log) {
        if (path != null) {
            return new CudaSearch(false, () -> List.of(Path.of(path)));
        }
        return new CudaSearch(true, remembered(() -> CudaPlaces.directories(environment, CudaPlaces.TOOLKIT,
                CudaPlaces.pythonSitePackages(log))));
    }

    static boolean loadAll(CudaSearch search) {
        boolean runtime = search.load("libcudart.so.13", "cudart");
        boolean blasLt = search.load("libcublasLt.so.13", "cublaslt"); // which cuBLAS needs, too
        boolean blas = search.load("libcublas.so.13", "cublas");
        if (blas) {
            search.loadNeighbour("libnvrtc.so.13"); // with which cuBLAS compiles some kernels: it asks for it by this name
        }
        return runtime && blasLt && blas;
    }

    private static void loadKernels() {
        if (System.getProperty(KERNELS) != null) {
            NativeLibraries.loadFrom(KERNELS);
        } else {
            NativeLibraries.loadFromClassPath(KERNEL_FOLDER, List.of(KERNEL_FILE), KERNEL_ARTIFACT, KERNELS);
        }
        CudaKernels.requireThisVersion(System.getProperty(KERNELS, KERNEL_FOLDER + KERNEL_FILE));
    }

    private static <T> Supplier<T> remembered(Supplier<T> supplier) {
        var value = new ArrayList<T>(1);
        return () -> {
            if (value.isEmpty()) {
                value.add(supplier.get());
            }
            return value.getFirst();
        };
    }
}
