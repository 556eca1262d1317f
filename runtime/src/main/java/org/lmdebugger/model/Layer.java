package org.lmdebugger.model;

import java.util.function.BiFunction;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;

/**
 * The weights of one block, on a device, read-only. Matrices are stored [in, out]; f is the width of the feed-forward
 * layer (FFN).
 *
 * @param ln1Gain           gain of the LayerNorm before attention, [1, d]
 * @param ln1Bias           its bias, [1, d]
 * @param queryKeyValue     projections to queries, keys and values, [d, 3d]
 * @param queryKeyValueBias their bias, [1, 3d]
 * @param attentionOut      projection of the mixed values, [d, d]
 * @param attentionBias     its bias, [1, d]
 * @param ln2Gain           gain of the LayerNorm before the FFN, [1, d]
 * @param ln2Bias           its bias, [1, d]
 * @param ffnIn             the FFN's first matrix, c_fc: column i is the key of neuron i, [d, f]
 * @param ffnInBias         its bias, [1, f]
 * @param ffnOut            the FFN's second matrix, c_proj: row i is the value vector of neuron i, [f, d]
 * @param ffnOutBias        its bias, [1, d]
 * @param valueNorms        ‖v_i‖₂ of every value vector, [1, f]
 */
public record Layer(Tensor ln1Gain, Tensor ln1Bias, Tensor queryKeyValue, Tensor queryKeyValueBias,
        Tensor attentionOut, Tensor attentionBias, Tensor ln2Gain, Tensor ln2Bias,
        Tensor ffnIn, Tensor ffnInBias, Tensor ffnOut, Tensor ffnOutBias, Tensor valueNorms) {

    /** Loads block {@code index}; {@code load} gives the tensor of a name and shape. */
    static Layer load(TensorScope scope, Gpt2Config config, int index, BiFunction<String, long[], Tensor> load) {
        long d = config.width();
        long n = config.feedForwardWidth();
        var block = "h." + index + ".";
        var ffnOut = load.apply(block + "mlp.c_proj.weight", new long[] {n, d});
        var norms = scope.allocate(ElementType.F32, 1, n);
        scope.device().call(session -> {
            session.rowNorms(norms, ffnOut);
            return null;
        });
        return new Layer(
                load.apply(block + "ln_1.weight", new long[] {d}), load.apply(block + "ln_1.bias", new long[] {d}),
                load.apply(block + "attn.c_attn.weight", new long[] {d, 3 * d}),
                load.apply(block + "attn.c_attn.bias", new long[] {3 * d}),
                load.apply(block + "attn.c_proj.weight", new long[] {d, d}),
                load.apply(block + "attn.c_proj.bias", new long[] {d}),
                load.apply(block + "ln_2.weight", new long[] {d}), load.apply(block + "ln_2.bias", new long[] {d}),
                load.apply(block + "mlp.c_fc.weight", new long[] {d, n}),
                load.apply(block + "mlp.c_fc.bias", new long[] {n}),
                ffnOut, load.apply(block + "mlp.c_proj.bias", new long[] {d}), norms.asReadOnly());
    }
}
