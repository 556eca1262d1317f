package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import org.lmdebugger.model.Site;
import org.lmdebugger.text.Shown;

/**
 * A part of the network that an edit changes. Text forms: {@code L5D123} is a neuron; {@code L5H3} a head's mixed
 * values, {@code L5H3.q}, {@code .k}, {@code .v} its queries, keys and values, {@code L5H3.pattern} its attention
 * weights, {@code L5H3.link} one of them, {@code L5H*} all heads of a layer; {@code L5.pre}, {@code L5.mid} and
 * {@code L5.post} the residual stream before the layer, between attention and FFN, and after the layer;
 * {@code L5.attention} and {@code L5.ffn} the outputs that are added to it, biases included.
 *
 * <p>The names of TransformerLens' hooks are read as well: {@code blocks.5.hook_resid_pre}, {@code hook_resid_mid},
 * {@code hook_resid_post}, {@code hook_attn_out}, {@code hook_mlp_out}, {@code attn.hook_z}, {@code attn.hook_q},
 * {@code attn.hook_k}, {@code attn.hook_v}, {@code attn.hook_pattern} (all heads, or one: {@code attn.hook_z[3]}) and
 * {@code mlp.hook_post[123]} (a neuron).
 */
public sealed interface Part permits Neuron, Head, Link, Residual {
    /** Returns the layer, from 0. */
    int layer();

    /** Returns the site of the forward pass where an edit of this part changes numbers. */
    Site site();

    /**
     * Reads the text form of a part but a link's, which names positions as well ({@link Edit#parse}).
     *
     * @throws IllegalArgumentException if {@code text} is not one
     */
    static Part parse(String text) {
        return Arrays.stream(PartForm.values()).flatMap(form -> form.read(text.strip()).stream()).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("part: " + Shown.of(text)
                        + " (expected: L5D123, L5H3, L5H*, L5H3.q, .k, .v or .pattern, L5.pre, .mid, .post, .attention "
                        + "or .ffn, or a name such as blocks.5.hook_resid_pre)"));
    }
}
