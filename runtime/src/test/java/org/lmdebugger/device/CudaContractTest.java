package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.lmdebugger.device.Matrix.assertClose;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasHandle.Arithmetic;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;

/** What only a GPU has: weights in BF16, and CUDA's own objects behind the device. */
@OnEveryDevice
class CudaContractTest extends ContractTest {
    CudaContractTest() {
        super(Precision.BF16);
    }

    @BeforeAll
    @Override
    void open() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
        super.open();
    }

    /** To nearest, ties to even. */
    private static float bf16(double x) {
        int bits = Float.floatToRawIntBits((float) x);
        return Float.intBitsToFloat(bits + 0x7fff + (bits >> 16 & 1) & 0xffff0000);
    }

    private static Matrix rounded(Matrix numbers) {
        return Matrix.of(numbers.rows(), numbers.columns(), (r, i) -> bf16(numbers.at(r, i)));
    }

    /** As a checkpoint's: rounded by the device. */
    private Tensor weights(Matrix numbers) {
        try (var arena = Arena.ofConfined()) {
            var file = arena.allocateFrom(ValueLayout.JAVA_FLOAT, numbers.data());
            var tensor = scope.add(device.load(ElementType.F32, numbers.rows(), numbers.columns(), file));
            assertThat(tensor.type()).isEqualTo(ElementType.BF16);
            return tensor;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 33, 64, 1028})
    void rowsAnywhereOfBf16(int n) {
        var x = Matrix.random(3, n, 1);
        var table = Matrix.random(7, n, 2);
        var values = rounded(table);
        int[] ids = {6, 0, 2};
        float[] shift = {1, -2, 0.5f};
        var gain = Matrix.random(1, n, 4);
        var embedded = empty(3, n);
        var shifted = x.on(device, scope);
        var norms = empty(1, 7);
        var reader = empty(3, n);
        var contributions = empty(3, 1);
        run(s -> {
            s.embed(embedded, weights(table), weights(table), ints(ids), ints(2, 3, 4));
            s.shiftResidual(shifted, scope.vector(s, shift), ints(ids), weights(table));
            s.rowNorms(norms, weights(table));
            s.logitReader(reader, x.on(device, scope), gain.on(device, scope), weights(table), ints(ids), 1e-5f);
            var neurons = scope.allocate(ElementType.I32, 3, 1);
            s.upload(neurons, ids);
            s.contributions(contributions, neurons, new Matrix(3, 1, shift).on(device, scope), weights(table), reader);
        });
        assertClose(embedded, FEW, 0, (r, i) -> values.at(ids[r], i) + values.at(r + 2, i));
        assertClose(shifted, FEW, 0, (r, i) -> x.at(r, i) + shift[r] * values.at(ids[r], i));
        assertClose(norms, 0, 1e-5,
                (z, r) -> Math.sqrt(IntStream.range(0, n).mapToDouble(i -> values.at(r, i) * values.at(r, i)).sum()));
        var g = Matrix.of(3, n, (r, i) -> gain.at(0, i) * values.at(ids[r], i) / deviation(x, r, 1e-5));
        assertClose(reader, 1e-5, 1e-5, (r, i) -> g.at(r, i) - mean(g, r));
        assertClose(contributions, 1e-5 * n, 1e-5, (r, j) -> shift[r] * IntStream.range(0, n)
                .mapToDouble(i -> values.at(ids[r], i) * (g.at(r, i) - mean(g, r))).sum());
    }

    /** Both operands are rounded, sums are not. */
    @ParameterizedTest
    @ValueSource(ints = {1, 5, 300})
    void productsOfBf16(int m) {
        int n = 3;
        int k = 65;
        var a = Matrix.random(m, k, 1);
        var b = Matrix.random(k, n + 2, 2);
        var bt = Matrix.of(n, k, (i, j) -> b.at(j, i + 1));
        var ra = rounded(a);
        var rb = rounded(b);
        var dot = Matrix.of(m, n,
                (i, j) -> IntStream.range(0, k).mapToDouble(l -> ra.at(i, l) * rb.at(l, j + 1)).sum());
        var c = empty(m, n);
        double tolerance = 3 * k * 0x1p-24 + FEW; // as that of products in single precision
        run(s -> s.multiply(c, a.windowOn(device, scope), weights(b).columns(1, n)));
        assertClose(c, tolerance, 1e-6, dot::at);
        run(s -> s.multiplyTransposed(c, a.windowOn(device, scope), weights(bt)));
        assertClose(c, tolerance, 1e-6, dot::at);
    }

    @Test
    void halfPrecisionFilesAreRounded() {
        var numbers = Matrix.of(3, 8, (r, i) -> (r + 1) * (1 + i / 512.0));
        try (var arena = Arena.ofConfined()) {
            var file = arena.allocate(2 * 24, 2);
            for (int i = 0; i < 24; i++) {
                file.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(numbers.data()[i]));
            }
            var x = Matrix.of(1, 8, (r, i) -> 0);
            var row = x.on(device, scope);
            var tensor = scope.add(device.load(ElementType.F16, 3, 8, file));
            run(s -> s.shiftResidual(row, scope.vector(s, 1f), ints(2), tensor));
            assertClose(row, 1e-30, 0, (r, i) -> bf16(numbers.at(2, i)));
        }
    }

    private static CudaKernels.Matrix f32(long address, long rows, long columns) {
        return new CudaKernels.Matrix(CudaKernels.Type.F32, address, rows, columns, columns);
    }

    @ParameterizedTest
    @CsvSource({"F32, 4", "I32, 4", "BF16, 2", "F16, 2", "F64, 8"})
    void rowsAndColumnsOfAMatrixAreAsFarOnAsItsTypeIsLarge(CudaKernels.Type type, int bytes) {
        var matrix = new CudaKernels.Matrix(type, 4096, 5, 6, 7);
        assertThat(matrix.rows(2, 3)).isEqualTo(new CudaKernels.Matrix(type, 4096 + 2 * 7 * bytes, 3, 6, 7));
        assertThat(matrix.columns(2, 3)).isEqualTo(new CudaKernels.Matrix(type, 4096 + 2 * bytes, 5, 3, 7));
    }

    @Test
    void productsOfRowsThatOverlapAreRefused() {
        long memory = CudaMemory.allocate(1 << 20);
        var matrix = new CublasHandle.Matrix(memory, 7);
        try (var stream = CudaStream.create(); var blas = CublasHandle.create(stream, memory, 1 << 20);
                var blasLt = CublasLtHandle.create(stream, memory, 1 << 20)) {
            assertThatThrownBy(() -> blas.gemm(Arithmetic.FP32, false, 2, 2, 9, matrix, matrix, matrix))
                    .hasMessage("ld of a: 7 (expected: at least 9)");
            assertThatThrownBy(() -> blasLt.gemm(Arithmetic.FP32, 2, 9, 2, matrix, matrix, memory, matrix, false))
                    .hasMessage("ld of b: 7 (expected: at least 9)");
            assertThatThrownBy(() -> blasLt.gemm(Arithmetic.FP32, 2, 2, -1, matrix, matrix, memory, matrix, false))
                    .hasMessage("sizes: m 2, n 2, k -1 (expected: none negative)");
            assertThat(blasLt.gemm(Arithmetic.FP32, 2, 2, 0, matrix, matrix, memory, matrix, false)).isFalse();
            assertThat(blasLt.gemm(Arithmetic.FP32, 0, 2, 2, matrix, matrix, memory, matrix, false)).isTrue();
            assertThat(blasLt.gemm(Arithmetic.FP32, 2, 0, 2, matrix, matrix, memory, matrix, false)).isTrue();
        } finally {
            CudaMemory.free(memory);
        }
    }

    /** A product that is held back is computed before memory that it uses goes back to the driver, where none is kept. */
    @ParameterizedTest
    @ValueSource(ints = {2, 20})
    void memoryMayBeClosedRightAfterItsUse(int rows) {
        var a = Matrix.random(rows, 8, 1);
        var b = Matrix.random(8, 8, 2);
        var c = empty(rows, 8);
        run(session -> {
            try (var operands = new TensorScope(device)) {
                var left = operands.allocate(ElementType.F32, rows, 8);
                var right = operands.allocate(ElementType.F32, 8, 8);
                session.upload(left, a.data());
                session.upload(right, b.data());
                session.multiply(c, left, right);
            }
        });
        assertClose(c, 1e-5, 1e-5, (r, i) -> IntStream.range(0, 8).mapToDouble(k -> a.at(r, k) * b.at(k, i)).sum());
    }

    /** Twice closed is closed; closed is not used. */
    @Test
    void closedObjectsAreNotUsed() throws Exception {
        long memory = CudaMemory.allocate(1 << 20);
        var stream = CudaStream.create();
        var blas = CublasHandle.create(stream, memory, 1 << 20);
        var blasLt = CublasLtHandle.create(stream, memory, 1 << 20);
        var kernels = new CudaKernels(stream);
        var graph = stream.capture(() -> kernels.addBias(f32(memory, 1, 4), f32(memory + 256, 1, 4)));
        graph.launch(stream);
        stream.synchronize();
        for (AutoCloseable handle : List.<AutoCloseable>of(graph, blas, blasLt, stream)) {
            handle.close();
            handle.close();
        }
        CudaMemory.free(memory);
        refused("CudaGraph", () -> graph.launch(stream));
        refused("CudaStream", stream::synchronize);
        refused("CudaStream", () -> new CudaKernels(stream));
        refused("CublasHandle", blas::version);
        var matrix = new CublasHandle.Matrix(memory, 1);
        refused("CublasLtHandle", () -> blasLt.gemm(Arithmetic.FP32, 1, 1, 1, matrix, matrix, memory, matrix, false));
    }

    private static void refused(String name, ThrowingCallable use) {
        assertThatThrownBy(use).isInstanceOf(IllegalStateException.class)
                .hasMessage(name + ": closed (expected: open)");
    }

    /** Its tensors and graphs are the caller's to close; the device refuses work and stays closed. */
    @Test
    void aClosedDeviceIsNotUsed() {
        var closing = TestDevice.open();
        var tensor = closing.allocate(ElementType.F32, 1, 4);
        closing.call(session -> null);
        closing.close();
        closing.close();
        assertThatThrownBy(() -> closing.call(session -> null)).isInstanceOf(IllegalStateException.class)
                .hasMessage("cuda:0: closed");
        tensor.close();
    }

    /** It needs a workspace of 32 MiB. */
    @Test
    void aQueueThatDoesNotFitIsRefused() {
        try (var fresh = TestDevice.open()) {
            try (var _ = new FilledMemory(8 << 20)) {
                assertThatThrownBy(() -> fresh.call(session -> null)).isInstanceOf(OutOfDeviceMemoryException.class)
                        .hasMessageMatching("memory of cuda:0: a queue of work: .*out of memory.*");
            }
            assertThat(fresh.<Integer>call(session -> 3)).isEqualTo(3);
        }
    }

    /** What was asked for and what was free. */
    @Test
    void tooLittleMemoryIsSaidInBytes() {
        assertThatThrownBy(() -> device.allocate(ElementType.F32, 1L << 40, 16))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageMatching(
                        "memory of cuda:0: \\[1099511627776, 16] of F32: cudaMalloc: 2 cudaErrorMemoryAllocation: "
                                + "out of memory \\(70368744177664 bytes asked for, \\d+ free, 67108864 to be left for CUDA\\)");
        device.call(session -> null); // works as before
    }
}
