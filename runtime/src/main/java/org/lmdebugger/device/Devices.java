package org.lmdebugger.device;

import java.util.List;
import org.lmdebugger.bindings.CudaLibraries;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.cpu.CpuDevice;

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

    /** The device to use when nobody chose one: the CPU. */
    public static Device open() {
        return open("cpu");
    }

    /**
     * The device of that name, and never another in its place.
     *
     * @param name {@code cpu}, {@code cuda} or {@code cuda:1}
     * @throws IllegalArgumentException if there is no device of that name
     * @throws NativeLibraryException if the device cannot be used, saying everything that was tried
     */
    public static Device open(String name) {
        if (name.equals("cpu")) {
            return new CpuDevice(threads());
        }
        if (name.matches("cuda(:\\d{1,4})?")) {
            throw withoutCuda(name);
        }
        throw new IllegalArgumentException("device: " + name + " (expected: cpu, cuda, or cuda:1 for the second GPU)");
    }

    /** What is usable, and why the rest is not. */
    public static List<Availability> list() {
        return List.of(cpu(), new Availability("cuda", false, withoutCuda("cuda").getMessage()));
    }

    private static NativeLibraryException withoutCuda(String name) {
        return switch (CudaLibraries.load()) {
            case CudaLibraries.Unavailable unavailable -> unavailable.exception(name);
            case CudaLibraries.Loaded loaded -> new CudaLibraries.Unavailable(
                    List.of("its libraries load, but this version computes on the CPU alone")).exception(name);
        };
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
