package org.lmdebugger.app.cli;

import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "names", mixinStandardHelpOptions = true, description = "Lists the value vectors that have names.")
final class ValuesNamesCommand extends ValuesSubcommand {
    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var named = model.with(debugger -> names.names(debugger).all());
        var out = spec.commandLine().getOut();
        if (json.isGiven()) {
            out.println(Json.print(ValueJson.AllNames.of(named)));
        } else {
            named.forEach((vector, name) -> out.println("%s  %s".formatted(Text.fit(vector.toString(), 10), name)));
            out.flush();
        }
        return 0;
    }
}
