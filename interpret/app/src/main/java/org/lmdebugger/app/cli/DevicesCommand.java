package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.device.Devices;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "devices", mixinStandardHelpOptions = true,
        description = "Lists the devices that are usable, and why the rest are not.")
final class DevicesCommand implements Callable<Integer> {
    @Mixin
    private JsonOption json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var devices = Devices.list();
        if (json.isGiven()) {
            spec.commandLine().getOut().println(Json.print(devices));
            return 0;
        }
        for (var device : devices) {
            spec.commandLine().getOut().println("%-6s %-10s %s".formatted(device.name(),
                    device.usable() ? "usable" : "not usable", device.detail()));
        }
        return 0;
    }
}
