package org.lmdebugger.device.cpu;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.SessionContractTest;

class CpuSessionTest extends SessionContractTest {
    @Override
    protected Device device() {
        return new CpuDevice(2);
    }
}
