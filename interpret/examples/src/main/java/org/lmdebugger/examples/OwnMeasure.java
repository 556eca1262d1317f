package org.lmdebugger.examples;

import java.util.Arrays;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;

/**
 * A sweep with two measures of its own: how far the likeliest token's logit is ahead of the next, computed on the host,
 * and the mean of all logits, computed on the device.
 */
public final class OwnMeasure {
    private OwnMeasure() {
    }

    /** @param args a model and a prompt */
    public static void main(String... args) {
        if (args.length != 2) {
            throw new IllegalArgumentException("usage: OwnMeasure MODEL PROMPT");
        }
        var margin = Measure.own("margin", logits -> {
            Arrays.sort(logits);
            return logits[logits.length - 1] - logits[logits.length - 2];
        });
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device);
                var shares = device.allocate(ElementType.F32, 1, model.config().vocabularySize())) {
            var share = new float[model.config().vocabularySize()];
            Arrays.fill(share, 1f / share.length);
            device.call(session -> {
                session.upload(shares, share);
                return null;
            });
            var mean = Measure.ownOnDevice("mean", (session, logits, values) -> session.multiplyTransposed(values,
                    logits, shares));
            var sweep = Sweep.of(args[1]).dominant(20).off().atLast().measure(margin, mean);
            new Debugger(model).sweep(sweep, effects -> {
                effects.rows().forEach(row -> System.out.printf("%s\t%+.4f\t%+.4f%n", row.neuron().orElseThrow(),
                        row.value(margin) - effects.clean(margin), row.value(mean) - effects.clean(mean)));
                return true;
            });
        }
    }
}
