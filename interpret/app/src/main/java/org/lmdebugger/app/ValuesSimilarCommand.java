package org.lmdebugger.app;

import java.util.concurrent.Callable;
import org.lmdebugger.interpret.Edits.Neuron;
import org.lmdebugger.interpret.ValueVectors;
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
    private MatchPrinter printer;

    @Override
    public Integer call() {
        var wanted = Neuron.parse(vector);
        return model.with(debugger -> {
            printer.print(new ValueVectors(debugger.model()).similar(wanted, printer.top()), "cosine", debugger);
            return 0;
        });
    }
}
