/**
 * Bindings of native libraries: classes generated from their headers, code that finds and loads the libraries, and
 * facades that check arguments. Every argument for OpenBLAS is checked. For CUDA, host memory, sizes and leading
 * dimensions are checked; the caller is responsible for addresses of device memory.
 *
 * <p>Restricted methods of the JDK are called in this package only. The JVM requires
 * {@code --enable-native-access=ALL-UNNAMED} (or {@code Enable-Native-Access: ALL-UNNAMED} in a launcher's manifest).
 *
 * <p>{@link org.lmdebugger.bindings.OpenBlas} may be called from any thread. A CUDA handle is for one thread at a time,
 * a platform thread on which {@link org.lmdebugger.bindings.CudaDevices#on} has chosen the device:
 * {@snippet :
 * if (CudaLibraries.load() instanceof CudaLibraries.Unavailable unavailable) {
 *     throw unavailable.exception("cuda:0");
 * }
 * CudaDevices.on(0, () -> {
 *     long workspace = CudaMemory.allocate(32 << 20);
 *     try (var stream = CudaStream.create(); var blas = CublasHandle.create(stream, workspace, 32 << 20)) {
 *         blas.gemm(Arithmetic.FP32, false, m, n, k, a, b, c);
 *         stream.synchronize();
 *         return null;
 *     } finally {
 *         CudaMemory.free(workspace);
 *     }
 * });
 * }
 */
package org.lmdebugger.bindings;
