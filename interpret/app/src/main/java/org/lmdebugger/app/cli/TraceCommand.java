package org.lmdebugger.app.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.TraceJson;
import org.lmdebugger.app.json.TraceSamples;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;
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
                "  lmdebug trace \"My wife is working as a\" --model gpt2 --token \" nurse\" --position all --json",
                "  lmdebug trace \"There was a little\" --attribution --target \" girl\" --against \" boy\""})
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

    @Option(names = "--target", paramLabel = "T", description = "The token that effects are on, instead of the first "
            + "--token or the prediction; followed as those are.")
    private String target;

    @Option(names = "--against", paramLabel = "T", description = "A second token: all effects are on the logit of "
            + "the target minus the logit of this one.")
    private String against;

    @Option(names = "--attribution", description = "Divides the target's logit among all parts of the network: "
            + "embeddings, heads, biases, feed-forward layers. Direct effects add up to the logit; renorm. is the change "
            + "of the logit if the part is taken away before the final LayerNorm, which is computed anew; total is the "
            + "change if the part is switched off at this position and later layers react. The table has the --top "
            + "strongest parts; --json has all.")
    private boolean attribution;

    @Option(names = "--neurons", paramLabel = "N", description = "How many neurons of each feed-forward layer "
            + "--attribution lists: those with the largest direct effects in size, which add up, with that of the other "
            + "neurons, to the layer's (default: ${DEFAULT-VALUE}).")
    private int neurons = AttributionOptions.DEFAULT.neurons();

    @Option(names = "--neurons-by", paramLabel = "NUMBER", defaultValue = "direct",
            description = "The number by whose size all neurons of a layer are ranked for --neurons: direct (effect; default) "
                    + "or coefficient.")
    private String neuronsBy;

    @Option(names = "--attention", description = "Shows for each head the positions that it reads most, by the norm of "
            + "attention weight times value times output weights; the tokens that its output promotes; and its direct "
            + "and total effects.")
    private boolean attention;

    @Option(names = "--total", description = "Measures the total effect of each listed value vector: the token's "
            + "log-probability (with --against, the difference of the two logits) minus the same without the vector at "
            + "that position.")
    private boolean total;

    @Option(names = "--samples", paramLabel = "N",
            description = "Takes N texts for each edit =resample:NAME, and shows "
                    + "means and standard errors of KL and of the followed tokens' probabilities after the prompt; the tables are "
                    + "those of the first.")
    private Integer samples;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var wanted = edits.edits();
        var out = spec.commandLine().getOut();
        return model.with(debugger -> {
            var options = options(debugger);
            var scope = new TraceAttributions.Scope(attribution, attention, top, neurons,
                    NeuronOrder.parse(neuronsBy));
            var trace = debugger.trace(prompt, wanted, options);
            var attributions = TraceAttributions.of(debugger, trace, Prompt.of(prompt), wanted, scope, Progress.NONE);
            var sampled = samples == null ? null
                    : TraceSamples.of(debugger, trace, Prompt.of(prompt), wanted, samples, Progress.NONE);
            if (json.isGiven()) {
                out.println(Json.print(TraceJson.of(trace, attributions).with(sampled)));
            } else {
                var table = new TraceTable(out, spec.commandLine().getColorScheme().ansi(),
                        names.names(debugger).all());
                table.print(trace, attributions);
                if (sampled != null) {
                    table.print(sampled);
                }
            }
            return 0;
        });
    }

    private TraceOptions options(Debugger debugger) {
        var tokenizer = debugger.model().tokenizer();
        var ids = Stream.concat(token(target).stream().map(token -> token.idIn(tokenizer)),
                tokens.stream().map(tokenizer::single)).distinct().toList();
        var other = token(against).stream().mapToInt(token -> token.idIn(tokenizer)).findFirst();
        return new TraceOptions(positions(), top, ids, other, total, true);
    }

    private static Optional<Token.Fixed> token(String text) {
        return Optional.ofNullable(text).map(Token::ofTextOrId);
    }

    private TraceOptions.Where positions() {
        if (positions.contains("all")) {
            return TraceOptions.Where.ALL;
        }
        return positions.isEmpty() ? TraceOptions.Where.at(-1)
                : new TraceOptions.Where.Indices(positions.stream().map(TraceCommand::position).toList());
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
