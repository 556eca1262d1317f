package org.lmdebugger.interpret;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.cpu.CpuDevice;

class TarotGoldenTest extends GoldenTest {
    TarotGoldenTest() {
        super("tarot");
    }

    @Override
    Device device() {
        return new CpuDevice(2);
    }
}
