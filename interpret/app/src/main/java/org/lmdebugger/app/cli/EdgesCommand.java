package org.lmdebugger.app.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.lmdebugger.app.json.EdgeJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.app.json.SieveJson;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeEstimates;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.patch.Sieve;
import org.lmdebugger.model.Gpt2Config;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "edges", mixinStandardHelpOptions = true,
        description = "Path patching of single edges, exactly: one part's input alone reads one earlier part's output of the "
                + "other prompt's run. Measures how much of the answers' logit difference that breaks or restores.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug edges \"Once upon a time there was a little girl named\" \\",
                "      \"Once upon a time there was a little boy named\" --dot edges.dot",
                "  lmdebug edges CLEAN CORRUPTED --select 'L2H5>*' --select '*>logits'",
                "  lmdebug edges CLEAN CORRUPTED --measure kl",
                "  lmdebug edges CLEAN CORRUPTED --sieve 2000",
                "  lmdebug edges --pairs pairs.jsonl --edges edges.txt --out results/"})
final class EdgesCommand extends ModelCommand {
    @Mixin
    private PairOptions pairs;

    @Option(names = "--edges", paramLabel = "FILE",
            description = "The edges that are patched, one a line: embedding>L1H2.q, L0H3>L2.ffn, L1.ffn>logits; "
                    + "on either side, * stands for all. Default: all edges of the model.")
    private Path file;

    @Option(names = "--select", paramLabel = "EDGE",
            description = "An edge, or with * several, as in a line of --edges. Repeatable.")
    private List<String> selected = List.of();

    @Option(names = "--direction", paramLabel = "D", defaultValue = "noise",
            description = "noise: CLEAN runs, single inputs read outputs of CORRUPTED; or denoise, the other way round "
                    + "(default: ${DEFAULT-VALUE}).")
    private String direction;

    @Mixin
    private MeasureOption measure;

    @Option(names = "--top", paramLabel = "N", defaultValue = "20",
            description = "How many of the strongest edges are listed and drawn (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--dot", paramLabel = "FILE",
            description = "Draws the strongest edges as a graph in the DOT language of Graphviz.")
    private Path dot;

    @Mixin
    private SieveOptions sieve;

    @Mixin
    private OutputOptions output;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var way = PatchOptions.way(direction);
        output.check();
        if (top < 0) {
            throw new IllegalArgumentException("--top: %d (expected: at least 0)".formatted(top));
        }
        if (dot != null && !Files.isDirectory(dot.toAbsolutePath().getParent())) {
            throw new IllegalArgumentException(
                    "--dot: %s (expected: a file in a directory that is there)".formatted(dot));
        }
        pairs.check();
        sieve.check(output);
        if (sieve.isGiven() && measure.measure().isPresent()) {
            throw new IllegalArgumentException(
                    "--measure: %s, with --sieve (expected: none, as the logit difference is estimated)"
                            .formatted(measure.measure().get()));
        }
        return model.with(debugger -> pairs.isDataSet() ? many(debugger, way, pairs.lines())
                : one(debugger, way, pairs.pair(debugger)));
    }

    /** Returns the edges that are chosen, each once. */
    private List<Edge> edges(Gpt2Config config) {
        if (file == null && selected.isEmpty()) {
            return Edge.all(config);
        }
        var all = new TreeSet<Edge>();
        selected.forEach(text -> all.addAll(Edge.select(config, text)));
        if (file != null) {
            Lines.read(file, line -> Edge.select(config, line)).list().forEach(all::addAll);
        }
        return List.copyOf(all);
    }

    private int one(Debugger debugger, Direction way, Pair pair) {
        var edges = edges(debugger.model().config());
        var sieved = sieve(debugger, List.of(pair), way, edges);
        var effects = patching(debugger, way, sieved.map(Sieved::edges).orElse(edges)).effects(pair);
        var numbers = effects.cells().stream().map(cell -> cell.effect()).toList();
        draw(effects.edges(), numbers);
        print(() -> EdgeJson.of(debugger, pair, effects, measure.measure()), debugger,
                printer -> printer.print(pair, effects), sieved,
                effects.edges(), numbers);
        return 0;
    }

    private int many(Debugger debugger, Direction way, Lines<PairLine> lines) {
        var edges = edges(debugger.model().config());
        var sieved = sieve(debugger, PairOptions.fitting(debugger, lines).list(), way, edges);
        var averages = patching(debugger, way, sieved.map(Sieved::edges).orElse(edges)).averages(lines);
        var numbers = averages.cells().stream().map(cell -> cell.effect().mean()).toList();
        draw(averages.edges(), numbers);
        print(() -> EdgeJson.of(debugger, averages, measure.measure()), debugger, printer -> printer.print(averages),
                sieved,
                averages.edges(), numbers);
        return 0;
    }

    /** Edges that a sieve has chosen to be computed exactly. */
    private record Sieved(EdgeEstimates estimates, Sieve sieve) {
        List<Edge> edges() {
            return estimates.chosen(sieve);
        }
    }

    private Optional<Sieved> sieve(Debugger debugger, List<Pair> all, Direction way, List<Edge> edges) {
        if (!sieve.isGiven()) {
            return Optional.empty();
        }
        try (var bar = new BuildBar("estimates")) {
            var estimates = debugger.estimateEdges(all, way, edges, bar);
            return Optional.of(new Sieved(estimates, sieve.choose(estimates::sieve)));
        }
    }

    private EdgePatching patching(Debugger debugger, Direction way, List<Edge> edges) {
        return new EdgePatching(debugger, way, edges, measure.measure(), output, spec.commandLine().getErr());
    }

    private void print(Supplier<Map<String, Object>> graph, Debugger debugger, Consumer<EdgePrinter> printing,
            Optional<Sieved> sieved, List<Edge> edges, List<Double> effects) {
        var out = spec.commandLine().getOut();
        var quality = sieved.map(chosen -> chosen.estimates().quality(chosen.sieve(), edges, effects::get));
        if (json.isGiven()) {
            var all = graph.get();
            sieved.ifPresent(chosen -> all.put("sieve", SieveJson.of(chosen.sieve(), quality.orElseThrow())));
            out.println(Json.print(all));
        } else {
            printing.accept(new EdgePrinter(out, debugger.model(), top, measure.measure()));
            sieved.ifPresent(chosen -> SieveOptions.print(out, "edges", chosen.sieve(), quality.orElseThrow()));
        }
    }

    private void draw(List<Edge> edges, List<Double> effects) {
        if (dot != null) {
            CircuitCommand.write(dot, EdgeDot.of(edges, effects, top));
        }
    }
}
