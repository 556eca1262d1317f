package org.lmdebugger.app.cli;

import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "similar", mixinStandardHelpOptions = true,
        description = "Finds the value vectors that point most nearly where another does, by the cosine of the angle.")
final class ValuesSimilarCommand extends ValuesSubcommand {
    @Mixin
    private VectorParameter vector;

    @Mixin
    private MatchPrinter printer;

    @Override
    public Integer call() {
        var wanted = vector.parse();
        return model.with(debugger -> {
            var found = new ValueVectors(debugger.model()).similar(wanted, printer.top());
            printer.print(found, "cosine", debugger, names.names(debugger).all());
            return 0;
        });
    }
}
