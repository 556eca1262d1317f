package org.lmdebugger.device.cuda;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.bindings.CudaLibraries;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceProvider;
import org.lmdebugger.device.Devices.Availability;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Precision;

/** GPUs as a kind of device: {@code cuda} is the first that can be used, {@code cuda:1} the second of the machine. */
public final class CudaProvider implements DeviceProvider {
    private static final String FIRST = "cuda";

    @Override
    public String names() {
        return "cuda, or cuda:1 for the second GPU";
    }

    @Override
    public boolean isUsable() {
        return first().isPresent();
    }

    @Override
    public Device open(Precision precision) {
        return new CudaDevice(first().orElse(0), precision); // which says what is wrong with the first of them
    }

    private static OptionalInt first() {
        return CudaLibraries.load() instanceof CudaLibraries.Loaded
                ? IntStream.range(0, CudaDevices.count()).filter(CudaDevices::isSuitable).findFirst()
                : OptionalInt.empty();
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
        return switch (CudaLibraries.load()) {
            case CudaLibraries.Loaded loaded -> IntStream.range(0, CudaDevices.count())
                    .mapToObj(CudaProvider::availability).toList();
            case CudaLibraries.Unavailable unavailable ->
                    List.of(new Availability(FIRST, false, unavailable.exception(FIRST).getMessage()));
        };
    }

    private static Availability availability(int ordinal) {
        try (var device = new CudaDevice(ordinal, Precision.FP32)) {
            return new Availability(device.name(), true, device.description());
        } catch (NativeLibraryException | OutOfDeviceMemoryException | CudaException reason) {
            return new Availability(FIRST + ":" + ordinal, false, reason.getMessage());
        }
    }
}
