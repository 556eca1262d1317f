package org.lmdebugger.device;

import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.device.cuda.CudaDevice;
import org.lmdebugger.text.Shown;

/** The devices of this machine. */
public final class Devices {
    /** Sets how many threads the CPU device uses; all processors by default. */
    public static final String THREADS = "lmdebugger.threads";

    private Devices() {
    }

    /**
     * A device that could be opened.
     *
     * @param name   as {@link #open(String)} takes it
     * @param usable whether it can be opened
     * @param detail what it is, or every reason why it cannot be opened
     */
    public record Availability(String name, boolean usable, String detail) {
    }

    /** The device to use when nobody chose one: the first GPU if CUDA can be used, else the CPU. */
    public static Device open() {
        return CudaDevice.isUsable() ? open("cuda") : open("cpu");
    }

    /** As {@link #open(String, Precision)}, in FP32. */
    public static Device open(String name) {
        return open(name, Precision.FP32);
    }

    /**
     * The device of that name, and never another in its place.
     *
     * @param name      {@code cpu}, {@code cuda} or {@code cuda:1}
     * @param precision the arithmetic of its products; the CPU has FP32 alone
     * @throws IllegalArgumentException if there is no device of that name, or it has no such arithmetic
     * @throws NativeLibraryException if the device cannot be used, saying everything that was tried
     */
    public static Device open(String name, Precision precision) {
        if (name.equals("cpu")) {
            if (precision != Precision.FP32) {
                throw new IllegalArgumentException("precision: " + precision + " (expected: FP32 on the CPU)");
            }
            return new CpuDevice(threads());
        }
        if (name.matches("cuda(:\\d{1,4})?")) {
            return new CudaDevice(name.equals("cuda") ? 0 : Integer.parseInt(name.substring(5)), precision);
        }
        throw new IllegalArgumentException("device: " + Shown.of(name) + " (expected: cpu, cuda, or cuda:1 for the second GPU)");
    }

    /** What is usable, and why the rest is not: the CPU first. */
    public static List<Availability> list() {
        var devices = new ArrayList<>(List.of(cpu()));
        try {
            for (int i = 0; i < CudaDevice.count(); i++) {
                try (var device = new CudaDevice(i, Precision.FP32)) {
                    devices.add(new Availability(device.name(), true, device.description()));
                }
            }
        } catch (NativeLibraryException failure) {
            devices.add(new Availability("cuda", false, failure.getMessage()));
        }
        return devices;
    }

    private static Availability cpu() {
        try (var device = open("cpu")) {
            return new Availability("cpu", true, device.description());
        } catch (NativeLibraryException | IllegalStateException failure) {
            return new Availability("cpu", false, failure.getMessage());
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
