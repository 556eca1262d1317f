package org.lmdebugger.interpret;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.cpu.CpuDevice;

class SampleGoldenTest extends GoldenTest {
    SampleGoldenTest() {
        super("sample");
    }

    @Override
    Device device() {
        return new CpuDevice(2);
    }
}
