package org.lmdebugger.device;

import java.util.List;
import java.util.ServiceLoader;
import java.util.ServiceLoader.Provider;
import java.util.stream.Collectors;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.text.Shown;

/** The devices of this machine. */
public final class Devices {
    private static final List<DeviceProvider> PROVIDERS = ServiceLoader
            .load(DeviceProvider.class, Devices.class.getClassLoader()).stream().map(Provider::get).toList();

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

    /** Opens the default device: the first GPU that can be used, else the CPU. */
    public static Device open() {
        return PROVIDERS.stream().filter(DeviceProvider::isUsable).findFirst().orElse(PROVIDERS.getLast())
                .open(Precision.FP32);
    }

    /** Opens a device as {@link #open(String, Precision)} does, in FP32. */
    public static Device open(String name) {
        return open(name, Precision.FP32);
    }

    /**
     * Opens the device of that name, and never another in its place.
     *
     * @param name      {@code cpu}, {@code cuda} or {@code cuda:1}
     * @param precision the arithmetic of its products; the CPU has FP32 alone
     * @throws IllegalArgumentException if there is no device of that name, or it has no such arithmetic
     * @throws NativeLibraryException if the device cannot be used, saying everything that was tried
     */
    public static Device open(String name, Precision precision) {
        return PROVIDERS.stream().flatMap(provider -> provider.open(name, precision).stream()).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("device: %s (expected: %s)".formatted(Shown.of(name),
                        PROVIDERS.reversed().stream().map(DeviceProvider::names).collect(Collectors.joining(", ")))));
    }

    /** Returns what is usable, and why the rest is not: the CPU first. */
    public static List<Availability> list() {
        return PROVIDERS.reversed().stream().flatMap(provider -> provider.list().stream()).toList();
    }
}
