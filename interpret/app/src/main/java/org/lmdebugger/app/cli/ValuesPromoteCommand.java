package org.lmdebugger.app.cli;

import java.util.List;
import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "promote", mixinStandardHelpOptions = true,
        description = "Finds the value vectors that promote tokens most, or suppress them most, by the mean of the tokens' logits. "
                + "Exact: all vectors are looked at, not only their strongest tokens.")
final class ValuesPromoteCommand extends ValuesSubcommand {
    @Parameters(paramLabel = "TOKEN", arity = "1..*", description = "Tokens; mind the leading space.")
    private List<String> tokens;

    @Option(names = "--suppress", description = "Finds those that suppress the tokens most.")
    private boolean suppress;

    @Mixin
    private MatchPrinter printer;

    @Override
    public Integer call() {
        return model.with(debugger -> {
            var ids = tokens.stream().mapToInt(debugger.model().tokenizer()::single).toArray();
            var vectors = new ValueVectors(debugger.model());
            var found = suppress ? vectors.suppress(ids, printer.top()) : vectors.promote(ids, printer.top());
            printer.print(found, "mean logit", debugger, names.names(debugger).all());
            return 0;
        });
    }
}
