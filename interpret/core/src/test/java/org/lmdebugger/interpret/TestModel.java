package org.lmdebugger.interpret;

import org.lmdebugger.device.Device;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.model.Gpt2;

/**
 * One of the {@link TestModels} on the {@link TestDevice}: a field that JUnit closes if it is annotated with
 * {@link org.junit.jupiter.api.AutoClose}.
 */
public record TestModel(Device device, Gpt2 model, Debugger debugger) implements AutoCloseable {
    public static TestModel open(String name) {
        var device = TestDevice.open();
        var model = TestModels.load(name, device);
        return new TestModel(device, model, new Debugger(model));
    }

    @Override
    public void close() {
        model.close();
        device.close();
    }
}
