package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** NVIDIA's own runtime, where it is installed: it needs no GPU to say that there is none. */
class CudaRuntimeTest {
    @BeforeAll
    static void load() {
        var search = CudaLibraries.search(System.getProperty(CudaLibraries.PATH), System.getenv(), new ArrayList<>());
        assumeTrue(Platform.current() == Platform.LINUX_X86_64 && search.load("libcudart.so.13", "cudart"),
                () -> "no CUDA 13 runtime: " + search.tried());
    }

    @Test
    void theRuntimeIsThatOfTheBindings() {
        assertThat(CudaDevices.runtimeVersion() / 1000).isEqualTo(13);
    }

    @Test
    void failuresCarryFunctionCodeNameMeaningAndSizes() {
        var failure = CudaException.ofRuntime("cudaMalloc", 2, "12 bytes asked for, 3 free");
        assertThat(failure)
                .hasMessage("cudaMalloc: 2 cudaErrorMemoryAllocation: out of memory (12 bytes asked for, 3 free)");
        assertThat(failure.isOutOfMemory()).isTrue();
        assertThat(CudaException.ofRuntime("cudaEventQuery", 600, "")).hasMessageNotContaining("(")
                .hasMessageStartingWith("cudaEventQuery: 600 cudaErrorNotReady: ");
    }

    @Test
    void withoutADriverEveryCallSaysSo() {
        assumeTrue(CudaDevices.driverVersion() == 0, "this machine has a driver");
        assertThatThrownBy(CudaDevices::requireUsable).isInstanceOf(NativeLibraryException.class)
                .hasMessage("driver: none (expected: CUDA 13 or newer: driver 580 or newer)");
        assertThatThrownBy(CudaDevices::count).isInstanceOf(CudaException.class)
                .hasMessageStartingWith("cudaGetDeviceCount: 35 cudaErrorInsufficientDriver");
        assertThatThrownBy(CudaStream::create).hasMessageStartingWith("cudaStreamCreateWithFlags: 35");
        assertThatThrownBy(() -> CudaMemory.allocate(4096)).hasMessageStartingWith("cudaMemGetInfo: 35");
        try (var arena = Arena.ofConfined()) {
            assertThatThrownBy(() -> CudaMemory.pinned(arena, 4096)).hasMessageStartingWith("cudaHostAlloc: 35");
        }
    }

    @Test
    void badArgumentsAreRefusedBeforeTheRuntimeSeesThem() {
        assertThatThrownBy(() -> CudaMemory.allocate(0)).hasMessage("bytes: 0 (expected: at least 1)");
        assertThatThrownBy(() -> CudaMemory.free(0)).hasMessage("address: 0 (expected: an address of device memory)");
    }
}
