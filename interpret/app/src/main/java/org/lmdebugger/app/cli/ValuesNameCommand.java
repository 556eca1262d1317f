package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "name", mixinStandardHelpOptions = true,
        description = "Gives a value vector a name, which all tables and the page show from then on; without a name, says what it is called.")
final class ValuesNameCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "VECTOR", description = "A layer and a neuron: L3D42.")
    private String vector;

    @Parameters(index = "1", arity = "0..1", paramLabel = "NAME",
            description = "Any text on one line, of up to 100 characters.")
    private String name;

    @Option(names = "--remove", description = "Takes its name away.")
    private boolean remove;

    @Option(names = "--json", description = "Prints JSON.")
    private boolean json;

    @Mixin
    private ModelOptions model;

    @Mixin
    private NameOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var wanted = Neuron.parse(vector);
        if (remove && name != null) {
            throw new IllegalArgumentException("--remove: with a name (expected: one or the other)");
        }
        var now = model.with(debugger -> {
            new ValueVectors(debugger.model()).index(wanted);
            var names = options.names(debugger);
            if (remove) {
                names.remove(wanted);
                return null;
            }
            return name == null ? names.of(wanted).orElse(null) : names.put(wanted, name);
        });
        spec.commandLine().getOut().println(json ? Json.print(ValueJson.Named.of(wanted, now))
                : wanted + (now == null ? " has no name" : "  " + now));
        return 0;
    }
}
