package org.lmdebugger.device.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaLibraries;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceProvider;
import org.lmdebugger.device.Devices.Availability;
import org.lmdebugger.device.Precision;

/** GPUs as a kind of device: {@code cuda} is the first, {@code cuda:1} the second. */
public final class CudaProvider implements DeviceProvider {
    private static final String FIRST = "cuda";

    @Override
    public String names() {
        return "cuda, or cuda:1 for the second GPU";
    }

    @Override
    public boolean isUsable() {
        return CudaLibraries.load() instanceof CudaLibraries.Loaded;
    }

    @Override
    public Device open(Precision precision) {
        return new CudaDevice(0, precision);
    }

    @Override
    public Optional<Device> open(String name, Precision precision) {
        if (!name.matches(FIRST + "(:\\d{1,4})?")) {
            return Optional.empty();
        }
        return Optional.of(name.equals(FIRST) ? open(precision)
                : new CudaDevice(Integer.parseInt(name.substring(FIRST.length() + 1)), precision));
    }

    @Override
    public List<Availability> list() {
        var devices = new ArrayList<Availability>();
        try {
            if (CudaLibraries.load() instanceof CudaLibraries.Unavailable unavailable) {
                throw unavailable.exception(FIRST);
            }
            for (int i = 0; i < CudaDevices.count(); i++) {
                try (var device = new CudaDevice(i, Precision.FP32)) {
                    devices.add(new Availability(device.name(), true, device.description()));
                }
            }
        } catch (NativeLibraryException failure) {
            devices.add(new Availability(FIRST, false, failure.getMessage()));
        }
        return devices;
    }
}
