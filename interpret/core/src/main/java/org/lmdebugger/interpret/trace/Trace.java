package org.lmdebugger.interpret.trace;

import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * How a prompt's prediction is built up, layer by layer. Immutable, and independent of the model's lifetime.
 *
 * @param model     the model's name
 * @param device    where it was computed
 * @param precision the arithmetic of its GEMMs
 * @param mode      {@code lm-debugger} if an edit is one of its switches, on or off, else {@code exact}
 * @param prompt    the text
 * @param tokens    its tokens
 * @param added     positions of those that the tokenizer adds by itself, in ascending order
 * @param positions the traced positions, in ascending order; none if the edited run alone was traced
 * @param edited    the same positions under the edits; empty without edits
 */
public record Trace(String model, String device, String precision, String mode, String prompt, List<Token> tokens,
        List<Integer> added, List<Position> positions, Optional<List<Position>> edited) {

    /** A token and its text; a leading space is real. */
    public record Token(int id, String text) {
    }

    /** A token and its probability. */
    public record Prediction(int id, String token, float probability) {
    }

    /**
     * One position.
     *
     * @param position its index, from 0
     * @param target   the token that effects of sub-updates are on: the first chosen one, else the clean run's
     *                 prediction at this position, or the edited run's if that alone was traced
     * @param against  the token whose logit is subtracted from the target's; without one, direct effects are on the
     *                 target's logit, and total effects on its log-probability
     */
    public record Position(int position, Token target, Optional<Token> against, List<Layer> layers) {
        public Layer layer(int index) {
            return layers.get(index);
        }

        /** Returns whether no number of it left what single precision can hold. */
        public boolean isFinite() {
            return layers.stream().allMatch(layer -> areFinite(layer.before()) && areFinite(layer.after())
                    && layer.dominant().stream().allMatch(update -> Float.isFinite(update.coefficient())
                            && Float.isFinite(update.score()) && Float.isFinite(update.direct())));
        }

        private static boolean areFinite(List<Prediction> predictions) {
            return predictions.stream().allMatch(prediction -> Float.isFinite(prediction.probability()));
        }
    }

    /**
     * One layer at one position.
     *
     * @param before   most likely tokens of the residual stream before the FFN
     * @param after    most likely tokens after it
     * @param dominant the sub-updates with the largest scores
     * @param chosen   how the chosen tokens fare
     */
    public record Layer(int layer, List<Prediction> before, List<Prediction> after, List<SubUpdate> dominant,
            List<Chosen> chosen) {
    }

    /**
     * One value vector's share in an FFN's output: m·v.
     *
     * @param coefficient m, with its sign
     * @param score       |m|·‖v‖₂
     * @param direct      the direct effect (direct logit attribution): the share of m·v in the logit of
     *                    {@link Position#target()}, or in its difference from that of {@link Position#against()}, read
     *                    from the final residual stream: m·((v − mean v) ⊙ γ)·w / σ with γ and σ of the final LayerNorm
     *                    and w the token's row of the head, or the difference of two
     * @param total       the total effect: the log-probability of the target in nats, read at this position, minus the
     *                    same with the sub-update switched off at this position; with {@link Position#against()}, so
     *                    for the difference of the two logits. Both effects are positive if the sub-update favours the
     *                    target. Empty unless asked for ({@link TraceOptions#withTotalEffects()}), and under edits
     */
    public record SubUpdate(int layer, int neuron, float coefficient, float score, float direct, OptionalDouble total) {
        @Override
        public String toString() {
            return "L%dD%d coefficient %.4f score %.4f direct %+.4f".formatted(layer, neuron, coefficient, score,
                    direct)
                    + total.stream().mapToObj(" total %+.4f"::formatted).collect(Collectors.joining());
        }
    }

    /** A chosen token before and after an FFN. */
    public record Chosen(int id, String token, Standing before, Standing after) {
    }

    /**
     * @param rank number of tokens that are more likely: 0 for the most likely one
     */
    public record Standing(float probability, int rank) {
    }

    /** Returns a traced position by its index; −1 is the prompt's last. */
    public Position position(int index) {
        return find(positions, index);
    }

    /** Returns a traced position under the edits. */
    public Position editedPosition(int index) {
        return find(edited.orElseThrow(
                () -> new IllegalStateException("edited: nothing (expected: a trace with edits)")), index);
    }

    private Position find(List<Position> among, int index) {
        int wanted = index < 0 ? tokens.size() + index : index;
        return among.stream().filter(p -> p.position() == wanted).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("position: %d (expected: one of %s)".formatted(
                        index, among.stream().map(Position::position).toList())));
    }
}
