package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import org.lmdebugger.bindings.cudart.Cudart;

/**
 * The GPUs of this machine, numbered from 0. For use after {@link CudaLibraries#load()} has returned {@code Loaded}.
 * Each thread has a current device, on which the memory and streams that it creates are made.
 */
public final class CudaDevices {
    private static final int MAJOR = 13;

    /** The oldest compute capability that the kernels are built for, as {@code native/CMakeLists.txt} lists them: 8.0. */
    private static final int OLDEST = 80;

    /** The device of the innermost call of {@link #on} in a thread. */
    private static final ThreadLocal<Integer> CURRENT = new ThreadLocal<>();

    private CudaDevices() {
    }

    /** Returns the number of GPUs. */
    public static int count() {
        return out("cudaGetDeviceCount", Cudart::cudaGetDeviceCount);
    }

    /**
     * Does {@code work} with a device current in this thread. The device of an enclosing call is current again afterwards.
     *
     * @throws IllegalStateException on a virtual thread: wherever it waits, it may go on on another platform thread, where
     *                               another device is current
     */
    public static <T> T on(int device, Supplier<T> work) {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("cuda:%d: used on a virtual thread (expected: a platform thread)"
                    .formatted(device));
        }
        var outer = CURRENT.get();
        if (outer != null && outer == device) {
            return work.get();
        }
        makeCurrent(device);
        CURRENT.set(device);
        try {
            return work.get();
        } finally {
            if (outer == null) {
                CURRENT.remove();
            } else {
                CURRENT.set(outer);
                makeCurrent(outer);
            }
        }
    }

    private static void makeCurrent(int device) {
        CudaException.check("cudaSetDevice", Cudart.cudaSetDevice(device));
    }

    /** Returns the version of the CUDA runtime, such as 13000 for 13.0. */
    public static int runtimeVersion() {
        return out("cudaRuntimeGetVersion", Cudart::cudaRuntimeGetVersion);
    }

    /** Returns the newest version of CUDA that the driver supports, such as 13000 for 13.0; 0 without a driver. */
    public static int driverVersion() {
        return out("cudaDriverGetVersion", Cudart::cudaDriverGetVersion);
    }

    /** Returns the compute capability of a device, such as 90 for 9.0. */
    public static int computeCapability(int device) {
        return 10 * attribute(device, Cudart.cudaDevAttrComputeCapabilityMajor())
                + attribute(device, Cudart.cudaDevAttrComputeCapabilityMinor());
    }

    /** Returns the number of multiprocessors of a device, or of the part of it that this process has. */
    public static int multiprocessors(int device) {
        return attribute(device, Cudart.cudaDevAttrMultiProcessorCount());
    }

    /** Returns whether a device is new enough for the kernels. */
    public static boolean isSuitable(int device) {
        return computeCapability(device) >= OLDEST;
    }

    /**
     * Checks that a device is new enough for the kernels.
     *
     * @throws NativeLibraryException if it is older, with its compute capability
     */
    public static void requireSuitable(int device) {
        if (!isSuitable(device)) {
            throw new NativeLibraryException("device: cuda:%d: %s has compute capability %.1f (expected: %.1f or newer)"
                    .formatted(device, name(device), computeCapability(device) / 10.0, OLDEST / 10.0), null);
        }
    }

    /** Returns the PCI address of a device, such as {@code 0000:3b:00.0}. */
    private static String pciBusId(int device) {
        try (var arena = Arena.ofConfined()) {
            var text = arena.allocate(16);
            CudaException.check("cudaDeviceGetPCIBusId",
                    Cudart.cudaDeviceGetPCIBusId(text, Math.toIntExact(text.byteSize()), device));
            return text.getString(0).toLowerCase(Locale.ROOT);
        }
    }

    /** Returns the driver's name of a device, such as {@code NVIDIA H100}; without one, its PCI address. */
    public static String name(int device) {
        var place = pciBusId(device);
        var information = Path.of("/proc/driver/nvidia/gpus", place, "information");
        try (var lines = Files.lines(information)) {
            return lines.filter(line -> line.startsWith("Model:")).map(line -> line.substring(6).strip()).findFirst()
                    .orElse(place);
        } catch (IOException notTold) {
            return place; // some containers have no such file
        }
    }

    /**
     * Checks that CUDA is usable.
     *
     * @throws NativeLibraryException if runtime or driver does not fit, or there is no GPU
     */
    static void requireUsable() {
        require("runtime", runtimeVersion(), "CUDA %d".formatted(MAJOR), runtimeVersion() / 1000 == MAJOR);
        require("driver", driverVersion(), "CUDA %d or newer: driver 580 or newer".formatted(MAJOR),
                driverVersion() / 1000 >= MAJOR);
        if (count() == 0) {
            throw new NativeLibraryException(
                    "devices: 0 (expected: at least one; CUDA_VISIBLE_DEVICES may hide them)", null);
        }
    }

    private static void require(String name, int version, String expected, boolean suits) {
        if (!suits) {
            throw new NativeLibraryException("%s: %s (expected: %s)".formatted(name, version == 0 ? "none"
                    : "for CUDA %d.%d".formatted(version / 1000, version % 1000 / 10), expected), null);
        }
    }

    private static int attribute(int device, int attribute) {
        return out("cudaDeviceGetAttribute", value -> Cudart.cudaDeviceGetAttribute(value, attribute, device));
    }

    private static int out(String function, ToIntFunction<MemorySegment> call) {
        try (var arena = Arena.ofConfined()) {
            var value = arena.allocate(JAVA_INT);
            CudaException.check(function, call.applyAsInt(value));
            return value.get(JAVA_INT, 0);
        }
    }
}
