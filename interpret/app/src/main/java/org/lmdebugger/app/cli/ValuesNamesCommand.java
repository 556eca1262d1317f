package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "names", mixinStandardHelpOptions = true, description = "Lists the value vectors that have names.")
final class ValuesNamesCommand implements Callable<Integer> {
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
        var named = model.with(debugger -> options.names(debugger).all());
        var out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.print(ValueJson.AllNames.of(named)));
        } else {
            named.forEach((vector, name) -> out.println("%s  %s".formatted(Text.fit(vector.toString(), 10), name)));
            out.flush();
        }
        return 0;
    }
}
