package org.lmdebugger.device.cpu;

import java.util.List;
import java.util.Optional;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceProvider;
import org.lmdebugger.device.Devices.Availability;
import org.lmdebugger.device.Precision;

/** The processor as a kind of device: there is one, {@code cpu}, and it computes in FP32 alone. */
public final class CpuProvider implements DeviceProvider {
    private static final String NAME = "cpu";
    private static final String THREADS = "lmdebugger.threads"; // all processors if it is not set

    @Override
    public String names() {
        return NAME;
    }

    @Override
    public boolean isUsable() {
        return true;
    }

    @Override
    public Device open(Precision precision) {
        if (precision != Precision.FP32) {
            throw new IllegalArgumentException("precision: " + precision + " (expected: FP32 on the CPU)");
        }
        return new CpuDevice(threads());
    }

    @Override
    public Optional<Device> open(String name, Precision precision) {
        return name.equals(NAME) ? Optional.of(open(precision)) : Optional.empty();
    }

    @Override
    public List<Availability> list() {
        try (var device = open(Precision.FP32)) {
            return List.of(new Availability(NAME, true, device.description()));
        } catch (NativeLibraryException | IllegalStateException failure) {
            return List.of(new Availability(NAME, false, failure.getMessage()));
        }
    }

    private static int threads() {
        int threads = Integer.getInteger(THREADS, Runtime.getRuntime().availableProcessors());
        if (threads < 1) {
            throw new IllegalArgumentException(THREADS + ": " + threads + " (expected: at least 1)");
        }
        return threads;
    }
}
