package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.app.json.TraceSamples;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.interpret.trace.Trace;
import picocli.CommandLine.Help.Ansi;

/** A trace as tables of 80 columns; colour only where {@code ansi} allows it. */
final class TraceTable {
    private static final int WIDTH = 80;

    private final PrintWriter out;
    private final Ansi ansi;
    private final Map<Neuron, String> named;

    TraceTable(PrintWriter out, Ansi ansi, Map<Neuron, String> named) {
        this.out = out;
        this.ansi = ansi;
        this.named = named;
    }

    void print(Trace trace, TraceAttributions attributions) {
        var table = new AttributionTable(out, ansi, trace.tokens(), attributions.scope());
        out.println("%s on %s, %s, edits %s".formatted(trace.model(), trace.device(), trace.precision(), trace.mode()));
        out.println(Text.wrap(IntStream.range(0, trace.tokens().size())
                .mapToObj(i -> i + ":" + Text.visible(trace.tokens().get(i).text())).toList(), WIDTH));
        if (!trace.added().isEmpty()) {
            out.println(Text.wrap(Stream.concat(Stream.of("added by the tokenizer"),
                    trace.added().stream().map(String::valueOf)).toList(), WIDTH));
        }
        for (int i = 0; i < trace.positions().size(); i++) {
            var clean = trace.positions().get(i);
            out.println();
            out.println(bold("Position %d, %s".formatted(clean.position(),
                    Text.visible(trace.tokens().get(clean.position()).text())))
                    + "   effects on " + AttributionTable.target(clean.target(), clean.against()));
            int index = i;
            trace.edited().ifPresentOrElse(edited -> sideBySide(clean, edited.get(index)),
                    () -> clean.layers().forEach(this::layer));
            if (!attributions.clean().isEmpty()) {
                table.print(attributions.edited().isEmpty() ? "" : "clean: ", attributions.clean().get(i));
            }
            if (!attributions.edited().isEmpty()) {
                table.print("edited: ", attributions.edited().get(i));
            }
        }
        out.flush();
    }

    /** Prints means over samples. */
    void print(TraceSamples samples) {
        out.println();
        out.println("over %d samples: kl %s".formatted(samples.count(), mean(samples.kl())));
        samples.tokens().forEach(token -> out.println("  %s clean %.4g   edited %s".formatted(
                Text.fit(Text.visible(token.token()), 14), token.clean(), mean(token.edited()))));
        out.flush();
    }

    private static String mean(SampleMeans.Mean mean) {
        return "%.3g ± %.1g".formatted(mean.mean(), mean.standardError());
    }

    private void layer(Trace.Layer layer) {
        out.println();
        boolean totals = layer.dominant().getFirst().total().isPresent();
        int width = totals ? 8 : 11;
        out.println(bold(Text.fit("Layer %-2d before".formatted(layer.layer()), width + 11)
                + "dominant     coeff.  score   direct" + (totals ? "    total" : "") + "  after"));
        for (int i = 0; i < layer.before().size(); i++) {
            var update = layer.dominant().get(i);
            out.println("  %s  %s%s  %s".formatted(prediction(layer.before().get(i), width), subUpdate(update),
                    totals ? " %+8.3f".formatted(update.total().getAsDouble()) : "",
                    prediction(layer.after().get(i), width)).stripTrailing());
        }
        layer.chosen().forEach(chosen -> out.println("  %s before %s   after %s".formatted(
                Text.fit(Text.visible(chosen.token()), 14), standing(chosen.before()), standing(chosen.after()))));
        names(layer.dominant().stream());
    }

    /** Prints the names of the sub-updates that have one. */
    private void names(Stream<Trace.SubUpdate> updates) {
        var called = updates.map(update -> new Neuron(update.layer(), update.neuron())).distinct()
                .filter(named::containsKey)
                .map(vector -> vector + " [" + named.get(vector) + "]").toList();
        if (!called.isEmpty()) {
            out.println(Text.wrap(Stream.concat(Stream.of("  named"), called.stream()).toList(), WIDTH));
        }
    }

    /** Prints the total effects, for which two tables side by side have no column. */
    private void totals(Trace.Layer layer) {
        var measured = layer.dominant().stream().filter(update -> update.total().isPresent())
                .map(update -> "L%dD%d: %+.3f".formatted(
                        update.layer(), update.neuron(), update.total().getAsDouble()))
                .toList();
        if (!measured.isEmpty()) {
            out.println(Text.wrap(Stream.concat(Stream.of("  total"), measured.stream()).toList(), WIDTH));
        }
    }

    private void sideBySide(Trace.Position clean, Trace.Position edited) {
        for (int l = 0; l < clean.layers().size(); l++) {
            sideBySide(clean.layers().get(l), edited.layers().get(l));
        }
    }

    /** Prints a clean and an edited layer; changes are marked with a star. */
    private void sideBySide(Trace.Layer clean, Trace.Layer edited) {
        out.println();
        out.println(bold(
                "Layer %-2d clean: before    after              edited: before    after".formatted(clean.layer())));
        for (int i = 0; i < clean.before().size(); i++) {
            out.println("  %s %s | %s%s %s%s".formatted(prediction(clean.before().get(i), 10),
                    prediction(clean.after().get(i), 10),
                    prediction(edited.before().get(i), 10),
                    mark(clean.before().get(i).id(), edited.before().get(i).id()),
                    prediction(edited.after().get(i), 10), mark(clean.after().get(i).id(), edited.after().get(i).id()))
                    .stripTrailing());
        }
        out.println("  dominant     coeff.  score   direct | dominant     coeff.  score   direct");
        for (int i = 0; i < clean.dominant().size(); i++) {
            out.println("  %s | %s%s".formatted(subUpdate(clean.dominant().get(i)), subUpdate(edited.dominant().get(i)),
                    mark(clean.dominant().get(i).neuron(), edited.dominant().get(i).neuron())).stripTrailing());
        }
        for (int c = 0; c < clean.chosen().size(); c++) {
            out.println("  %s after: clean %s   edited %s".formatted(
                    Text.fit(Text.visible(clean.chosen().get(c).token()), 14),
                    standing(clean.chosen().get(c).after()), standing(edited.chosen().get(c).after())));
        }
        names(Stream.concat(clean.dominant().stream(), edited.dominant().stream()));
        totals(clean);
    }

    private static String mark(int clean, int edited) {
        return clean == edited ? " " : "*";
    }

    private static String prediction(Trace.Prediction prediction, int width) {
        return Text.fit(Text.visible(prediction.token()), width) + " %6.4f".formatted(prediction.probability());
    }

    private static String subUpdate(Trace.SubUpdate update) {
        return "%s %+8.3f %6.2f %+8.3f".formatted(Text.fit("L" + update.layer() + "D" + update.neuron(), 10),
                update.coefficient(), update.score(), update.direct());
    }

    private static String standing(Trace.Standing standing) {
        return "%.4g (rank %d)".formatted(standing.probability(), standing.rank() + 1);
    }

    private String bold(String text) {
        return Text.bold(ansi, text);
    }
}
