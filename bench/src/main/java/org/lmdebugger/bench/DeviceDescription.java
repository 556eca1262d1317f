package org.lmdebugger.bench;

import org.lmdebugger.device.Devices;

/** Prints what a device is: the GPU, its driver, and the versions of CUDA and cuBLAS. */
final class DeviceDescription {
    private DeviceDescription() {
    }

    /** @param arguments the device, as the command line takes it */
    public static void main(String[] arguments) {
        try (var device = Devices.open(arguments[0])) {
            System.out.println(device.name() + ": " + device.description());
        }
    }
}
