package demo;

import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.Gpt2;

/** Prints the neurons that weigh most in a layer, with one switched off. */
public class Demo {
    public static void main(String... args) {
        try (var device = Devices.open();
                var model = Gpt2.load(ModelSource.of("sample"), device)) {
            var trace = new Debugger(model).trace("Once upon a time", Intervention.parse("L1D483=0"));
            trace.position(-1).layer(1).dominant().forEach(System.out::println);
        }
    }
}
