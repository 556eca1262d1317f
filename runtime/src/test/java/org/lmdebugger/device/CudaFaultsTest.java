package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.NativeLibraryException;

/** Machines on which something is wrong, as the emulation pretends: what is done then, and what is said. */
@OnEveryDevice
class CudaFaultsTest {
    @BeforeAll
    static void needsTheEmulation() {
        assumeTrue(TestDevice.isEmulated(), "faults are emulated");
    }

    @Test
    void aCardThatIsTooOldIsPassedOver() {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_DEVICES", 2);
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
}
