package org.lmdebugger.app.cli;

import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.TraceJson;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.text.Shown;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "trace", mixinStandardHelpOptions = true,
        description = "Shows how the prediction after a prompt is built up, layer by layer: the likeliest tokens before and "
                + "after each feed-forward layer, and the value vectors that weigh most in between.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug trace \"Once upon a time there was a little\"",
                "  lmdebug trace \"Once upon a time there was a little\" --edit L3D42=0 --edit \"L2D7*=2@last\"",
                "  lmdebug trace \"My wife is working as a\" --model gpt2 --token \" nurse\" --position all --json"})
final class TraceCommand extends ModelCommand {
    @Parameters(paramLabel = "PROMPT", description = "The text whose continuation is predicted.")
    private String prompt;

    @Mixin
    private NameOptions names;

    @Mixin
    private EditOptions edits;

    @Option(names = "--position", paramLabel = "P", description = "An index from 0, last (default) or all. Repeatable.")
    private List<String> positions = new ArrayList<>();

    @Option(names = "--top", paramLabel = "K", defaultValue = "10",
            description = "How many of each (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--token", paramLabel = "T", description = "Follows a token's probability and rank (from 1; "
            + "in JSON from 0); mind the leading space. The first one is what direct and total effects are on. Repeatable.")
    private List<String> tokens = new ArrayList<>();

    @Option(names = "--total", description = "Measures the total effect of each listed value vector: the token's "
            + "log-probability minus that without the vector at that position.")
    private boolean total;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var wanted = edits.edits();
        var out = spec.commandLine().getOut();
        return model.with(debugger -> {
            var trace = debugger.trace(prompt, wanted, options(debugger));
            if (json.isGiven()) {
                out.println(Json.print(TraceJson.of(trace)));
            } else {
                new TraceTable(out, spec.commandLine().getColorScheme().ansi(), names.names(debugger).all())
                        .print(trace);
            }
            return 0;
        });
    }

    private TraceOptions options(Debugger debugger) {
        var ids = tokens.stream().map(debugger.model().tokenizer()::single).toList();
        return new TraceOptions(positions(), top, ids, total);
    }

    private List<Integer> positions() {
        if (positions.contains("all")) {
            return null;
        }
        return positions.isEmpty() ? List.of(-1) : positions.stream().map(TraceCommand::position).toList();
    }

    private static Integer position(String text) {
        if (text.equals("last")) {
            return -1;
        }
        if (!text.matches("\\d{1,9}")) {
            throw new IllegalArgumentException(
                    "position: " + Shown.of(text) + " (expected: an index from 0, last or all)");
        }
        return Integer.valueOf(text);
    }
}
