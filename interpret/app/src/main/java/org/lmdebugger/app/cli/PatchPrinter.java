package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.NeuronEstimates;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.model.Gpt2;
import picocli.CommandLine.Help.Ansi;

/** Results of patching for people: a heat map of each grid, then the strongest effects of all of them as lines. */
final class PatchPrinter {
    private static final String ONE = "%s %11s %10s %11s %10s";
    private static final String MEAN = "%s %18s %10s %18s %10s";

    private final PrintWriter out;
    private final Ansi ansi;
    private final Gpt2 model;
    private final PairText text;
    private final int top;
    private final List<Line> lines = new ArrayList<>();

    PatchPrinter(PrintWriter out, Ansi ansi, Gpt2 model, int top) {
        this.out = out;
        this.ansi = ansi;
        this.model = model;
        this.top = top;
        text = new PairText(model);
    }

    /** A cell as a line. */
    private record Line(double effect, String text) {
    }

    void print(Pair pair, List<Grid> grids) {
        var patching = grids.getFirst().patching();
        var baseline = grids.getFirst().baseline();
        var clean = text.texts(model.encode(pair.clean()));
        head(patching);
        text.print(out, pair, baseline);
        boolean normalised = !Double.isNaN(baseline.divisor());
        unit(normalised);
        boolean positions = patching.columns() == Columns.POSITIONS;
        for (var grid : grids) {
            map(grid.patching(), grid.parts(), grid.columns(), positions ? clean : List.of(), normalised,
                    numbers(grid.cells(), normalised ? Grid.Cell::normalised : Grid.Cell::effect));
            lines(grid.parts(), grid.columns(), positions ? clean : List.of(), grid.cells(), Grid.Cell::effect,
                    PatchPrinter::line);
        }
        strongest(ONE.formatted(Text.fit("strongest", 24), "logit diff.", "effect", "normalised", "KL"));
    }

    /** Prints the strongest neurons at positions, of those that a sieve has chosen. */
    void print(Baseline baseline, NeuronEstimates estimates, Map<Integer, Grid.Cell> cells) {
        var pair = estimates.pair();
        head(new Patching(NeuronSelection.ALL, estimates.direction(), Columns.POSITIONS));
        text.print(out, pair, baseline);
        var clean = text.texts(model.encode(pair.clean()));
        cells.forEach((index, cell) -> {
            var place = estimates.place(index);
            var name = place.neuron() + "@" + place.position() + " " + clean.get(place.position());
            lines.add(new Line(cell.effect(), line(name, cell)));
        });
        strongest(ONE.formatted(Text.fit("strongest", 24), "logit diff.", "effect", "normalised", "KL"));
    }

    private static String line(String name, Grid.Cell cell) {
        return ONE.formatted(Text.fit(name, 24), PairText.number(cell.difference()), PairText.number(cell.effect()),
                PairText.number(cell.normalised()), "%.4g".formatted(cell.kl()));
    }

    void print(List<Averages> averages) {
        var first = averages.getFirst();
        head(first.patching());
        out.println(PairText.right(first.baselines()));
        long divided = first.baselines().stream().filter(each -> !Double.isNaN(each.divisor())).count();
        unit(divided > 0);
        if (divided > 0 && divided < first.baselines().size()) {
            out.println(
                    "normalised: of %,d pairs, as in the others clean and corrupted differ by less than %s".formatted(
                            divided, Baseline.SMALLEST_DIVISOR));
        }
        for (var average : averages) {
            map(average.patching(), average.parts(), average.columns(), List.of(), divided > 0, numbers(
                    average.cells(), cell -> (divided > 0 ? cell.normalised() : cell.effect()).mean()));
            lines(average.parts(), average.columns(), List.of(), average.cells(), cell -> cell.effect().mean(),
                    (name, cell) -> MEAN.formatted(Text.fit(name, 16), PairText.number(cell.effect()),
                            "%.0f %%".formatted(100 * cell.sameSign()), PairText.number(cell.normalised()),
                            "%.4g".formatted(cell.kl().mean())));
        }
        strongest(MEAN.formatted(Text.fit("strongest", 16), "effect", "same sign", "normalised", "KL"));
    }

    private void head(Patching patching) {
        boolean denoise = patching.direction() == Direction.DENOISE;
        out.println("%s, direction %s: the %s prompt runs, with activations of the %s one".formatted(
                text.model(), patching.direction(),
                denoise ? "corrupted" : "clean", denoise ? "clean" : "corrupted"));
        if (!patching.edits().isEmpty()) {
            out.println("edits in every run: " + String.join("; ", patching.edits().texts()));
        }
    }

    private void unit(boolean normalised) {
        out.println(normalised
                ? "heat maps: logit difference, normalised: 1 as after the clean prompt, 0 as after the corrupted one"
                : "heat maps: effect in logits; not normalised, as clean and corrupted differ by less than "
                        + Baseline.SMALLEST_DIVISOR);
    }

    private static <T> double[][] numbers(List<List<T>> cells, ToDoubleFunction<T> number) {
        return cells.stream().map(row -> row.stream().mapToDouble(number).toArray()).toArray(double[][]::new);
    }

    private void map(Patching patching, List<Part> parts, List<String> columns, List<String> below, boolean normalised,
            double[][] numbers) {
        boolean all = patching.columns() == Columns.ALL;
        out.println();
        out.println(ansi.string("@|bold %s|@".formatted(patching.parts())) + (all ? ", all positions" : ""));
        double neutral = normalised && patching.direction() == Direction.NOISE ? 1 : 0;
        if (all && parts.getFirst() instanceof Head) { // layers × heads
            int heads = (int) parts.stream().filter(part -> part.layer() == parts.getFirst().layer()).count();
            var layers = parts.stream().map(part -> "L" + part.layer()).distinct().toList();
            map(layers, IntStream.range(0, heads).mapToObj(h -> "H" + h).toList(), List.of(), neutral,
                    IntStream.range(0, layers.size()).mapToObj(l -> IntStream.range(l * heads, (l + 1) * heads)
                            .mapToDouble(r -> numbers[r][0]).toArray()).toArray(double[][]::new));
        } else {
            map(parts.stream().map(Part::toString).toList(), columns, below, neutral, numbers);
        }
    }

    private void map(List<String> rows, List<String> columns, List<String> below, double neutral, double[][] numbers) {
        new HeatMap(rows, columns, below.isEmpty() ? Collections.nCopies(columns.size(), "") : below, neutral, numbers)
                .print(out, ansi);
    }

    private interface Formatter<T> {
        String line(String name, T cell);
    }

    private <T> void lines(List<Part> parts, List<String> columns, List<String> below, List<List<T>> cells,
            ToDoubleFunction<T> effect, Formatter<T> formatter) {
        for (int r = 0; r < parts.size(); r++) {
            for (int c = 0; c < columns.size(); c++) {
                var cell = cells.get(r).get(c);
                var name = parts.get(r) + "@" + columns.get(c) + (below.isEmpty() ? "" : " " + below.get(c));
                lines.add(new Line(effect.applyAsDouble(cell), formatter.line(name, cell)));
            }
        }
    }

    private void strongest(String header) {
        out.println();
        out.println(header);
        lines.stream().filter(line -> Math.abs(line.effect()) > 0) // and so not NaN
                .sorted(Comparator.comparingDouble(line -> -Math.abs(line.effect()))).limit(top)
                .forEach(line -> out.println(line.text()));
        out.flush();
    }
}
