package org.lmdebugger.interpret;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.cpu.CpuDevice;

class CpuClustersTest extends ClustersTest {
    @Override
    Device device() {
        return new CpuDevice(2);
    }
}
