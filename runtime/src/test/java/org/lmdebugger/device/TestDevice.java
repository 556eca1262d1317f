package org.lmdebugger.device;

import org.junit.jupiter.api.Assumptions;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.device.cuda.CudaDevice;

/**
 * The device of tests that are tagged {@code device}, which the build repeats: {@code lmdebugger.test.on} is {@code cpu},
 * {@code emulated} or {@code cuda}. Where CUDA cannot be used they are skipped, saying why; they fail instead if
 * {@code require.gpu} is set or, by emulation, on the build server.
 */
public final class TestDevice {
    private static final String ON = System.getProperty("lmdebugger.test.on", "cpu");

    private TestDevice() {
    }

    public static boolean isCpu() {
        return ON.equals("cpu");
    }

    public static boolean isEmulated() {
        return ON.equals("emulated");
    }

    public static Device open() {
        return open(Precision.FP32);
    }

    /** @param precision for a GPU; the CPU has FP32 alone, and the test is skipped there for any other */
    public static Device open(Precision precision) {
        if (isCpu()) {
            Assumptions.assumeTrue(precision == Precision.FP32, () -> precision + " is for GPUs");
            return new CpuDevice(2);
        }
        try {
            return new CudaDevice(0, precision);
        } catch (NativeLibraryException failure) {
            boolean required = isEmulated() ? "true".equals(System.getenv("CI")) : Boolean.getBoolean("require.gpu");
            if (required) {
                throw new AssertionError("tests on " + ON + ": " + failure.getMessage(), failure);
            }
            Once.say(failure);
            Assumptions.abort(failure.getMessage());
            throw failure;
        }
    }

    private static final class Once {
        private static boolean said;

        static synchronized void say(NativeLibraryException failure) {
            if (!said) {
                said = true;
                System.out.println("tests on " + ON + ": not run: " + failure.getMessage().lines()
                        .filter(line -> !line.endsWith("loaded")).reduce((first, last) -> last).orElseThrow().strip());
            }
        }
    }
}
