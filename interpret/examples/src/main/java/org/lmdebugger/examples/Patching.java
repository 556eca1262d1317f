package org.lmdebugger.examples;

import java.util.ArrayList;
import java.util.Comparator;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;

/** Activation patching: each neuron by itself takes its coefficient from another prompt, and the strongest are printed. */
public final class Patching {
    private Patching() {
    }

    /** @param args a model, a prompt, another at least as long, and two tokens whose difference of logits is measured */
    public static void main(String... args) {
        if (args.length != 5) {
            throw new IllegalArgumentException("usage: Patching MODEL PROMPT OTHER TOKEN TOKEN");
        }
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device)) {
            var difference = Measure.difference(args[3], args[4]);
            var sweep = Sweep.of(args[1]).allNeurons().from(args[2]).atLast().measure(difference);
            var rows = new ArrayList<Effects.Row>();
            new Debugger(model).sweep(sweep, effects -> rows.addAll(effects.rows().toList()));
            float clean = rows.getFirst().effects().clean(difference);
            System.out.printf("%s of the prompt itself: %.4f%n", difference, clean);
            rows.sort(Comparator.comparingDouble(row -> -Math.abs(row.value(difference) - clean)));
            rows.stream().limit(10).forEach(
                    row -> System.out.printf("%s\t%+.4f%n", row.neuron().orElseThrow(), row.value(difference) - clean));
        }
    }
}
