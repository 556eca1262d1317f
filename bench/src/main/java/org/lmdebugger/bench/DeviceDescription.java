package org.lmdebugger.bench;

import org.lmdebugger.bindings.CublasHandle.Arithmetic;
import org.lmdebugger.bindings.CublasHandle.Matrix;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;
import org.lmdebugger.device.Devices;

/**
 * Prints what a device is: the GPU, its driver, and the versions of CUDA and cuBLAS; and for which products of a sweep of
 * GPT-2 small cuBLASLt has kernels that add the bias.
 */
final class DeviceDescription {
    private static final int ROWS = 1024;
    private static final int WIDTH = 768;
    private static final int WORKSPACE = 32 << 20;

    private DeviceDescription() {
    }

    /** @param arguments the device, as the command line takes it */
    public static void main(String[] arguments) {
        try (var device = Devices.open(arguments[0])) {
            System.out.println(device.name() + ": " + device.description());
            if (device.name().startsWith("cuda:")) {
                CudaDevices.on(Integer.parseInt(device.name().substring("cuda:".length())), () -> {
                    printAdditions();
                    return null;
                });
            }
        }
    }

    private static void printAdditions() {
        long matrix = (long) Float.BYTES * ROWS * 4 * WIDTH; // the largest, which each is given
        long memory = CudaMemory.allocate(4 * matrix + WORKSPACE);
        try (var stream = CudaStream.create();
                var blas = CublasLtHandle.create(stream, memory + 4 * matrix, WORKSPACE)) {
            for (var arithmetic : Arithmetic.values()) {
                System.out.printf(
                        "%s: products add the bias of queries, keys and values: %b; that of attention, and the "
                                + "stream: %b; that of the FFN, and the stream: %b%n",
                        arithmetic,
                        adds(blas, arithmetic, memory, matrix, 3 * WIDTH, WIDTH, false),
                        adds(blas, arithmetic, memory, matrix, WIDTH, WIDTH, true),
                        adds(blas, arithmetic, memory, matrix, WIDTH, 4 * WIDTH, true));
            }
            stream.synchronize();
        } finally {
            CudaMemory.free(memory);
        }
    }

    private static boolean adds(CublasLtHandle blas, Arithmetic arithmetic, long memory, long matrix, int columns,
            int inner,
            boolean stream) {
        return blas.gemm(arithmetic, ROWS, columns, inner, new Matrix(memory, inner),
                new Matrix(memory + matrix, columns), memory + 2 * matrix, new Matrix(memory + 3 * matrix, columns),
                stream);
    }
}
