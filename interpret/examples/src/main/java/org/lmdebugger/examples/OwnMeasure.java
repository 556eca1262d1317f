package org.lmdebugger.examples;

import java.util.Arrays;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;

/** A sweep with a measure of its own: how far the likeliest token's logit is ahead of the next. */
public final class OwnMeasure {
    private OwnMeasure() {
    }

    /** @param args a model and a prompt */
    public static void main(String... args) {
        var margin = Measure.own("margin", logits -> {
            Arrays.sort(logits);
            return logits[logits.length - 1] - logits[logits.length - 2];
        });
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device)) {
            var sweep = Sweep.of(args[1]).dominant(20).off().atLast().measure(margin);
            new Debugger(model).sweep(sweep, effects -> {
                effects.rows().forEach(row -> System.out.printf("%s\t%+.4f%n", row.neuron().orElseThrow(),
                        row.value(margin) - effects.clean(margin)));
                return true;
            });
        }
    }
}
