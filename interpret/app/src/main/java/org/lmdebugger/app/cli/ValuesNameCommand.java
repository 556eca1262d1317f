package org.lmdebugger.app.cli;

import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "name", mixinStandardHelpOptions = true,
        description = "Gives a value vector a name, which all tables and the page show from then on; without a name, shows the one that it has.")
final class ValuesNameCommand extends ValuesSubcommand {
    @Mixin
    private VectorParameter vector;

    @Parameters(index = "1", arity = "0..1", paramLabel = "NAME",
            description = "Any text on one line, of up to 100 characters.")
    private String name;

    @Option(names = "--remove", description = "Removes its name.")
    private boolean remove;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var wanted = vector.parse();
        if (remove && name != null) {
            throw new IllegalArgumentException("--remove: with a name (expected: one or the other)");
        }
        var now = model.with(debugger -> {
            new ValueVectors(debugger.model()).index(wanted);
            var saved = names.names(debugger);
            if (remove) {
                saved.remove(wanted);
                return null;
            }
            return name == null ? saved.of(wanted).orElse(null) : saved.put(wanted, name);
        });
        spec.commandLine().getOut().println(json.isGiven() ? Json.print(ValueJson.Named.of(wanted, now))
                : wanted + (now == null ? " has no name" : "  " + now));
        return 0;
    }
}
