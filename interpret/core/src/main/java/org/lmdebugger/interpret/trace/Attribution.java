package org.lmdebugger.interpret.trace;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.TokenLogit;

/**
 * The direct effects of all parts of the network on a token's logit at one position, or on the difference of two
 * logits. The residual stream before the final LayerNorm is a sum, x = Σ parts. With u the token's row of the head (of
 * two tokens, the difference of their rows), γ the gain and σ the standard deviation of the final LayerNorm on x, the
 * direct effect of a part is part·g, where g = (γ ⊙ u − mean(γ ⊙ u)) ÷ σ. These effects and that of the final bias add
 * up to the logit, but for rounding. Immutable, and independent of the model's lifetime.
 *
 * @param position      the position, from 0
 * @param target        the token
 * @param against       the token whose logit is subtracted
 * @param logit         the logit that the network computes, or the difference
 * @param contributions of all parts, in the order of the computation
 */
public record Attribution(int position, Trace.Token target, Optional<Trace.Token> against, double logit,
        List<Contribution> contributions) {

    /** A kind of part. */
    public enum Kind {
        /** The token embedding. */
        TOKEN,
        /** The position embedding. */
        POSITION,
        /** A head's mixed values, multiplied with its output weights. */
        HEAD,
        /** The bias of a layer's attention. */
        ATTENTION_BIAS,
        /** The output of a feed-forward layer without its bias. */
        FFN,
        /** The bias of a feed-forward layer. */
        FFN_BIAS,
        /** The change that edits of a layer's residual stream, or of its attention's output, make. */
        EDITS,
        /** The bias of the final LayerNorm. */
        FINAL_BIAS
    }

    /**
     * A part whose effect is attributed. Text forms: {@code token}, {@code position}, {@code L0H1},
     * {@code L0.attentionBias}, {@code L0.ffn}, {@code L0.ffnBias}, {@code L0.edits}, {@code finalBias}.
     *
     * @param layer the layer; −1 for a part of none
     * @param head  the head; −1 for all kinds but {@link Kind#HEAD}
     */
    public record Component(Kind kind, int layer, int head) {
        /** Returns the text form. */
        @Override
        public String toString() {
            return switch (kind) {
                case TOKEN -> "token";
                case POSITION -> "position";
                case HEAD -> "L" + layer + "H" + head;
                case ATTENTION_BIAS -> "L" + layer + ".attentionBias";
                case FFN -> "L" + layer + ".ffn";
                case FFN_BIAS -> "L" + layer + ".ffnBias";
                case EDITS -> "L" + layer + ".edits";
                case FINAL_BIAS -> "finalBias";
            };
        }
    }

    /**
     * The effect of one part, three times.
     *
     * @param direct       with σ of the whole stream: these add up
     * @param renormalised the logit (difference) less that of the stream without the part, whose final LayerNorm is
     *                     computed anew
     * @param total        the logit (difference) less that with the part off at this position, through all later
     *                     layers; of heads and feed-forward layers (output and bias) only, and of edited runs only at
     *                     the prompt's last position
     * @param sources      of a head: its attention to each position; empty if an edit changes its mixed values
     * @param promoted     of a head: the tokens with the largest products of its output and the head of the model, as
     *                     many as were asked for
     * @param neurons      of a feed-forward layer: those of the largest direct effects in size, or the largest
     *                     coefficients, largest first, as many as were asked for; empty if an edit changes the layer's
     *                     output
     */
    public record Contribution(Component component, double direct, double renormalised, OptionalDouble total,
            List<Source> sources, List<TokenLogit> promoted, List<NeuronEffect> neurons) {
        Contribution withTotal(double effect) {
            return new Contribution(component, direct, renormalised, OptionalDouble.of(effect), sources, promoted,
                    neurons);
        }

        /** Returns the direct effect less those of the listed neurons: of a feed-forward layer, that of its others. */
        public double otherNeurons() {
            return direct - neurons.stream().mapToDouble(NeuronEffect::direct).sum();
        }
    }

    /**
     * A head's attention to one position.
     *
     * @param position the position of the key
     * @param weight   the attention weight A
     * @param norm     ‖A·v·W_O‖₂, with v the value at that position and W_O the head's output weights
     * @param direct   the direct effect of A·v·W_O
     */
    public record Source(int position, double weight, double norm, double direct) {
    }

    /**
     * A neuron's part of a feed-forward layer's output, m·v.
     *
     * @param coefficient m, with its sign
     * @param direct      the direct effect of m·v; those of all neurons of a layer add up to that of its output
     */
    public record NeuronEffect(Neuron neuron, double coefficient, double direct) {
    }

    /** Returns the sum of the direct effects. */
    public double sum() {
        return contributions.stream().mapToDouble(Contribution::direct).sum();
    }

    /** Returns the part of the logit that the sum lacks, by rounding. */
    public double remainder() {
        return logit - sum();
    }

    /** Returns whether no number of it left what single precision can hold. */
    public boolean isFinite() {
        return Double.isFinite(logit) && contributions.stream()
                .allMatch(each -> Double.isFinite(each.direct()) && Double.isFinite(each.renormalised()));
    }

    /** Returns the contributions of the heads, by layer, then head. */
    public List<Contribution> heads() {
        return contributions.stream().filter(each -> each.component().kind() == Kind.HEAD).toList();
    }
}
