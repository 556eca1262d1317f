package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.CorpusJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Example;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Summary;
import org.lmdebugger.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "examples", mixinStandardHelpOptions = true,
        description = "Shows when a neuron is active: statistics of its coefficient over a corpus, and the texts where it is "
                + "largest and smallest, one of each document. The token is in brackets.")
final class ValuesExamplesCommand extends ValuesSubcommand {
    private static final int TOKENS = 8;
    private static final String BARS = " ▁▂▃▄▅▆▇█";

    @Mixin
    private VectorParameter vector;

    @Mixin
    private CorpusOption corpus;

    @Option(names = "--top", paramLabel = "K", defaultValue = "10",
            description = "How many of the largest and smallest, up to 20 (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--bands", description = "Shows samples of five bands of equal share, too, from the largest "
            + "coefficients to the smallest.")
    private boolean bands;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var wanted = vector.parse();
        if (top < 1 || top > 20) {
            throw new IllegalArgumentException("--top: %d (expected: 1 to 20)".formatted(top));
        }
        return model.withCorpora((debugger, corpora) -> {
            var tokenizer = debugger.model().tokenizer();
            var statistics = corpus.find(corpora);
            var found = CorpusJson.Examples.of(statistics, wanted, top, tokenizer); // refuses a neuron that is not there
            var out = spec.commandLine().getOut();
            if (json.isGiven()) {
                out.println(Json.print(found));
                return 0;
            }
            out.println(wanted + names.names(debugger).of(wanted).map(name -> "  " + name).orElse("") + "  over "
                    + CorpusBuildCommand.size(statistics.name(), statistics.corpus()));
            out.println(summary(statistics.neuron(wanted)));
            out.println("largest means: " + statistics.tokens(wanted, TOKENS).stream()
                    .map(token -> "%s %+.2f".formatted(Text.visible(tokenizer.text(token.id())), token.mean()))
                    .collect(Collectors.joining("  ")));
            print(out, "largest", statistics.largest(wanted).stream().limit(top).toList(), tokenizer);
            print(out, "smallest", statistics.smallest(wanted).stream().limit(top).toList(), tokenizer);
            if (bands) {
                var all = statistics.bands(wanted);
                IntStream.range(0, all.size()).forEach(i -> print(out, "%d to %d %%".formatted(
                        100 - 20 * (i + 1), 100 - 20 * i), all.get(i), tokenizer));
            }
            out.flush();
            return 0;
        });
    }

    private static String summary(Summary of) {
        var counts = of.histogram();
        int first = IntStream.range(0, counts.size()).filter(i -> counts.get(i) > 0).min().orElse(0);
        int last = IntStream.range(0, counts.size()).filter(i -> counts.get(i) > 0).max().orElse(0);
        double most = counts.stream().mapToInt(i -> i).max().orElse(1);
        var bars = counts.subList(first, last + 1).stream()
                .map(count -> BARS.substring((int) Math.ceil(8 * count / most)).substring(0, 1))
                .collect(Collectors.joining());
        return "mean %+.4f, deviation %.4f, above zero %.1f %%%n%+.4f %s %+.4f (two bars an octave)".formatted(
                of.mean(),
                Math.sqrt(of.variance()), 100 * of.positive(), of.min(), bars, of.max());
    }

    private static void print(PrintWriter out, String title, List<Example> examples, Tokenizer tokenizer) {
        out.println();
        out.println(title);
        examples.forEach(each -> out.println(ExampleLine.of(each, tokenizer)));
    }
}
