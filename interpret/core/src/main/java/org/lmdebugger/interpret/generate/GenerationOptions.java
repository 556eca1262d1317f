package org.lmdebugger.interpret.generate;

import org.lmdebugger.device.Sampling;

/**
 * How text is generated.
 *
 * @param tokens   how many at most; prompt and generated tokens together fit the model's positions
 * @param sampling how each is chosen
 */
public record GenerationOptions(int tokens, Sampling sampling) {
    public GenerationOptions {
        if (tokens < 1) {
            throw new IllegalArgumentException("tokens: " + tokens + " (expected: at least 1)");
        }
    }

    public static GenerationOptions greedy(int tokens) {
        return new GenerationOptions(tokens, Sampling.GREEDY);
    }
}
