package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.ToIntFunction;
import org.lmdebugger.bindings.cudart.Cudart;

/**
 * The GPUs of this machine, numbered from 0, once {@link CudaLibraries#load()} has said that there are any. The current
 * device belongs to a thread: memory, streams and events are made on the device of the thread that makes them.
 */
public final class CudaDevices {
    private static final int MAJOR = 13;

    private CudaDevices() {
    }

    /** How many there are. */
    public static int count() {
        return out("cudaGetDeviceCount", Cudart::cudaGetDeviceCount);
    }

    /** Makes the device current in this thread. */
    public static void makeCurrent(int device) {
        CudaException.check("cudaSetDevice", Cudart.cudaSetDevice(device));
    }

    /** The device of this thread. */
    public static int current() {
        return out("cudaGetDevice", Cudart::cudaGetDevice);
    }

    /** Version of the runtime, such as 13000 for 13.0. */
    public static int runtimeVersion() {
        return out("cudaRuntimeGetVersion", Cudart::cudaRuntimeGetVersion);
    }

    /** The newest CUDA that the driver knows, such as 13000 for 13.0; 0 without a driver. */
    public static int driverVersion() {
        return out("cudaDriverGetVersion", Cudart::cudaDriverGetVersion);
    }

    /** The generation of a device, such as 90 for compute capability 9.0. */
    public static int computeCapability(int device) {
        return 10 * attribute(device, Cudart.cudaDevAttrComputeCapabilityMajor())
                + attribute(device, Cudart.cudaDevAttrComputeCapabilityMinor());
    }

    /** How many blocks of threads can run at once at the least. */
    public static int multiprocessors(int device) {
        return attribute(device, Cudart.cudaDevAttrMultiProcessorCount());
    }

    /** Shared memory that one block may ask for, in bytes. */
    public static int sharedMemoryPerBlock(int device) {
        return attribute(device, Cudart.cudaDevAttrMaxSharedMemoryPerBlockOptin());
    }

    /** Where a device sits, such as {@code 0000:3b:00.0}. */
    public static String pciBusId(int device) {
        try (var arena = Arena.ofConfined()) {
            var text = arena.allocate(16);
            CudaException.check("cudaDeviceGetPCIBusId",
                    Cudart.cudaDeviceGetPCIBusId(text, Math.toIntExact(text.byteSize()), device));
            return text.getString(0).toLowerCase(Locale.ROOT);
        }
    }

    /** The driver's name of a device, such as {@code NVIDIA H100}; its place where the driver does not tell it. */
    public static String name(int device) {
        var place = pciBusId(device);
        var information = Path.of("/proc/driver/nvidia/gpus", place, "information");
        try (var lines = Files.lines(information)) {
            return lines.filter(line -> line.startsWith("Model:")).map(line -> line.substring(6).strip()).findFirst()
                    .orElse(place);
        } catch (IOException notTold) {
            return place; // in some containers the driver shows no such file
        }
    }

    /** @throws NativeLibraryException if runtime and driver do not suit, or there is no device */
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
