package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.cuda.CudaDevice;

/** Machines on which something is wrong, as the emulation pretends: what is done then, and what is said. */
@OnEveryDevice
class CudaFaultsTest {
    private static final String DEVICES = "LMDEBUGGER_EMULATED_DEVICES";
    private static final String MEMORY = "LMDEBUGGER_EMULATED_MEMORY";

    @BeforeAll
    static void needsTheEmulation() {
        assumeTrue(TestDevice.isEmulated(), "faults are emulated");
    }

    @Test
    void aCardThatIsTooOldIsPassedOver() {
        try (var _ = Emulation.set(DEVICES, 2);
                var _ = Emulation.set("LMDEBUGGER_EMULATED_CAPABILITIES", "75,80")) {
            var reason = "device: cuda:0: ffff:00:00.0 has compute capability 7.5 (expected: 8.0 or newer)";
            try (var device = Devices.open(); var same = Devices.open("cuda")) {
                assertThat(device.name()).isEqualTo("cuda:1").isEqualTo(same.name());
                assertThat(device.description()).contains("compute capability 8.0");
            }
            assertThatThrownBy(() -> Devices.open("cuda:0")).isInstanceOf(NativeLibraryException.class)
                    .hasMessage(reason);
            assertThat(Devices.list()).extracting(Devices.Availability::name).containsExactly("cpu", "cuda:0",
                    "cuda:1");
            assertThat(Devices.list()).extracting(Devices.Availability::usable).containsExactly(true, false, true);
            assertThat(Devices.list().get(1).detail()).isEqualTo(reason);
        }
    }

    /** Results may be resumed on another card of the same kind. */
    @Test
    void theArithmeticOfCardsOfOneKindIsTheSame() {
        try (var _ = Emulation.set(DEVICES, 3);
                var _ = Emulation.set("LMDEBUGGER_EMULATED_CAPABILITIES", "80,80,90");
                var first = Devices.open("cuda:0");
                var same = Devices.open("cuda:1");
                var other = Devices.open("cuda:2")) {
            assertThat(first.arithmetic()).isEqualTo(same.arithmetic()).isNotEqualTo(other.arithmetic())
                    .contains("cuBLAS ", "compute capability 8.0, ", " multiprocessors").doesNotContain("ffff:");
        }
    }

    @Test
    void withoutACardThatIsNewEnoughTheCpuIsTheDefault() {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_CAPABILITIES", "75"); var device = Devices.open()) {
            assertThat(device.name()).isEqualTo("cpu");
            assertThatThrownBy(() -> Devices.open("cuda")).isInstanceOf(NativeLibraryException.class)
                    .hasMessageContaining("compute capability 7.5 (expected: 8.0 or newer)");
        }
    }

    @Test
    void singlePrecisionThatTheEnvironmentRoundsIsRefused() {
        try (var _ = Emulation.set("NVIDIA_TF32_OVERRIDE", 1); var device = TestDevice.open()) {
            assertThatThrownBy(() -> device.call(session -> null)).isInstanceOf(NativeLibraryException.class)
                    .hasMessage("fp32: cuBLAS computes 1.000001 · 1 as 1.0 (expected: 1.000001; unset variables of the "
                            + "environment that change its arithmetic, such as NVIDIA_TF32_OVERRIDE and "
                            + "CUBLAS_EMULATE_SINGLE_PRECISION)");
            assertThat(Devices.list().get(1).usable()).isFalse();
        }
    }

    @Test
    void afterAFailureOfTheCardTheProcessMustBeStartedAgain() {
        try (var device = TestDevice.open();
                var x = device.allocate(ElementType.F32, 32, 32); // rows enough for cuBLAS
                var counter = device.allocate(ElementType.I32, 1, 1)) {
            failsFor(device, session -> session.increment(counter),
                    "lmdebugger_increment: 700 cudaErrorIllegalAddress: ");
            failsFor(device, session -> session.multiply(x, x, x), "cublasGemmEx: 13 CUBLAS_STATUS_EXECUTION_FAILED: ");
            failsFor(device, session -> {}, "cudaStreamSynchronize: 700 cudaErrorIllegalAddress: ");
            assertThat(device.<Integer>call(session -> 3)).isEqualTo(3);
        }
    }

    private static void failsFor(Device device, Consumer<Operations> work, String reason) {
        assertThatThrownBy(() -> device.call(session -> {
            try (var _ = Emulation.set("LMDEBUGGER_EMULATED_FAULT", 700)) {
                work.accept(session);
                return device.<Integer>call(nested -> 3);
            }
        })).isInstanceOfSatisfying(CudaException.class, failure -> assertThat(failure.isFatal()).isTrue())
                .hasMessageStartingWith(reason).hasMessageEndingWith(
                        "; every call of CUDA in this process fails from now on (expected: a restart of the process)");
    }

    /** They wait for a thread that frees memory all the time, and go on on other platform threads. */
    @Test
    void memoryOfVirtualThreadsIsThatOfTheirCard() throws Exception {
        try (var _ = keeping(); var _ = Emulation.set(DEVICES, 2);
                var first = new CudaDevice(0, Precision.FP32); var second = new CudaDevice(1, Precision.FP32)) {
            first.allocate(ElementType.F32, 1, 1).close(); // which keep the block
            second.allocate(ElementType.F32, 1, 1).close();
            long[] free = {free(0), free(1)};
            var tensors = new ConcurrentLinkedQueue<Tensor>();
            try (var threads = Executors.newVirtualThreadPerTaskExecutor();
                    var busy = Executors.newSingleThreadExecutor()) {
                var freeing = busy.submit(() -> {
                    while (!Thread.interrupted()) {
                        first.allocate(ElementType.F32, 1, 1).close();
                        second.allocate(ElementType.F32, 1, 1).close();
                    }
                });
                var allocated = IntStream.range(0, 2000).mapToObj(i -> threads.submit(() -> tensors.add(
                        (i % 2 == 0 ? first : second).allocate(ElementType.F32, 1, i % 2 == 0 ? 1000 : 2000))))
                        .toList();
                for (var one : allocated) {
                    one.get();
                }
                freeing.cancel(true);
            }
            assertThat(free[0] - free(0)).isEqualTo(1000 * 4000);
            assertThat(free[1] - free(1)).isEqualTo(1000 * 8000);
            tensors.forEach(Tensor::close);
        }
    }

    private static long free(int device) {
        return CudaDevices.on(device, CudaMemory::available).free();
    }

    @Test
    void aVirtualThreadDoesNotMakeACardCurrent() throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var failure = threads.submit(() -> catchThrowable(() -> CudaDevices.on(0, () -> 3))).get();
            assertThat(failure).isInstanceOf(IllegalStateException.class)
                    .hasMessage("cuda:0: used on a virtual thread (expected: a platform thread)");
        }
    }

    @Test
    void aCallForAnotherCardWithinACallLeavesItsOwnCurrent() {
        try (var _ = Emulation.set(DEVICES, 2); var first = new CudaDevice(0, Precision.FP32);
                var second = new CudaDevice(1, Precision.FP32); var x = first.allocate(ElementType.I32, 1, 1)) {
            int[] got = new int[1];
            first.call(session -> {
                session.upload(x, new int[] {4});
                try (var y = second.allocate(ElementType.I32, 1, 1)) {
                    session.increment(x);
                    second.call(other -> {
                        other.upload(y, new int[] {7});
                        first.call(again -> {
                            again.increment(x);
                            return null;
                        });
                        other.increment(y);
                        return null;
                    });
                    session.increment(x);
                    assertThat(y.toInts()).containsExactly(8);
                }
                session.download(got, x);
                return null;
            });
            assertThat(got).containsExactly(7);
        }
    }

    /** Code of kernels, graphs and handles take memory when they are needed first. */
    @Test
    void whatCudaHasNoRoomForIsOutOfMemory() {
        try (var _ = Emulation.set(DEVICES, 3); var device = new CudaDevice(2, Precision.FP32); // that none has used
                var counter = device.allocate(ElementType.I32, 1, 1)) {
            device.call(session -> null);
            try (var _ = Emulation.set(MEMORY, used(2))) {
                refused(device, session -> session.increment(counter),
                        "lmdebugger_increment: 2 cudaErrorMemoryAllocation: out of memory");
            }
            device.call(session -> {
                session.upload(counter, new int[1]);
                session.increment(counter);
                return null;
            });
            try (var _ = Emulation.set(MEMORY, used(2))) { // for a graph either, whose work is done without one
                incrementTwice(device, counter);
            }
            assertThat(counter.toInts()).containsExactly(3);
            incrementTwice(device, counter);
            assertThat(counter.toInts()).containsExactly(5);
        }
    }

    private static void incrementTwice(Device device, Tensor counter) {
        device.call(session -> {
            try (var replay = session.record(() -> session.increment(counter))) {
                replay.run();
                replay.run();
            }
            return null;
        });
    }

    private static void refused(Device device, Consumer<Operations> work, String reason) {
        assertThatThrownBy(() -> device.call(session -> {
            work.accept(session);
            return null;
        })).isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageStartingWith("memory of %s: work: %s".formatted(device.name(), reason));
    }

    private static long used(int device) {
        var memory = CudaDevices.on(device, CudaMemory::available);
        return memory.total() - memory.free();
    }

    /** cuBLAS has other names for it. */
    @Test
    void whatCublasHasNoRoomForIsOutOfMemory() {
        try (var _ = Emulation.set(DEVICES, 4)) {
            CudaDevices.on(3, () -> { // that none has used
                long memory = CudaMemory.allocate(512);
                try (var stream = CudaStream.create()) {
                    try (var _ = Emulation.set(MEMORY, used(3))) {
                        outOfMemory(() -> CublasHandle.create(stream, memory, 256),
                                "cublasCreate: 1 CUBLAS_STATUS_NOT_INITIALIZED");
                        outOfMemory(() -> CublasLtHandle.create(stream, memory, 256),
                                "cublasLtCreate: 1 CUBLAS_STATUS_NOT_INITIALIZED");
                    }
                    var x = new CublasHandle.Matrix(memory + 256, 1);
                    try (var blas = CublasHandle.create(stream, memory, 256);
                            var blasLt = CublasLtHandle.create(stream, memory, 256);
                            var _ = Emulation.set(MEMORY, used(3))) {
                        outOfMemory(() -> blasLt.gemm(CublasHandle.Arithmetic.FP32, 1, 1, 1, x, x, memory, x, true),
                                "cublasLtMatmul: 14 CUBLAS_STATUS_INTERNAL_ERROR");
                        outOfMemory(() -> blas.gemm(CublasHandle.Arithmetic.FP32, false, 1, 1, 1, x, x, x),
                                "cublasGemmEx: 14 CUBLAS_STATUS_INTERNAL_ERROR");
                    }
                    return null;
                } finally {
                    CudaMemory.free(memory);
                }
            });
        }
    }

    /** As the real library does at times. */
    @Test
    void aKernelThatWasChosenAndDoesNotRunIsNotChosenAgain() {
        long memory = CudaMemory.allocate(1 << 20);
        var matrix = new CublasHandle.Matrix(memory + 4096, 2);
        try (var stream = CudaStream.create(); var blas = CublasLtHandle.create(stream, memory, 4096)) {
            BooleanSupplier gemm = () -> blas.gemm(CublasHandle.Arithmetic.FP32, 2, 2, 2, matrix, matrix, memory + 8192,
                    matrix, true);
            assertThat(gemm.getAsBoolean()).isTrue();
            try (var _ = Emulation.set("LMDEBUGGER_EMULATED_EPILOGUES", "none")) {
                assertThat(gemm.getAsBoolean()).isFalse();
            }
            assertThat(gemm.getAsBoolean()).isFalse();
            stream.synchronize();
        } finally {
            CudaMemory.free(memory);
        }
    }

    private static void outOfMemory(ThrowingCallable call, String reason) {
        assertThatThrownBy(call).isInstanceOfSatisfying(CudaException.class,
                failure -> assertThat(failure.isOutOfMemory()).isTrue()).hasMessageStartingWith(reason);
    }

    @Test
    void aCardWithoutRoomIsListedWithTheReason() {
        try (var _ = Emulation.set(MEMORY, 1000)) {
            var card = Devices.list().get(1);
            assertThat(card.name()).isEqualTo("cuda:0");
            assertThat(card.usable()).isFalse();
            assertThat(card.detail())
                    .startsWith("memory of cuda:0: a queue of work: cudaMalloc: 2 cudaErrorMemoryAllocation");
        }
    }

    @Test
    void freedMemoryIsKeptUpToAnEighthAndGivenBackWhenItIsNeeded() throws Exception {
        try (var _ = keeping(); var _ = Emulation.set(DEVICES, 2); var _ = Emulation.set(MEMORY, 400_000_000);
                var device = new CudaDevice(1, Precision.FP32)) {
            long used = used(1);
            for (int i = 1; i <= 100; i++) {
                device.allocate(ElementType.F32, i, 10_000).close(); // 202,000,000 bytes
                assertThat(used(1) - used).isLessThanOrEqualTo(50_000_000);
            }
            assertThat(used(1) - used).isGreaterThan(40_000_000);
            device.allocate(ElementType.F32, 1, (400_000_000 - used - CudaMemory.RESERVE) / 4).close();
        }
    }

    /** Has devices keep freed memory until it is closed, as they do unless set otherwise. */
    private static AutoCloseable keeping() {
        var before = System.setProperty(CudaDevice.KEEP, "true");
        return () -> System.getProperties().compute(CudaDevice.KEEP, (key, now) -> before);
    }
}
