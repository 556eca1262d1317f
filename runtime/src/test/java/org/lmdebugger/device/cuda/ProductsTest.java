package org.lmdebugger.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;
import java.util.function.BiConsumer;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Emulation;
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
            run(Precision.TF32X3, most, (products, kernels) -> products.multiply(c, left, right, false));
            assertThat(worst(c, a, b, _ -> 0)).isLessThanOrEqualTo(K * (0x1p-21 + 3 * K * 0x1p-23));
        }
    }

    /** With room for 100 rows, A comes in pieces of 64; but not where the product overwrites what its rows are computed from. */
    @Test
    void rowsThatAreConsumedComeInPieces() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        int rows = 300;
        try (var device = TestDevice.open(Precision.TF32); var scope = new TensorScope(device)) {
            var from = scope.add(load(device, numbers(rows * N, 1), N));
            var gain = scope.add(load(device, numbers(K, 2), K));
            var bias = scope.add(load(device, numbers(K, 3), K));
            var b = scope.add(load(device, numbers(K * K, 4), K));
            var y = scope.add(load(device, new float[rows * K], K));
            var expected = scope.allocate(ElementType.F32, rows, K);
            var pieces = scope.allocate(ElementType.F32, rows, K);
            var x = from.columns(0, K);
            var starts = new ArrayList<Long>();
            var unread = new float[rows * K];
            run(Precision.TF32, K * 100L, (products, kernels) -> {
                Products.RowKernel norm = (first, to, tf32) -> {
                    starts.add(first);
                    kernels.layerNorm(to, CudaOperations.matrix(x.rows(first, to.rows())), CudaOperations.matrix(gain),
                            CudaOperations.matrix(bias), 1e-5f, tf32);
                };
                products.compute(y, norm, x, gain, bias);
                products.multiply(expected, y, b, false);
                products.flush();
                assertThat(starts).containsExactly(0L);
                products.compute(y, norm, x, gain, bias);
                products.consume(pieces, y, b);
                products.flush();
                assertThat(starts).containsExactly(0L, 0L, 64L, 128L, 192L, 256L);
                products.compute(y, norm, x, gain, bias);
                products.consume(x, y, b);
                products.flush();
                assertThat(starts).hasSize(7);
            });
            assertThat(expected.toFloats()).isNotEqualTo(unread);
            assertThat(pieces.toFloats()).isEqualTo(expected.toFloats());
            assertThat(x.toFloats()).isEqualTo(expected.toFloats());
        }
    }

    /** Whose product is as close as operands of eight bits of mantissa give. */
    @ParameterizedTest
    @EnumSource(names = {"TF32", "BF16"})
    void operandsThatAreRoundedComeInPieces(Precision precision) {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        int rows = 300;
        var a = numbers(rows * K, 1);
        var b = numbers(K * N, 2);
        try (var device = TestDevice.open(precision); var scope = new TensorScope(device)) {
            var c = scope.allocate(ElementType.F32, rows, N);
            var left = fresh(scope, device, a, K);
            var right = scope.add(load(device, b, N));
            run(precision, K * 100L, (products, kernels) -> products.multiply(c, left, right, false));
            assertThat(worst(c, a, b, _ -> 0)).isLessThanOrEqualTo(K * 0x1.1p-8);
        }
    }

    /**
     * A bias, and the residual stream, are added by the product itself, in pieces as it comes, if cuBLASLt has a kernel for
     * that; then the product alone is not stored. Without one, kernels of their own add.
     */
    @ParameterizedTest
    @EnumSource
    void theAdditionAfterAProductIsAPartOfIt(Precision precision) {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        int rows = 300;
        var nan = new float[rows * N];
        Arrays.fill(nan, Float.NaN);
        var a = numbers(rows * K, 1);
        var b = numbers(K * N, 2);
        var bias = numbers(N, 3);
        var x = numbers(rows * N, 4);
        try (var device = TestDevice.open(precision); var scope = new TensorScope(device)) {
            var left = window(scope, device, a, K, 1); // that is aligned to 4 bytes, and C to 8
            var right = scope.add(load(device, b, N));
            var added = fresh(scope, device, bias, N);
            for (var kernels : new String[] {"all", "none"}) {
                var c = window(scope, device, nan, N, 2);
                var y = fresh(scope, device, nan, N);
                var residual = window(scope, device, x, N, 2);
                try (var _ = Emulation.set("LMDEBUGGER_EMULATED_EPILOGUES", kernels);
                        var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1)) {
                    run(precision, 3 * K * 100, (products, alone) -> {
                        products.multiply(c, left, right, false);
                        assertThat(products.addBias(c, added)).isTrue();
                        products.multiply(y, left, right, false);
                        assertThat(products.biasResidual(residual, y, added)).isTrue();
                    });
                }
                if (kernels.equals("all") && TestDevice.isEmulated()) {
                    assertThat(y.toFloats()).isEqualTo(nan);
                }
                double bound = K * (precision == Precision.TF32 || precision == Precision.BF16 ? 0x1.1p-8 : 0x1p-20);
                assertThat(worst(c, a, b, i -> bias[i % N])).isLessThanOrEqualTo(bound);
                assertThat(worst(residual, a, b, i -> (double) bias[i % N] + x[i])).isLessThanOrEqualTo(bound);
            }
        }
    }

    /** Returns the largest deviation of the elements from A·B and what was added to it. */
    private static double worst(Tensor got, float[] a, float[] b, IntToDoubleFunction added) {
        var elements = got.toFloats();
        return IntStream.range(0, elements.length).mapToDouble(i -> Math.abs(elements[i] - added.applyAsDouble(i)
                - IntStream.range(0, K).mapToDouble(l -> (double) a[i / N * K + l] * b[l * N + i % N]).sum())).max()
                .orElseThrow();
    }

    /** The stream that a product's operands are read from does not grow before they are. */
    @Test
    void whatAProductReadsIsNotAddedToByIt() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        int rows = 300;
        try (var device = TestDevice.open(Precision.TF32); var scope = new TensorScope(device)) {
            var x = fresh(scope, device, numbers(rows * K, 1), K);
            var other = fresh(scope, device, numbers(rows * K, 1), K);
            var b = scope.add(load(device, numbers(K * K, 2), K));
            var vector = fresh(scope, device, numbers(K, 3), K);
            var y = fresh(scope, device, new float[rows * K], K);
            var c = fresh(scope, device, new float[rows * K], K);
            run(Precision.TF32, K * 100L, (products, kernels) -> {
                products.multiply(c, x, b, false);
                assertThat(products.biasResidual(x, c, vector)).isFalse();
                assertThat(products.biasResidual(other, y, vector)).isFalse();
                products.compute(y,
                        (first, to, tf32) -> kernels.biasGelu(to, CudaOperations.matrix(y.rows(first, to.rows())),
                                CudaOperations.matrix(vector), false, tf32),
                        vector, other);
                products.consume(c, y, b);
                assertThat(products.biasResidual(other, c, vector)).isFalse();
                assertThat(products.biasResidual(y, c, vector)).isFalse();
                assertThat(products.biasResidual(x, c, vector)).isTrue();
                assertThat(products.biasResidual(x, c, vector)).isFalse();
            });
        }
    }

    private static Tensor fresh(TensorScope scope, Device device, float[] numbers, int columns) {
        return window(scope, device, numbers, columns, 0);
    }

    /** Returns a matrix whose rows lie behind as many other numbers each. */
    private static Tensor window(TensorScope scope, Device device, float[] numbers, int columns, int others) {
        var tensor = scope.allocate(ElementType.F32, numbers.length / columns, columns + others).columns(others,
                columns);
        device.call(session -> {
            session.upload(tensor, numbers);
            return null;
        });
        return tensor;
    }

    private static void run(Precision precision, long most, BiConsumer<Products, CudaKernels> work) {
        CudaDevices.on(0, () -> {
            long workspace = CudaMemory.allocate(WORKSPACE);
            long copies = CudaMemory.allocate(2 * most * Float.BYTES);
            try (var stream = CudaStream.create();
                    var blas = CublasHandle.create(stream, workspace, WORKSPACE);
                    var blasLt = CublasLtHandle.create(stream, workspace, WORKSPACE)) {
                var kernels = new CudaKernels(stream);
                var products = new Products(blas, blasLt, kernels, precision, copies, most);
                work.accept(products, kernels);
                products.flush();
                stream.synchronize();
            }
            CudaMemory.free(copies);
            CudaMemory.free(workspace);
            return null;
        });
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
