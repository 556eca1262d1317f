package org.lmdebugger.app;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.stream.Collectors;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.Edits.Neuron;
import org.lmdebugger.interpret.Effects;
import org.lmdebugger.interpret.Measure;

/** The strongest effects of a sweep: those that move its first measure farthest from the unedited prompt's. */
final class Strongest {
    private static final int WIDTH = 80;

    private final int most;
    private final List<Measure> measures; // of one number each
    private final PriorityQueue<Effect> effects = new PriorityQueue<>(Comparator.comparingDouble(Effect::strength)); // the weakest first

    private record Effect(int prompt, String intervention, int layer, int neuron, float[] values, double strength) {
    }

    Strongest(int most, List<Measure> measures) {
        this.most = most;
        this.measures = measures.stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
    }

    void add(Effects chunk) {
        if (measures.isEmpty()) {
            return;
        }
        var first = chunk.values(measures.getFirst());
        float clean = chunk.clean(measures.getFirst());
        var layers = chunk.layers();
        var neurons = chunk.neurons();
        for (int i = 0; i < chunk.size(); i++) {
            double strength = Math.abs((double) first[i] - clean);
            strength = Double.isNaN(strength) ? Double.POSITIVE_INFINITY : strength; // an edit that broke it is the first to see
            if (effects.size() < most || !effects.isEmpty() && strength > effects.peek().strength()) {
                var values = new float[measures.size()];
                for (int m = 0; m < values.length; m++) {
                    values[m] = chunk.values(measures.get(m))[i];
                }
                effects.add(new Effect(chunk.prompt(), String.join("; ", chunk.edits(i).texts()), layers[i], neurons[i], values, strength));
                if (effects.size() > most) {
                    effects.remove();
                }
            }
        }
    }

    /** A line each, with the tokens that the neuron's value vector promotes most. */
    void print(PrintWriter out, Debugger debugger, Map<Neuron, String> named) {
        var sorted = effects.stream().sorted(Comparator.comparingDouble(Effect::strength).reversed()).toList();
        if (sorted.isEmpty()) {
            return;
        }
        boolean prompts = sorted.stream().anyMatch(effect -> effect.prompt() > 0);
        var names = measures.stream().map(measure -> Text.visible(measure.toString())).toList();
        out.println(line(prompts ? "prompt" : "", "intervention", names, "its value vector says"));
        for (var effect : sorted) {
            var tokens = effect.layer() < 0 ? "" : debugger.project(debugger.model().layer(effect.layer()).values().row(effect.neuron()), 8)
                    .getFirst().stream().map(token -> Text.visible(token.token())).collect(Collectors.joining(" "));
            var values = new ArrayList<String>();
            for (int m = 0; m < measures.size(); m++) {
                values.add(number(measures.get(m), effect.values()[m]));
            }
            var says = Text.named(named.get(new Neuron(effect.layer(), effect.neuron())), tokens);
            out.println(line(prompts ? String.valueOf(effect.prompt()) : "", effect.intervention(), values, says));
        }
        out.flush();
    }

    private static String number(Measure measure, float value) {
        return measure instanceof Measure.OfToken of && of.quantity() == Measure.Quantity.RANK ? String.valueOf((int) value)
                : String.format(Locale.ROOT, "%.4g", value);
    }

    private static String line(String prompt, String intervention, List<String> values, String tokens) {
        var line = new StringBuilder(prompt.isEmpty() ? "" : Text.fit(prompt, 7)).append(Text.fit(intervention, 18));
        values.forEach(value -> line.append(' ').append(Text.fit(value, 12)));
        int left = Math.max(20, WIDTH - line.length() - 1);
        return line.append(' ').append(Text.fit(tokens, left)).toString().stripTrailing();
    }
}
