package org.lmdebugger.app;

import java.io.PrintWriter;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.Trace;
import picocli.CommandLine.Help.Ansi;

/** A trace as tables of 80 columns; colour only where {@code ansi} allows it. */
final class TraceTable {
    private final PrintWriter out;
    private final Ansi ansi;

    TraceTable(PrintWriter out, Ansi ansi) {
        this.out = out;
        this.ansi = ansi;
    }

    void print(Trace trace) {
        out.println("%s on %s, %s, edits %s".formatted(trace.model(), trace.device(), trace.precision(), trace.mode()));
        out.println(IntStream.range(0, trace.tokens().size())
                .mapToObj(i -> i + ":" + Text.visible(trace.tokens().get(i).text())).collect(Collectors.joining("  ")));
        for (int i = 0; i < trace.positions().size(); i++) {
            var clean = trace.positions().get(i);
            out.println();
            out.println(bold("Position %d, %s".formatted(clean.position(), Text.visible(trace.tokens().get(clean.position()).text())))
                    + "   contributions to " + Text.visible(clean.contributionTo().text()));
            if (trace.edited() == null) {
                clean.layers().forEach(this::layer);
            } else {
                var edited = trace.edited().get(i);
                for (int l = 0; l < clean.layers().size(); l++) {
                    sideBySide(clean.layers().get(l), edited.layers().get(l));
                }
            }
        }
        out.flush();
    }

    private void layer(Trace.Layer layer) {
        out.println();
        out.println(bold("Layer %-2d before            dominant   coefficient  score  contrib.  after".formatted(layer.layer())));
        for (int i = 0; i < layer.before().size(); i++) {
            out.println("  %s  %s  %s".formatted(prediction(layer.before().get(i), 14), subUpdate(layer.dominant().get(i)),
                    prediction(layer.after().get(i), 14)).stripTrailing());
        }
        layer.chosen().forEach(chosen -> out.println("  %s before %s   after %s".formatted(
                Text.fit(Text.visible(chosen.token()), 14), standing(chosen.before()), standing(chosen.after()))));
    }

    /** What changed is marked with a star. */
    private void sideBySide(Trace.Layer clean, Trace.Layer edited) {
        out.println();
        out.println(bold("Layer %-2d clean: before      after               edited: before      after".formatted(clean.layer())));
        for (int i = 0; i < clean.before().size(); i++) {
            out.println("  %s %s | %s%s %s%s".formatted(prediction(clean.before().get(i), 11), prediction(clean.after().get(i), 11),
                    prediction(edited.before().get(i), 11), mark(clean.before(), edited.before(), i),
                    prediction(edited.after().get(i), 11), mark(clean.after(), edited.after(), i)).stripTrailing());
        }
        out.println("          dominant   coefficient  score  contrib.  |  dominant   coefficient  score");
        for (int i = 0; i < clean.dominant().size(); i++) {
            var after = edited.dominant().get(i);
            out.println("         %s | %s %+10.3f %6.2f%s".formatted(subUpdate(clean.dominant().get(i)), Text.fit(name(after), 10),
                    after.coefficient(), after.score(), after.neuron() == clean.dominant().get(i).neuron() ? "" : "*"));
        }
        for (int c = 0; c < clean.chosen().size(); c++) {
            out.println("  %s after: clean %s   edited %s".formatted(Text.fit(Text.visible(clean.chosen().get(c).token()), 14),
                    standing(clean.chosen().get(c).after()), standing(edited.chosen().get(c).after())));
        }
    }

    private static String mark(List<Trace.Prediction> clean, List<Trace.Prediction> edited, int i) {
        return clean.get(i).id() == edited.get(i).id() ? " " : "*";
    }

    private static String prediction(Trace.Prediction prediction, int width) {
        return Text.fit(Text.visible(prediction.token()), width) + " %6.4f".formatted(prediction.probability());
    }

    private static String subUpdate(Trace.SubUpdate update) {
        return "%s %+10.3f %6.2f  %+8.3f".formatted(Text.fit(name(update), 10), update.coefficient(), update.score(), update.contribution());
    }

    private static String name(Trace.SubUpdate update) {
        return "L" + update.layer() + "D" + update.neuron();
    }

    private static String standing(Trace.Standing standing) {
        return "%.4g (rank %d)".formatted(standing.probability(), standing.rank());
    }

    private String bold(String text) {
        return ansi.enabled() ? "\u001b[1m" + text + "\u001b[0m" : text;
    }
}
