package org.lmdebugger.app.server;

import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;

/** A device that records which of the tensors that it gave away are still open, and may be full. */
final class CountingDevice extends DelegatingDevice {
    private final List<Tensor> given = new ArrayList<>(); // guarded by this

    /** Whether there is no memory for further tensors. */
    volatile boolean full;

    CountingDevice(Device device) {
        super(device);
    }

    /** The bytes of all tensors that nobody has closed yet. */
    synchronized long openBytes() {
        given.removeIf(tensor -> !isOpen(tensor));
        return given.stream().mapToLong(tensor -> tensor.memory().byteSize()).sum();
    }

    private boolean isOpen(Tensor tensor) {
        if (tensor.rows() * tensor.columns() == 0) {
            return false; // takes nothing
        }
        try {
            call(session -> {
                var first = tensor.row(0).columns(0, 1);
                if (tensor.type() == ElementType.I32) {
                    session.download(new int[1], first);
                } else {
                    session.download(new float[1], first);
                }
                return null;
            });
            return true;
        } catch (IllegalStateException closed) {
            return false;
        }
    }

    @Override
    public synchronized Tensor allocate(ElementType type, long rows, long columns) {
        if (full) {
            throw new OutOfDeviceMemoryException("memory of cpu: full", null);
        }
        given.add(super.allocate(type, rows, columns));
        return given.getLast();
    }
}
