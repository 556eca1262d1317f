package org.lmdebugger.device;

import java.util.List;
import java.util.Optional;

/**
 * A kind of device, found by {@link java.util.ServiceLoader}. {@link Devices} asks the providers in the order of their
 * service files: the first that has a usable device is the default. A provider has a public constructor without
 * parameters and may be used from any thread.
 */
public interface DeviceProvider {
    /** Returns the names that it understands, for messages, such as {@code cuda, or cuda:1 for the second GPU}. */
    String names();

    /** Returns whether one of its devices can be opened. */
    boolean isUsable();

    /** Opens the first of its devices that can be opened, with the errors of {@link #open(String, Precision)}. */
    Device open(Precision precision);

    /** Returns its devices; if there is none, one entry with the reason. */
    List<Devices.Availability> list();

    /**
     * Opens a device.
     *
     * @return the device, or nothing if {@code name} is not of this kind
     * @throws IllegalArgumentException if there is no such device, or it lacks the precision
     * @throws org.lmdebugger.bindings.NativeLibraryException if it cannot be used, with all that was tried
     */
    Optional<Device> open(String name, Precision precision);
}
