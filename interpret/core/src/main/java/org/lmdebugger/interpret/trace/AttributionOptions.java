package org.lmdebugger.interpret.trace;

import org.lmdebugger.interpret.sweep.Target;

/**
 * The scope of an attribution.
 *
 * @param position its position, from 0; a negative one counts from the end (−1 is the last)
 * @param target   the token whose logit is attributed, and the one whose logit is subtracted; without a token, the clean
 *                 run's prediction at the position
 * @param promoted how many tokens are listed that each head's output promotes; 0 for none
 * @param neurons  how many neurons of each feed-forward layer are listed; 0 for none
 */
public record AttributionOptions(int position, Target target, int promoted, int neurons) {
    /** Options for the prediction at the last position, with five neurons of each layer and no promoted tokens. */
    public static final AttributionOptions DEFAULT = new AttributionOptions(-1, Target.NONE, 0, 5);

    public AttributionOptions at(int index) {
        return new AttributionOptions(index, target, promoted, neurons);
    }

    public AttributionOptions target(Target tokens) {
        return new AttributionOptions(position, tokens, promoted, neurons);
    }

    public AttributionOptions promoted(int count) {
        return new AttributionOptions(position, target, count, neurons);
    }

    public AttributionOptions neurons(int count) {
        return new AttributionOptions(position, target, promoted, count);
    }
}
