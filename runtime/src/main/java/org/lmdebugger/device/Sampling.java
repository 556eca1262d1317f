package org.lmdebugger.device;

/**
 * A rule for choosing a token from logits. The candidates are the {@code topK} most likely tokens (all of them if 0),
 * cut to the fewest most likely whose probabilities at {@code temperature}, among those candidates, reach {@code topP}.
 * The token is the first candidate, lowest id first, at which the running sum of probabilities exceeds u times the
 * sum of them all.
 *
 * @param temperature divides the logits; 0 is greedy, whatever the rest
 * @param topK        number of candidates, 0 for all
 * @param topP        probability that the candidates reach, in (0, 1]; 1 keeps all
 */
public record Sampling(float temperature, int topK, float topP) {
    /** The most likely token, always. */
    public static final Sampling GREEDY = new Sampling(0, 0, 1);

    public Sampling {
        if (!(temperature >= 0) || temperature == Float.POSITIVE_INFINITY) {
            throw new IllegalArgumentException("temperature: " + temperature + " (expected: 0 or a positive number)");
        }
        if (topK < 0) {
            throw new IllegalArgumentException("topK: " + topK + " (expected: 0 for all tokens, or their number)");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("topP: " + topP + " (expected: more than 0, at most 1)");
        }
    }

    public boolean greedy() {
        return temperature == 0;
    }
}
