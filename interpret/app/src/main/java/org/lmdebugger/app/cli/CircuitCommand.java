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
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.app.json.CircuitJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.RemovalJson;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitAverages;
import org.lmdebugger.interpret.edge.CircuitAverages.Score;
import org.lmdebugger.interpret.edge.CircuitSearch;
import org.lmdebugger.interpret.edge.CircuitSearch.Removal;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeAverages;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.EdgePlan;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.patch.Averages.Statistic;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "circuit", mixinStandardHelpOptions = true,
        description = "Circuits, exactly: some edges are kept, all others read the other prompt's run at once. Measures how much of "
                + "the answers' logit difference a circuit keeps, and finds circuits; of a data set, on average.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug circuit \"Once upon a time there was a little girl named\" \\",
                "      \"Once upon a time there was a little boy named\" --threshold 0.1 --keep circuit.json",
                "  lmdebug circuit CLEAN CORRUPTED --strongest 40 --curve",
                "  lmdebug circuit CLEAN CORRUPTED --parts L0.ffn,L2H5 --compare circuit.json",
                "  lmdebug circuit --pairs pairs.jsonl --load circuit.json --curve"})
final class CircuitCommand extends ModelCommand {
    private static final String ONE = "%s %8s %11s %13s %10s";
    private static final String MEAN = "%s %8s %18s %18s %10s";

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
            description = "Removes edges, from the logits down, each that moves the logit difference (or --measure) by less than T: of the "
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

    @Mixin
    private MeasureOption measure;

    @Option(names = "--keep", paramLabel = "FILE", description = "Keeps the circuit as a JSON file.")
    private Path keep;

    @Option(names = "--resume",
            description = "Goes on with a removal that was interrupted: what --threshold has reached is "
                    + "in FILE.removal beside the FILE of --keep until it ends.")
    private boolean resume;

    @Option(names = "--dot", paramLabel = "FILE",
            description = "Draws the circuit as a graph in the DOT language of Graphviz.")
    private Path dot;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var way = PatchOptions.way(direction);
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
        if (resume && (keep == null || threshold == null)) {
            throw new IllegalArgumentException("--resume: no removal (expected: --threshold and --keep FILE)");
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
        var all = pairs.isDataSet() ? PairOptions.fitting(debugger, pairs.lines()).list()
                : List.of(pairs.pair(debugger));
        var edges = Edge.all(config).size();
        var ranked = strongest == null && !curve ? List.<Circuit>of()
                : strongest(debugger, all, way, Stream.concat(sizes(edges), Stream.ofNullable(strongest)).toList());
        var start = strongest == null ? given : ranked.getLast();
        try (var scores = new CircuitAverages(debugger.model(), all, way, measure.measure())) {
            var circuit = threshold == null ? start : remove(debugger, scores, all, way, start);
            var rows = new ArrayList<Row>();
            rows.add(row(scores, "no edge", Circuit.of(List.of())));
            if (curve) {
                scores.scores(ranked.subList(0, (int) sizes(edges).count()))
                        .forEach(score -> rows.add(new Row("strongest " + score.edges(), score)));
            }
            var own = row(scores, "circuit", circuit);
            if (file != null || !parts.isEmpty() || strongest != null || threshold != null) {
                rows.add(own);
            }
            if (compared != null) {
                rows.add(row(scores, "compared", compared));
            }
            rows.add(row(scores, "all edges", Circuit.all(config)));
            var kept = CircuitJson.of(debugger.model(), way, all, measure.measure(), circuit, own.score());
            write(keep, Json.print(kept) + "\n");
            write(dot, EdgeDot.of(circuit));
            if (threshold != null && keep != null) {
                delete(reached());
            }
            if (json.isGiven()) {
                spec.commandLine().getOut().println(Json.print(Json.object("circuit", kept, "scores",
                        rows.stream().map(row -> Json.object("name", row.name(), "edges", row.score().edges(),
                                "difference", number(row.score().difference()), "faithfulness",
                                number(row.score().faithfulness()), "kl", number(row.score().kl()))).toList())));
            } else {
                print(debugger, all, scores, way, rows, circuit, compared);
            }
        }
    }

    /** Returns a mean as JSON: of one pair, its own number. */
    private Object number(Statistic statistic) {
        return pairs.isDataSet() ? statistic : statistic.mean();
    }

    /** Returns the circuits of the edges with the strongest effects, of these sizes. */
    private List<Circuit> strongest(Debugger debugger, List<Pair> all, Direction way, List<Integer> sizes) {
        try (var bar = new BuildBar(pairs.isDataSet() ? "pairs" : "edges")) {
            var model = debugger.model();
            return pairs.isDataSet()
                    ? CircuitSearch.strongest(EdgeAverages.of(model, all, way, List.of(), measure.measure(), bar),
                            sizes)
                    : CircuitSearch.strongest(EdgeEffects.of(model,
                            EdgePlan.of(model, all.getFirst(), way, List.of(), measure.measure()), bar), sizes);
        }
    }

    private Circuit remove(Debugger debugger, CircuitAverages scores, List<Pair> all, Direction way, Circuit start) {
        var work = work(debugger, all, way, start);
        var reached = keep != null && Files.exists(reached()) ? reached(work) : Removal.of(scores, start);
        try (var bar = new BuildBar("removal")) {
            return CircuitSearch.remove(scores, start, threshold, reached, removal -> {
                if (keep != null) {
                    write(reached(), Json.line(RemovalJson.of(work, removal)) + "\n");
                }
                bar.report(removal.tried(), start.edges().size());
            });
        }
    }

    /** Returns the file of the point that the removal has reached. */
    private Path reached() {
        return keep.resolveSibling(keep.getFileName() + ".removal");
    }

    private Removal reached(String work) {
        if (!resume) {
            throw new IllegalArgumentException(
                    reached() + ": an interrupted removal (expected: a new file, or --resume to go on)");
        }
        return read(reached(), text -> RemovalJson.read(work, text));
    }

    /** Returns a hash of all that the removal depends on. */
    private String work(Debugger debugger, List<Pair> all, Direction way, Circuit start) {
        var work = Digests.sha256();
        var manifest = Manifest.of(debugger);
        manifest.putAll(Json.object("pairs", all.toString(), "direction", way.toString(), "measure",
                PairText.name(measure.measure()), "threshold", threshold, "edges", start.edges().toString()));
        work.update(Json.line(manifest).getBytes(StandardCharsets.UTF_8));
        return Digests.hex(work);
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be deleted", failure);
        }
    }

    private static Stream<Integer> sizes(int edges) {
        return IntStream.iterate(1, size -> size < edges, size -> 2 * size).boxed();
    }

    private record Row(String name, Score score) {
    }

    private static Row row(CircuitAverages scores, String name, Circuit circuit) {
        return new Row(name, scores.scores(List.of(circuit)).getFirst());
    }

    private static Circuit read(Debugger debugger, Path file) {
        return read(file, text -> CircuitJson.read(debugger.model().config(), text));
    }

    private static <T> T read(Path file, Function<String, T> reader) {
        try {
            return reader.apply(Files.readString(file));
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

    private void print(Debugger debugger, List<Pair> all, CircuitAverages scores, Direction way, List<Row> rows,
            Circuit circuit, Circuit compared) {
        PrintWriter out = spec.commandLine().getOut();
        var text = new PairText(debugger.model());
        boolean noise = way == Direction.NOISE;
        out.println(
                "%s, direction %s: the %s prompt runs; edges outside a circuit read the %s one".formatted(text.model(),
                        way, noise ? "clean" : "corrupted", noise ? "corrupted" : "clean"));
        if (pairs.isDataSet()) {
            out.println(PairText.right(scores.baselines(), measure.measure()));
        } else {
            text.print(out, all.getFirst(), scores.baselines().getFirst(), measure.measure());
        }
        out.println();
        var line = pairs.isDataSet() ? MEAN : ONE;
        out.println(line.formatted(Text.fit("", 16), "edges",
                measure.measure().isEmpty() ? "logit diff." : "measure", "faithfulness", "KL"));
        rows.forEach(row -> out.println(line.formatted(Text.fit(row.name(), 16), "%,d".formatted(row.score().edges()),
                text(row.score().difference()), text(row.score().faithfulness()),
                "%.4g".formatted(row.score().kl().mean()))));
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

    private String text(Statistic statistic) {
        return pairs.isDataSet() ? PairText.number(statistic) : PairText.number(statistic.mean());
    }
}
