package org.lmdebugger.app.cli;

import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.interpret.values.Projections.Projection;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "show", mixinStandardHelpOptions = true,
        description = "Shows the tokens that a value vector promotes and suppresses most: its products with the output embedding.")
final class ValuesShowCommand extends ValuesSubcommand {
    @Mixin
    private VectorParameter vector;

    @Option(names = "--top", paramLabel = "K", defaultValue = "50",
            description = "How many of each (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--final-norm",
            description = "Reads the vector as the logits do: less its mean, times the gain of the final "
                    + "LayerNorm. Without this it is read as it is, as in LM-Debugger.")
    private boolean finalNorm;

    @Option(names = "--json", description = "Prints JSON; tokens are spelled as in the vocabulary.")
    private boolean json;

    @Override
    public Integer call() {
        var wanted = vector.parse();
        var out = spec.commandLine().getOut();
        return model.with(debugger -> {
            var projection = new ValueVectors(debugger.model()).project(wanted, top,
                    finalNorm ? Reading.FINAL_NORM : Reading.RAW);
            if (json) {
                out.println(Json.print(ValueJson.Vector.of(projection, debugger.model().tokenizer())));
            } else {
                out.print(table(projection, names.names(debugger).of(wanted).map(name -> "  " + name).orElse("")));
                out.flush();
            }
            return 0;
        });
    }

    private static String table(Projection projection, String name) {
        var table = new StringBuilder(
                "%s%s%n%s%s%n".formatted(projection.vector(), name, Text.fit("  promotes", 36), "suppresses"));
        for (int j = 0; j < projection.top().size(); j++) {
            var most = projection.top().get(j);
            var least = projection.bottom().get(j);
            table.append("  %s %+9.4f    %s %+9.4f%n".formatted(Text.fit(Text.visible(most.token()), 20), most.logit(),
                    Text.fit(Text.visible(least.token()), 20), least.logit()));
        }
        return table.toString();
    }
}
