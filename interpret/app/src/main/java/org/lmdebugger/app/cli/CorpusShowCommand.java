package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.CorpusJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.app.store.CorpusTable;
import org.lmdebugger.app.store.EffectFormat;
import org.lmdebugger.app.store.ExampleTable;
import org.lmdebugger.app.store.ResultFile;
import org.lmdebugger.app.store.ResultTable;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2Config;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "show", mixinStandardHelpOptions = true,
        description = "Shows what the parts of each layer do over a corpus, and writes the numbers of all into files.")
final class CorpusShowCommand extends ModelCommand {
    private static final int HEADS = 3;

    @Parameters(paramLabel = "NAME", arity = "0..1", defaultValue = CorpusStore.BUNDLED,
            description = "The name of the corpus (default: ${DEFAULT-VALUE}, which comes along).")
    private String name;

    @Option(names = "--out", paramLabel = "FILE", description = "Writes a row for each neuron, head, attention and "
            + "feed-forward output: " + EffectFormat.ENDINGS + ".")
    private Path out;

    @Option(names = "--examples", paramLabel = "FILE",
            description = "Writes a row for each example of each neuron, with its text.")
    private Path examples;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        check("--out", out);
        check("--examples", examples);
        return model.withCorpora((debugger, corpora) -> {
            var corpus = corpora.find(name);
            var config = debugger.model().config();
            if (json.isGiven()) {
                spec.commandLine().getOut().println(Json.print(CorpusJson.Corpus.of(corpus, config)));
            } else {
                print(corpus, config);
            }
            write(out, place -> new CorpusTable(config, place), corpus, config);
            write(examples, place -> new ExampleTable(debugger.model(), place), corpus, config);
            return 0;
        });
    }

    private static void check(String option, Path file) {
        if (file != null && EffectFormat.of(file.toString()).isEmpty()) {
            throw new IllegalArgumentException("%s: %s (expected: a name that ends in %s)".formatted(option,
                    Text.fit(file.toString(), 60).strip(), EffectFormat.ENDINGS));
        }
    }

    private static void write(Path file, Function<Optional<Path>, ResultTable<CorpusTable.Layer>> table,
            CorpusStatistics corpus, Gpt2Config config) {
        if (file != null) {
            try (var results = ResultFile.open(file, table)) {
                IntStream.range(0, config.layers()).forEach(l -> results.add(l, new CorpusTable.Layer(corpus, l)));
                results.complete();
            }
        }
    }

    private void print(CorpusStatistics corpus, Gpt2Config config) {
        var to = spec.commandLine().getOut();
        to.println(CorpusBuildCommand.size(name, corpus.corpus()));
        to.println();
        to.println("       mean norm             neurons            heads with the largest mean norms");
        to.println("layer  attention       ffn   positive  never");
        for (int l = 0; l < config.layers(); l++) {
            int layer = l;
            var neurons = IntStream.range(0, config.feedForwardWidth())
                    .mapToObj(i -> corpus.neuron(new Neuron(layer, i))).toList();
            double positive = neurons.stream().mapToDouble(CorpusStatistics.Summary::positive).average().orElse(0);
            long never = neurons.stream().filter(each -> each.positive() == 0).count();
            var heads = IntStream.range(0, config.heads()).boxed()
                    .sorted(Comparator.comparingDouble((Integer h) -> -corpus.head(layer, h).mean())).limit(HEADS)
                    .map(h -> "L%dH%d %.3f".formatted(layer, h, corpus.head(layer, h).mean()))
                    .collect(Collectors.joining("  "));
            to.println("%5d %10.3f %9.3f %8.1f %% %6d  %s".formatted(l, corpus.attention(l).mean(),
                    corpus.ffn(l).mean(), 100 * positive, never, heads));
        }
        to.flush();
    }
}
