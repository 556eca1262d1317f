package org.lmdebugger.interpret;

import java.util.List;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.text.Shown;

/**
 * The refusal of a forward whose numbers leave what single precision can hold. Whatever is not finite within the network
 * makes the logits NaN, so that it is enough to look at what is read anyhow, and to search for the layer only then.
 */
final class Overflow {
    private Overflow() {
    }

    /** Whether a traced position has a number that is none. */
    static boolean isIn(Trace.Position position) {
        return !position.layers().stream().allMatch(layer -> areFinite(layer.before()) && areFinite(layer.after())
                && layer.dominant().stream().allMatch(update -> Float.isFinite(update.coefficient())
                && Float.isFinite(update.score()) && Float.isFinite(update.contribution())));
    }

    private static boolean areFinite(List<Trace.Prediction> predictions) {
        return predictions.stream().allMatch(prediction -> Float.isFinite(prediction.probability()));
    }

    /** The same for a forward that kept nothing: it is done again, and without the edits to see whose fault it is. */
    static IllegalArgumentException in(Gpt2 model, int[] ids, Intervention intervention, Edits edits) {
        try (var clean = Run.forward(model, ids, Intervention.NONE, Run.Keep.ALL);
             var run = Run.forward(model, ids, intervention, Run.Keep.ALL)) {
            return firstLayer(clean) < model.config().layers() ? in(clean, Edits.NONE) : in(run, edits);
        }
    }

    /** Returns what to throw: it names the first layer of {@code run} after which a number is not finite. */
    static IllegalArgumentException in(Run run, Edits edits) {
        int layer = firstLayer(run);
        var where = layer < run.model().config().layers() ? "from layer " + layer + " on" : "in what is read of it";
        return new IllegalArgumentException(edits.isEmpty()
                ? "model: %s: its numbers are not finite %s, without any edit (expected: weights that FP32 can compute with)"
                        .formatted(Shown.of(run.model().files().name()), where)
                : "edits: %s: the network's numbers are not finite %s (expected: smaller edits, as FP32 ends at 3.4e38)"
                        .formatted(Shown.of(String.join("; ", edits.texts())), where));
    }

    /** The first layer after which a number is not finite; the number of layers if there is none. */
    private static int firstLayer(Run run) {
        int layer = 0;
        while (layer < run.model().config().layers() && isFinite(run.before(layer)) && isFinite(run.after(layer))) {
            layer++;
        }
        return layer;
    }

    private static boolean isFinite(Tensor tensor) {
        for (float number : tensor.toFloats()) {
            if (!Float.isFinite(number)) {
                return false;
            }
        }
        return true;
    }
}
