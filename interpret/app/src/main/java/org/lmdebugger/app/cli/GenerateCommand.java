package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "generate", mixinStandardHelpOptions = true,
        description = "Goes on from a prompt, token by token: the likeliest one each time, or drawn at a temperature.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug generate \"Once upon a time\" --tokens 40",
                "  lmdebug generate \"Once upon a time\" --edit \"L2D7=6@generated\" --compare",
                "  lmdebug generate \"My wife is working as a\" --model gpt2 --temperature 0.8 --top-p 0.95 --seed 7"})
final class GenerateCommand extends ModelCommand {
    @Parameters(paramLabel = "PROMPT", description = "The text to go on from.")
    private String prompt;

    @Mixin
    private EditOptions edits;

    @Option(names = "--tokens", paramLabel = "N", defaultValue = "20",
            description = "How many at most (default: ${DEFAULT-VALUE}).")
    private int tokens;

    @Option(names = "--temperature", paramLabel = "T",
            description = "Draws tokens, with logits divided by T; 0 takes the "
                    + "likeliest (default: 0, or 1 with --top-k, --top-p or --seed).")
    private Float temperature;

    @Option(names = "--top-k", paramLabel = "K", defaultValue = "0",
            description = "Draws from the K likeliest tokens (0: from all).")
    private int topK;

    @Option(names = "--top-p", paramLabel = "P", defaultValue = "1",
            description = "Draws from the fewest likeliest tokens whose "
                    + "probabilities reach P.")
    private float topP;

    @Option(names = "--seed", paramLabel = "S",
            description = "Seed of the random numbers: the same seed, the same text (default: 0).")
    private Long seed;

    @Option(names = "--compare", description = "Shows the unedited continuation beside the edited one.")
    private boolean compare;

    @Option(names = "--interventions", paramLabel = "FILE",
            description = "Goes on under each of these interventions, all as one "
                    + "batch; one a line, each of one or more edits: L1D2=0@generated; L3D4*=2")
    private Path interventions;

    @Option(names = "--json", description = "Prints JSON, with each token's log-probability.")
    private boolean json;

    @Override
    public Integer call() {
        var wanted = edits.edits();
        if (compare && wanted.isEmpty() && interventions == null) {
            throw new IllegalArgumentException("--compare: no edits (expected: at least one --edit)");
        }
        var options = new GenerationOptions(tokens, sampling());
        var continuations = new ArrayList<Continuation>();
        if (compare) {
            continuations.add(new Continuation(Intervention.NONE, seed == null ? 0 : seed));
        }
        if (interventions != null) {
            if (!wanted.isEmpty()) {
                throw new IllegalArgumentException("--interventions: with --edit (expected: one of both)");
            }
            edits.read(interventions)
                    .forEach(each -> continuations.add(new Continuation(each, seed == null ? 0 : seed)));
        } else {
            continuations.add(new Continuation(wanted, seed == null ? 0 : seed));
        }
        var out = spec.commandLine().getOut();
        boolean stream = !json && !compare && interventions == null;
        var before = new StringBuilder(prompt); // printed with the first token, when nothing can be wrong any more
        var generations = model
                .with(debugger -> debugger.generate(prompt, continuations, options, (continuation, token) -> {
                    if (stream) {
                        out.print(before + token.text());
                        out.flush();
                        before.setLength(0);
                    }
                    return true;
                }));
        if (json) {
            out.println(Json.print(Answer.of(continuations, generations)));
        } else if (interventions != null) {
            for (int i = 0; i < generations.size(); i++) {
                var texts = continuations.get(i).edits().texts();
                print(out, texts.isEmpty() ? "clean: " : String.join("; ", texts) + ": ", generations.get(i));
            }
        } else if (compare) {
            print(out, "clean: ", generations.getFirst());
            print(out, "edited: ", generations.getLast());
        } else {
            out.println();
        }
        return 0;
    }

    private Sampling sampling() {
        boolean drawn = topK != 0 || topP != 1 || seed != null;
        return new Sampling(temperature != null ? temperature : drawn ? 1 : 0, topK, topP);
    }

    private static void print(PrintWriter out, String label, Generation generation) {
        out.println(label + generation.text());
    }

    private record Generated(List<String> edits, String continuation, String end, List<Generation.Token> tokens) {
    }

    private record Answer(String prompt, List<Generated> generations) {
        static Answer of(List<Continuation> continuations, List<Generation> generations) {
            return new Answer(generations.getFirst().prompt(), IntStream.range(0, generations.size())
                    .mapToObj(i -> new Generated(continuations.get(i).edits().texts(),
                            generations.get(i).continuation(),
                            generations.get(i).end().name().toLowerCase(Locale.ROOT), generations.get(i).tokens()))
                    .toList());
        }
    }
}
