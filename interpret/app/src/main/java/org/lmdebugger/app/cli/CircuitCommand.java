package org.lmdebugger.app.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.app.json.CircuitJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitEngine;
import org.lmdebugger.interpret.edge.CircuitEngine.Score;
import org.lmdebugger.interpret.edge.CircuitSearch;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "circuit", mixinStandardHelpOptions = true,
        description = "Circuits, exactly: some edges are kept, all others read the other prompt's run at once. Measures how much of "
                + "the answers' logit difference a circuit keeps, and finds circuits.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug circuit \"Once upon a time there was a little girl named\" \\",
                "      \"Once upon a time there was a little boy named\" --threshold 0.1 --keep circuit.json",
                "  lmdebug circuit CLEAN CORRUPTED --strongest 40 --curve",
                "  lmdebug circuit CLEAN CORRUPTED --parts L0.ffn,L2H5 --compare circuit.json"})
final class CircuitCommand extends ModelCommand {
    private static final String LINE = "%s %8s %11s %13s %10s";

    @Mixin
    private PairOptions pairs;

    @Option(names = "--load", paramLabel = "FILE", description = "The circuit of a JSON file, as --keep writes it.")
    private Path file;

    @Option(names = "--parts", paramLabel = "P", split = ",",
            description = "The circuit of some heads and FFNs, such as L2H5,L0.ffn: all edges between them, from the embedding and "
                    + "into the logits.")
    private List<String> parts = List.of();

    @Option(names = "--strongest", paramLabel = "N",
            description = "The circuit of the N edges with the strongest effects, each of which is computed by itself.")
    private Integer strongest;

    @Option(names = "--threshold", paramLabel = "T",
            description = "Removes edges, from the logits down, each that moves the logit difference by less than T: of the "
                    + "circuit that is chosen, else of the whole model.")
    private Double threshold;

    @Option(names = "--curve", description = "Also prints the circuits of the strongest 1, 2, 4, 8, … edges.")
    private boolean curve;

    @Option(names = "--compare", paramLabel = "FILE", description = "Compares with the circuit of another JSON file.")
    private Path other;

    @Option(names = "--direction", paramLabel = "D", defaultValue = "noise",
            description = "noise: CLEAN runs, edges outside read CORRUPTED; or denoise, the other way round "
                    + "(default: ${DEFAULT-VALUE}).")
    private String direction;

    @Option(names = "--keep", paramLabel = "FILE", description = "Keeps the circuit as a JSON file.")
    private Path keep;

    @Option(names = "--dot", paramLabel = "FILE",
            description = "Draws the circuit as a graph in the DOT language of Graphviz.")
    private Path dot;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var way = PatchCommand.way(direction);
        if (pairs.isDataSet()) {
            throw new IllegalArgumentException("--pairs: of a circuit (expected: CLEAN and CORRUPTED)");
        }
        pairs.check();
        long chosen = Stream.of(file != null, !parts.isEmpty(), strongest != null).filter(given -> given).count();
        if (chosen > 1 || chosen == 0 && threshold == null && !curve) {
            throw new IllegalArgumentException(
                    "circuit: %s (expected: one of --load, --parts and --strongest; or --threshold or --curve alone)"
                            .formatted(chosen == 0 ? "none" : chosen + " of them"));
        }
        if (strongest != null && strongest < 0) {
            throw new IllegalArgumentException("--strongest: %d (expected: at least 0)".formatted(strongest));
        }
        if (threshold != null && !(threshold > 0)) {
            throw new IllegalArgumentException("--threshold: %s (expected: a positive number)".formatted(threshold));
        }
        Stream.of(keep, dot).filter(path -> path != null && !Files.isDirectory(path.toAbsolutePath().getParent()))
                .findFirst().ifPresent(path -> {
                    throw new IllegalArgumentException(
                            path + ": no such directory (expected: a file in one that is there)");
                });
        return model.with(debugger -> {
            measure(debugger, way);
            return 0;
        });
    }

    private void measure(Debugger debugger, Direction way) {
        var config = debugger.model().config();
        var compared = other == null ? null : read(debugger, other);
        var given = file != null ? read(debugger, file)
                : parts.isEmpty() ? Circuit.all(config)
                        : Circuit.ofParts(config, parts.stream().map(Sender::parse).toList());
        var pair = pairs.pair(debugger);
        var effects = strongest == null && !curve ? null : effects(debugger, pair, way);
        var start = strongest == null ? given : CircuitSearch.strongest(effects, List.of(strongest)).getFirst();
        try (var engine = new CircuitEngine(debugger.model(), pair, way)) {
            var circuit = threshold == null ? start : remove(engine, start);
            var rows = new ArrayList<Row>();
            rows.add(row(engine, "no edge", Circuit.of(List.of())));
            if (curve) {
                var sizes = sizes(effects.edges().size());
                var circuits = CircuitSearch.strongest(effects, sizes);
                var scores = engine.scores(circuits);
                IntStream.range(0, sizes.size())
                        .forEach(i -> rows.add(new Row("strongest " + sizes.get(i), scores.get(i))));
            }
            var own = row(engine, "circuit", circuit);
            if (file != null || !parts.isEmpty() || strongest != null || threshold != null) {
                rows.add(own);
            }
            if (compared != null) {
                rows.add(row(engine, "compared", compared));
            }
            rows.add(row(engine, "all edges", Circuit.all(config)));
            var kept = CircuitJson.of(debugger.model().files().name(), way, debugger.model().text(pair.clean()),
                    debugger.model().text(pair.corrupted()), circuit, own.score());
            write(keep, Json.print(kept) + "\n");
            write(dot, EdgeDot.of(circuit));
            if (json.isGiven()) {
                spec.commandLine().getOut().println(Json.print(Json.object("circuit", kept, "scores",
                        rows.stream().map(row -> Json.object("name", row.name(), "edges", row.score().edges(),
                                "difference", row.score().difference(), "faithfulness", row.score().faithfulness(),
                                "kl",
                                row.score().kl())).toList())));
            } else {
                print(debugger, pair, engine, way, rows, circuit, compared);
            }
        }
    }

    private static EdgeEffects effects(Debugger debugger, Pair pair, Direction way) {
        try (var bar = new BuildBar("edges")) {
            return debugger.edges(pair, way, List.of(), bar);
        }
    }

    private Circuit remove(CircuitEngine engine, Circuit start) {
        try (var bar = new BuildBar("removal")) {
            return CircuitSearch.remove(engine, start, threshold, bar);
        }
    }

    private static List<Integer> sizes(int edges) {
        return IntStream.iterate(1, size -> size < edges, size -> 2 * size).boxed().toList();
    }

    private record Row(String name, Score score) {
    }

    private static Row row(CircuitEngine engine, String name, Circuit circuit) {
        return new Row(name, engine.scores(List.of(circuit)).getFirst());
    }

    private static Circuit read(Debugger debugger, Path file) {
        try {
            return CircuitJson.read(debugger.model().config(), Files.readString(file));
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(file + ": " + wrong.getMessage(), wrong);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }

    /** Writes a file whole, or none if null. */
    static void write(Path file, String text) {
        if (file != null) {
            try {
                AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
            } catch (IOException failure) {
                throw new UncheckedIOException(file + ": cannot be written", failure);
            }
        }
    }

    private void print(Debugger debugger, Pair pair, CircuitEngine engine, Direction way, List<Row> rows,
            Circuit circuit,
            Circuit compared) {
        PrintWriter out = spec.commandLine().getOut();
        var text = new PairText(debugger.model());
        boolean noise = way == Direction.NOISE;
        out.println(
                "%s, direction %s: the %s prompt runs; edges outside a circuit read the %s one".formatted(text.model(),
                        way, noise ? "clean" : "corrupted", noise ? "corrupted" : "clean"));
        text.print(out, pair, engine.baseline());
        out.println();
        out.println(LINE.formatted(Text.fit("", 16), "edges", "logit diff.", "faithfulness", "KL"));
        rows.forEach(row -> out.println(LINE.formatted(Text.fit(row.name(), 16), "%,d".formatted(row.score().edges()),
                PairText.number(row.score().difference()), PairText.number(row.score().faithfulness()),
                "%.4g".formatted(row.score().kl()))));
        if (compared != null) {
            var common = new TreeSet<>(circuit.edges());
            common.retainAll(compared.edges());
            int together = circuit.edges().size() + compared.edges().size() - common.size();
            out.println();
            out.println("%,d edges in both, %,d in the circuit alone, %,d in the compared one alone; Jaccard index %.3f"
                    .formatted(common.size(), circuit.edges().size() - common.size(),
                            compared.edges().size() - common.size(),
                            together == 0 ? 1.0 : (double) common.size() / together));
        }
        if (circuit.edges().size() <= 60) {
            out.println();
            out.println(Text.wrap(circuit.edges().stream().map(Object::toString).toList(), 80));
        }
        out.flush();
    }
}
