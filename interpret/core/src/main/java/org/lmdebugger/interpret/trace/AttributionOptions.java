package org.lmdebugger.interpret.trace;

import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.text.Shown;

/**
 * The scope of an attribution.
 *
 * @param position its position, from 0; a negative one counts from the end (−1 is the last)
 * @param target   the token whose logit is attributed, and the one whose logit is subtracted; without a token, the clean
 *                 run's prediction at the position
 * @param promoted how many tokens are listed that each head's output promotes; 0 for none
 * @param neurons  how many neurons of each feed-forward layer are listed; 0 for none
 * @param by       the number by whose size they are ranked, among all neurons of the layer
 */
public record AttributionOptions(int position, Target target, int promoted, int neurons, NeuronOrder by) {
    /**
     * Options for the prediction at the last position, with the five neurons of each layer that have the largest direct
     * effects, and no promoted tokens.
     */
    public static final AttributionOptions DEFAULT = new AttributionOptions(-1, Target.NONE, 0, 5, NeuronOrder.DIRECT);

    /** The number by whose size neurons are ranked. */
    public enum NeuronOrder {
        /** The direct effect of m·v. */
        DIRECT,
        /** The coefficient m. */
        COEFFICIENT;

        /**
         * Reads {@code direct} or {@code coefficient}.
         *
         * @throws IllegalArgumentException if it is neither
         */
        public static NeuronOrder parse(String text) {
            return switch (text) {
                case "direct" -> DIRECT;
                case "coefficient" -> COEFFICIENT;
                default -> throw new IllegalArgumentException(
                        "order of neurons: %s (expected: direct or coefficient)".formatted(Shown.of(text)));
            };
        }
    }

    public AttributionOptions at(int index) {
        return new AttributionOptions(index, target, promoted, neurons, by);
    }

    public AttributionOptions target(Target tokens) {
        return new AttributionOptions(position, tokens, promoted, neurons, by);
    }

    public AttributionOptions promoted(int count) {
        return new AttributionOptions(position, target, count, neurons, by);
    }

    public AttributionOptions neurons(int count) {
        return new AttributionOptions(position, target, promoted, count, by);
    }

    public AttributionOptions by(NeuronOrder order) {
        return new AttributionOptions(position, target, promoted, neurons, order);
    }
}
