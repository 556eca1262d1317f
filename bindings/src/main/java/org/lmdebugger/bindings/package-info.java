/**
 * Native libraries, and nothing above them: what is generated from their headers, what finds and loads them, and
 * facades that check what can be checked. No mistake of a caller reaches OpenBLAS; of CUDA, host memory, sizes and
 * leading dimensions are checked, while addresses of device memory are the caller's.
 *
 * <p>All restricted methods of the JDK are called here alone. The JVM wants {@code --enable-native-access=ALL-UNNAMED}
 * (a launcher's manifest may say {@code Enable-Native-Access: ALL-UNNAMED} instead).
 *
 * <p>{@link org.lmdebugger.bindings.OpenBlas} may be called from any thread. A CUDA handle is for one thread at a time,
 * a platform thread, on which {@link org.lmdebugger.bindings.CudaDevices#makeCurrent} has chosen the device:
 * {@snippet :
 * if (CudaLibraries.load() instanceof CudaLibraries.Unavailable unavailable) {
 *     throw unavailable.exception("cuda:0");
 * }
 * CudaDevices.makeCurrent(0);
 * long workspace = CudaMemory.allocate(32 << 20);
 * try (var stream = CudaStream.create(); var blas = CublasHandle.create(stream, workspace, 32 << 20)) {
 *     blas.gemm(Arithmetic.FP32, false, false, m, n, k, a, b, 0, c);
 *     stream.synchronize();
 * } finally {
 *     CudaMemory.free(workspace);
 * }
 * }
 */
package org.lmdebugger.bindings;
