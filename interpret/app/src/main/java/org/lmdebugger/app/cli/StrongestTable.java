package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.lmdebugger.app.ranking.StrongestEffects;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.sweep.Measure;

/** The strongest effects of a sweep as lines for people, with the tokens that each neuron's value vector promotes most. */
final class StrongestTable {
    private static final int WIDTH = 80;
    private static final int LEAST = 18; // of the column of interventions
    private static final int MOST = 40;
    private static final int VALUE = 12; // of a column of values, at least

    private final PrintWriter out;
    private final List<Measure> measures; // of one number each

    StrongestTable(PrintWriter out, List<Measure> measures) {
        this.out = out;
        this.measures = measures;
    }

    void print(StrongestEffects strongest, Debugger debugger, Map<Neuron, String> named) {
        var effects = strongest.effects();
        if (effects.isEmpty()) {
            return;
        }
        boolean prompts = effects.stream().anyMatch(effect -> effect.chunk().prompt() > 0);
        var names = measures.stream().map(measure -> Text.visible(measure.toString())).toList();
        int width = effects.stream().mapToInt(effect -> edits(effect).length() + 1).max().orElse(0);
        width = Math.clamp(width, LEAST, MOST);
        var values = effects.stream().map(effect -> measures.stream().map(measure -> number(measure, effect)).toList())
                .toList();
        int column = Math.max(VALUE, values.stream().flatMap(List::stream).mapToInt(String::length).max().orElse(0));
        out.println(line(prompts ? "prompt" : "", width, "intervention", names, column, "its value vector says"));
        for (int i = 0; i < effects.size(); i++) {
            var effect = effects.get(i);
            var tokens = effect.layer() < 0 ? ""
                    : debugger.project(debugger.model().layer(effect.layer()).ffnOut().row(effect.neuron()), 8)
                            .getFirst().stream().map(token -> Text.visible(token.token()))
                            .collect(Collectors.joining(" "));
            var says = Text.named(named.get(new Neuron(effect.layer(), effect.neuron())), tokens);
            out.println(line(prompts ? String.valueOf(effect.chunk().prompt()) : "", width, edits(effect),
                    values.get(i), column, says));
        }
        if (strongest.notFinite() > 0) {
            out.println("not finite, and so without an order: %,d effect%s (the network overflows)"
                    .formatted(strongest.notFinite(), strongest.notFinite() == 1 ? "" : "s"));
        }
        out.flush();
    }

    private static String number(Measure measure, StrongestEffects.Effect effect) {
        boolean isRank = measure instanceof Measure.OfToken of && of.quantity() == Measure.Quantity.RANK;
        float value = effect.value(measure);
        var error = effect.standardError(measure);
        if (error.isPresent()) {
            return String.format(Locale.ROOT, "%.3g ± %.1g", value + (isRank ? 1 : 0), error.getAsDouble());
        }
        return isRank && Float.isFinite(value) ? String.valueOf((int) value + 1)
                : String.format(Locale.ROOT, "%.4g", value);
    }

    private static String edits(StrongestEffects.Effect effect) {
        return String.join("; ", effect.intervention().texts());
    }

    private static String line(String prompt, int width, String intervention, List<String> values, int column,
            String tokens) {
        var line = new StringBuilder(prompt.isEmpty() ? "" : Text.fit(prompt, 7)).append(Text.fit(intervention, width));
        values.forEach(value -> line.append(' ').append(Text.fit(value, column)));
        int left = Math.max(20, WIDTH - line.length() - 1);
        return line.append(' ').append(Text.fit(tokens, left)).toString().stripTrailing();
    }
}
