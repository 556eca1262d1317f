package demo.modular;

import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;

/** Prints the name of the library's module, and the length of a prompt. */
public class Demo {
    public static void main(String... args) {
        try (var device = Devices.open();
                var model = Gpt2.load(ModelSource.of("sample"), device);
                var run = new Debugger(model).run("Once upon a time")) {
            System.out.println(Debugger.class.getModule().getName() + ": " + run.length() + " tokens");
        }
    }
}
