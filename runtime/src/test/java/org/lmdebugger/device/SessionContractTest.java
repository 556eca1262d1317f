package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.lmdebugger.device.Matrix.assertClose;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.lmdebugger.bindings.cudart.Cudart;

/** Sessions, tensors and their memory: what {@link Operations} refuses, records and lends. */
@OnEveryDevice
class SessionContractTest extends ContractTest {
    /** A number of four equal bytes. */
    private static final float FILLED = Float.intBitsToFloat(0x40404040);

    SessionContractTest() {
        super(Precision.FP32);
    }

    @Test
    void recordedWorkIsWhatItIsAtOnce() {
        var x = Matrix.random(5, 192, 1);
        var weights = Matrix.random(192, 192, 2).on(device, scope);
        var once = x.on(device, scope);
        var replayed = x.on(device, scope);
        var y = empty(5, 192);
        run(s -> {
            Consumer<Tensor> work = to -> {
                s.multiply(y, to, weights);
                s.biasResidual(to, y, weights.row(3));
            };
            for (int i = 0; i < 3; i++) {
                work.accept(once);
            }
            try (var replay = s.record(() -> work.accept(replayed))) {
                for (int i = 0; i < 3; i++) {
                    replay.run();
                }
            }
        });
        assertThat(replayed.toFloats()).isEqualTo(once.toFloats());
    }

    @Test
    void aSessionIsUsableAfterAFailureWhileRecording() {
        var x = Matrix.random(2, 8, 1);
        var tensor = x.on(device, scope);
        run(s -> {
            assertThatThrownBy(() -> s.record(() -> {
                s.addBias(tensor, tensor.row(0));
                throw new IllegalStateException("on purpose");
            }).run()).hasMessage("on purpose");
            s.addBias(tensor, tensor.row(1));
        });
        run(s -> s.copy(tensor, x.on(device, scope)));
        assertThat(tensor.toFloats()).isEqualTo(x.data());
    }

    /** Two threads, each with a queue of its own. */
    @Test
    void sessionsDoNotDisturbEachOther() throws Exception {
        var weights = Matrix.random(64, 64, 2).on(device, scope);
        IntFunction<float[]> work = seed -> {
            try (var own = new TensorScope(device)) {
                return device.call(s -> {
                    var x = own.allocate(ElementType.F32, 7, 64);
                    var y = own.allocate(ElementType.F32, 7, 64);
                    s.upload(x, Matrix.random(7, 64, seed).data());
                    for (int i = 0; i < 5; i++) {
                        s.layerNorm(y, x, weights.row(0), weights.row(1), 1e-5f);
                        s.multiply(x, y, weights);
                    }
                    var result = new float[7 * 64];
                    s.download(result, x);
                    return result;
                });
            }
        };
        var alone = IntStream.range(0, 12).mapToObj(work).toList();
        try (var threads = Executors.newFixedThreadPool(2)) {
            var together = IntStream.range(0, 12).mapToObj(seed -> threads.submit(() -> work.apply(seed))).toList();
            for (int seed = 0; seed < 12; seed++) {
                assertThat(together.get(seed).get()).as("seed %d", seed).isEqualTo(alone.get(seed));
            }
        }
    }

    @Test
    void rowsAreMoved() {
        var from = Matrix.random(5, 7, 1);
        var gathered = empty(3, 7);
        var others = Matrix.random(5, 7, 2);
        var scattered = others.on(device, scope);
        var copied = empty(5, 7);
        var counters = ints(3, -1, 7);
        run(s -> {
            s.gatherRows(gathered, from.windowOn(device, scope), ints(4, 0, 4));
            s.scatterRows(scattered, gathered.rows(0, 2), ints(1, 3));
            s.copy(copied, from.on(device, scope));
            s.increment(counters);
        });
        assertClose(gathered, 1e-30, 0, (r, i) -> from.at(r == 1 ? 0 : 4, i));
        assertThat(scattered.row(1).toFloats()).isEqualTo(gathered.row(0).toFloats());
        assertThat(scattered.row(3).toFloats()).isEqualTo(gathered.row(1).toFloats());
        for (int r = 0; r < 5; r += 2) {
            assertThat(scattered.row(r).toFloats()).isEqualTo(Arrays.copyOfRange(others.data(), 7 * r, 7 * r + 7));
        }
        assertThat(copied.toFloats()).isEqualTo(from.data());
        assertThat(counters.toInts()).containsExactly(4, 0, 8);
    }

    /** Weights of half the size, as files hold them, in an odd shape. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void weightsAreWidened(ElementType type) {
        var numbers = Matrix.of(3, 7, (r, i) -> (r + 1) * Math.scalb(1 + i / 8.0, i - 3)); // exact in either type
        try (var arena = Arena.ofShared()) {
            var file = arena.allocate(2 * 21, 2);
            for (int i = 0; i < 21; i++) {
                float number = numbers.data()[i];
                file.setAtIndex(ValueLayout.JAVA_SHORT, i, type == ElementType.F16 ? Float.floatToFloat16(number)
                        : (short) (Float.floatToRawIntBits(number) >> 16));
            }
            assertThat(scope.add(device.load(type, 3, 7, file)).toFloats()).isEqualTo(numbers.data());
        }
    }

    @Test
    void tooMuchMemoryIsRefusedWithTheNumbers() {
        assertThatThrownBy(() -> device.allocate(ElementType.F32, 1L << 40, 16))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageContaining("[1099511627776, 16]");
    }

    @Test
    void recordedWorkIsRepeated() {
        var counter = ints(0);
        run(s -> {
            try (var replay = s.record(() -> s.increment(counter))) {
                IntStream.range(0, 5).forEach(i -> replay.run());
            }
        });
        assertThat(counter.toInts()).containsExactly(5);
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var before = x.toFloats();
        assertThatThrownBy(() -> run(s -> s.addBias(x, empty(1, 7)))).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("bias: F32[1, 7]").hasMessageEndingWith("(expected: shape [1, 8])");
        assertThatThrownBy(() -> run(s -> s.embed(x, empty(5, 8), empty(5, 8), ints(0), ints(0, 1))))
                .hasMessageStartingWith("ids: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.multiply(x, empty(2, 3), empty(4, 8))))
                .hasMessageStartingWith("b: F32[4, 8]");
        assertThatThrownBy(() -> run(s -> s.topK(scope.allocate(ElementType.I32, 2, 9), empty(2, 9), x)))
                .hasMessage("k: 9 (expected: 1 to 8)");
        assertThatThrownBy(() -> run(s -> s.bottomK(scope.allocate(ElementType.I32, 2, 9), empty(2, 9), x)))
                .hasMessage("k: 9 (expected: 1 to 8)");
        assertThatThrownBy(() -> run(s -> s.linkClusters(x, 0, 1))).hasMessageContaining("(expected: shape [8, 8])");
        assertThatThrownBy(() -> run(s -> s.linkClusters(empty(2, 2), 1, 1)))
                .hasMessage("clusters: 1 and 1 (expected: two different ones below 2)");
        assertThatThrownBy(() -> run(s -> s.upload(x, new float[3]))).hasMessage("from: 3 elements (expected: 16)");
        assertThatThrownBy(() -> run(s -> s.upload(x, new int[16]))).hasMessageContaining("expected: type I32");
        assertThatThrownBy(() -> run(s -> s.attention(x, x,
                new AttentionContext(3, 1, empty(0, 8), empty(0, 8), empty(2, 8), empty(2, 8), ints(0)), 1)))
                        .hasMessageStartingWith("heads: 3");
        assertThat(x.toFloats()).isEqualTo(before);
    }

    @Test
    void aClosedTensorIsNotUsed() {
        var x = device.allocate(ElementType.F32, 2, 2);
        x.close();
        x.close();
        assertThatThrownBy(x::toFloats).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void windowsOutsideATensorAreRefused() {
        var x = empty(3, 4);
        assertThatThrownBy(() -> x.rows(2, 2)).isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageContaining("within 0 to 3");
        assertThatThrownBy(() -> x.columns(-1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    /** On a window, so that strides count. */
    @Test
    void workOfAProgramsOwnHasItsPlaceAmongTheOperations() {
        var x = Matrix.random(5, 40, 1);
        var tensor = x.windowOn(device, scope);
        var bias = Matrix.of(1, 40, (r, i) -> 1).on(device, scope);
        var ahead = empty(5, 40);
        run(s -> {
            s.addBias(tensor, bias);
            s.copy(ahead, tensor);
            s.access(tensor, memory -> {
                fillRow(memory, 3, 40);
                return null;
            });
            s.addBias(tensor, bias);
        });
        assertClose(ahead, FEW, FEW, (r, i) -> x.at(r, i) + 1);
        assertClose(tensor, FEW, FEW, (r, i) -> r == 3 ? FILLED + 1 : x.at(r, i) + 2);
    }

    @Test
    void recordedWorkOfAProgramsOwnIsRepeated() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var y = empty(2, 8);
        run(s -> {
            try (var replay = s.record(() -> s.access(x, memory -> {
                fillRow(memory, 1, 8);
                return null;
            }))) {
                replay.run();
                s.copy(y, x);
                s.upload(x, new float[16]);
                replay.run();
            }
        });
        assertThat(y.row(1).toFloats()).containsOnly(FILLED);
        assertThat(x.toFloats()).startsWith(new float[8]).endsWith(y.row(1).toFloats());
    }

    /** Sets a row to {@link #FILLED} without any of the device's operations. */
    private static void fillRow(TensorAccess memory, long row, long columns) {
        switch (memory) {
            case TensorAccess.Host(var segment, long stride) ->
                    segment.asSlice(4 * row * stride, 4 * columns).fill((byte) 0x40);
            case TensorAccess.Cuda(long address, long stride, long stream) -> assertThat(Cudart.cudaMemsetAsync(
                    MemorySegment.ofAddress(address + 4 * row * stride), 0x40, 4 * columns,
                    MemorySegment.ofAddress(stream))).isZero();
        }
    }

    @Test
    void memoryOfTheHostIsLentWithinBoundsForAWhileToOneThread() {
        assumeTrue(TestDevice.isCpu(), "addresses of a GPU are the program's to check");
        var x = Matrix.random(3, 4, 1).windowOn(device, scope);
        run(s -> {
            var lent = s.access(x, memory -> {
                var segment = ((TensorAccess.Host) memory).segment();
                assertThat(segment.byteSize()).isEqualTo(4 * (2 * memory.stride() + 4));
                assertThat(segment.isAccessibleBy(new Thread())).isFalse();
                return segment;
            });
            assertThatThrownBy(() -> lent.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
            assertThat(s.<Boolean>access(x.asReadOnly(), memory -> ((TensorAccess.Host) memory).segment().isReadOnly()))
                    .isTrue();
            assertThat(s.<Long>access(empty(0, 4), memory -> ((TensorAccess.Host) memory).segment().byteSize()))
                    .isZero();
        });
    }

    @Test
    void theMemoryOfAClosedTensorIsNotLent() {
        var x = device.allocate(ElementType.F32, 2, 2);
        x.close();
        assertThatThrownBy(() -> run(s -> s.access(x, memory -> memory))).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aReadOnlyTensorIsReadAndNotWritten() {
        var x = Matrix.random(2, 8, 1).on(device, scope);
        var before = x.toFloats();
        var fixed = x.asReadOnly();
        var refused = "%s, read-only (expected: a tensor of your own)".formatted(fixed);
        assertThatThrownBy(() -> run(s -> s.upload(fixed, new float[16]))).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("to: " + refused);
        assertThatThrownBy(() -> run(s -> s.upload(fixed.row(1).columns(2, 3), new float[3])))
                .hasMessageStartingWith("to: F32[1, 3]");
        assertThatThrownBy(() -> run(s -> s.copy(fixed, x))).hasMessage("to: " + refused);
        assertThatThrownBy(() -> run(s -> s.addBias(fixed, empty(1, 8)))).hasMessage("x: " + refused);
        assertThatThrownBy(() -> run(s -> s.measure(LogitStatistics.logSumExp(empty(1, 2).asReadOnly()), x)))
                .hasMessageStartingWith("logSumExp: ");
        assertThatThrownBy(() -> run(s -> s.increment(ints(1).asReadOnly()))).hasMessageStartingWith("counters: ");
        fixed.close(); // a window, which owns nothing
        assertThat(fixed.toFloats()).isEqualTo(before);
    }
}
