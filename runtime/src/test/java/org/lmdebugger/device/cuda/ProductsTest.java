package org.lmdebugger.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.device.TestDevice;

@OnEveryDevice
class ProductsTest {
    private static final int WORKSPACE = 8 << 20;
    private static final int K = 8;
    private static final int N = 140;

    /** With room for 100 rows of three parts each, A comes in five pieces and B in three. */
    @Test
    void operandsThatAreSplitComeInPieces() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        int rows = 300;
        int most = 3 * K * 100;
        var a = numbers(rows * K, 1);
        var b = numbers(K * N, 2);
        try (var device = TestDevice.open(Precision.TF32X3); var scope = new TensorScope(device)) {
            var c = scope.allocate(ElementType.F32, rows, N);
            var left = scope.add(load(device, a, K));
            var right = scope.add(load(device, b, N));
            CudaDevices.on(0, () -> {
                long workspace = CudaMemory.allocate(WORKSPACE);
                long copies = CudaMemory.allocate(2L * most * Float.BYTES);
                try (var stream = CudaStream.create();
                        var blas = CublasHandle.create(stream, workspace, WORKSPACE)) {
                    new Products(blas, new CudaKernels(stream), Precision.TF32X3, copies, most)
                            .multiply(c, left, right, false);
                    stream.synchronize();
                }
                CudaMemory.free(copies);
                CudaMemory.free(workspace);
                return null;
            });
            var product = c.toFloats();
            double worst = IntStream.range(0, rows * N).mapToDouble(i -> Math.abs(product[i] - IntStream.range(0, K)
                    .mapToDouble(l -> (double) a[i / N * K + l] * b[l * N + i % N]).sum())).max().orElseThrow();
            assertThat(worst).isLessThanOrEqualTo(K * (0x1p-21 + 3 * K * 0x1p-23));
        }
    }

    private static float[] numbers(int count, int seed) {
        var random = new Random(seed);
        var numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = 2 * random.nextFloat() - 1;
        }
        return numbers;
    }

    private static Tensor load(Device device, float[] numbers, int columns) {
        try (var arena = Arena.ofConfined()) {
            return device.load(ElementType.F32, numbers.length / columns, columns,
                    arena.allocateFrom(ValueLayout.JAVA_FLOAT, numbers));
        }
    }
}
