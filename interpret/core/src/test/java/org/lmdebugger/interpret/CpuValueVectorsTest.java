package org.lmdebugger.interpret;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.cpu.CpuDevice;

class CpuValueVectorsTest extends ValueVectorsTest {
    @Override
    Device device() {
        return new CpuDevice(2);
    }
}
