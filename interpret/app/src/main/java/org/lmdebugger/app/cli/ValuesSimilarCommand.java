package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(name = "similar", mixinStandardHelpOptions = true,
        description = "Finds the value vectors that point most nearly where another does, by the cosine of the angle.")
final class ValuesSimilarCommand implements Callable<Integer> {
    @Parameters(paramLabel = "VECTOR", description = "A layer and a neuron: L3D42.")
    private String vector;

    @Mixin
    private ModelOptions model;

    @Mixin
    private NameOptions names;

    @Mixin
    private MatchPrinter printer;

    @Override
    public Integer call() {
        var wanted = Neuron.parse(vector);
        return model.with(debugger -> {
            var found = new ValueVectors(debugger.model()).similar(wanted, printer.top());
            printer.print(found, "cosine", debugger, names.names(debugger).all());
            return 0;
        });
    }
}
