package org.lmdebugger.device;

import java.util.Optional;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.device.cuda.CudaDevice;

/**
 * The device of tests that run on every device: {@code lmdebugger.test.on} is {@code cpu}, {@code emulated} or
 * {@code cuda}. Where CUDA cannot be used they are skipped with a line that says why; they fail instead if
 * {@code require.gpu} is set or, by emulation, on the build server.
 */
public final class TestDevice {
    private static final String ON = System.getProperty("lmdebugger.test.on", "cpu");
    private static boolean said;

    private TestDevice() {
    }

    public static boolean isCpu() {
        return ON.equals("cpu");
    }

    /** Returns whether kernels run by emulation, many times slower than the CPU device. */
    public static boolean isEmulated() {
        return ON.equals("emulated");
    }

    public static Device open() {
        return open(Precision.FP32);
    }

    /** @param precision FP32 on the CPU */
    public static Device open(Precision precision) {
        return isCpu() ? new CpuDevice(2) : new CudaDevice(0, precision);
    }

    /** Why the device cannot be used, if it cannot and need not be. */
    public static synchronized Optional<String> missing() {
        if (isCpu()) {
            return Optional.empty();
        }
        try {
            open().close();
            return Optional.empty();
        } catch (NativeLibraryException failure) {
            if (isEmulated() ? "true".equals(System.getenv("CI")) : Boolean.getBoolean("require.gpu")) {
                throw failure;
            }
            if (!said) {
                said = true;
                System.out.printf("tests on %s: not run: %s%n", ON, failure.getMessage().replaceAll("\\R *", "; "));
            }
            return Optional.of(failure.getMessage());
        }
    }
}
