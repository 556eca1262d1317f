package org.lmdebugger.interpret.activations;

import org.lmdebugger.device.Tensor;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.text.Shown;

/**
 * The refusal of a forward whose numbers leave what single precision can hold. Whatever is not finite within the
 * network makes the logits NaN, so that it is enough to look at what is read anyhow, and to search for the layer only
 * then.
 */
public final class Overflow {
    private Overflow() {
    }

    /**
     * Returns the exception for a forward pass that kept nothing: the pass is repeated, also without the edits, to find
     * the cause.
     */
    public static IllegalArgumentException in(Gpt2 model, int[] ids, CompiledIntervention intervention,
            Intervention edits) {
        try (var clean = Activations.forward(model, ids, CompiledIntervention.NONE, Activations.Keep.NEURONS);
                var run = Activations.forward(model, ids, intervention, Activations.Keep.NEURONS)) {
            return firstLayer(clean) < model.config().layers() ? in(clean, Intervention.NONE) : in(run, edits);
        }
    }

    /**
     * Returns the exception to throw, which names the first layer of {@code run} after which a number is not finite.
     */
    public static IllegalArgumentException in(Activations run, Intervention edits) {
        int layer = firstLayer(run);
        var where = layer < run.model().config().layers() ? "from layer " + layer + " on" : "in what is read of it";
        return new IllegalArgumentException(edits.isEmpty()
                ? "model: %s: its numbers are not finite %s, without any edit (expected: weights that FP32 can compute with)"
                        .formatted(Shown.of(run.model().files().name()), where)
                : "edits: %s: the network's numbers are not finite %s (expected: smaller edits, as FP32 ends at 3.4e38)"
                        .formatted(Shown.of(String.join("; ", edits.texts())), where));
    }

    /** Returns {@code products} if every one of them is finite. */
    public static float[] finite(float[] products) {
        for (float product : products) {
            if (!Float.isFinite(product)) {
                throw new IllegalArgumentException(
                        "vectors: a product is %s (expected: vectors whose products FP32 can hold)".formatted(product));
            }
        }
        return products;
    }

    /** Returns the first layer after which a number is not finite; the number of layers if there is none. */
    private static int firstLayer(Activations run) {
        int layer = 0;
        while (layer < run.model().config().layers() && isFinite(run.residualMid(layer))
                && isFinite(run.residualPost(layer))) {
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
