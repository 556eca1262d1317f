package org.lmdebugger.interpret.patch;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.interpret.activations.Lens;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.Gpt2;

/**
 * The logit differences of a pair (of edges, it may be another measure) without patching, under the edits that always hold: mean logit of the answers − mean logit of the wrong tokens.
 *
 * @param clean     after the clean prompt
 * @param corrupted after the corrupted prompt
 * @param right     whether the model is right at all: after the clean prompt an answer's logit is above those of all
 *                  wrong tokens
 */
public record Baseline(double clean, double corrupted, boolean right) {
    /**
     * The smallest |clean − corrupted| that results are divided by. Logit differences in single precision are exact to
     * about 10⁻⁴; with a smaller divisor a normalised result would be wrong by more than a hundredth.
     */
    public static final double SMALLEST_DIVISOR = 0.01;

    /** @throws IllegalArgumentException if the pair does not fit the model */
    public static Baseline of(Gpt2 model, Pair pair) {
        return of(model, References.NONE, pair, Intervention.NONE);
    }

    /**
     * Computes the baseline under edits.
     *
     * @param references that these take means and samples from
     * @throws IllegalArgumentException if the pair or an edit does not fit the model
     */
    public static Baseline of(Gpt2 model, References references, Pair pair, Intervention edits) {
        try (var runs = new CleanRuns(model)) {
            return of(model, pair.ids(model), edits, references, runs);
        }
    }

    static Baseline of(Gpt2 model, Pair.Ids ids, Intervention edits, References references, CleanRuns runs) {
        var clean = logits(model, ids.clean(), ids, edits, references, runs);
        var corrupted = logits(model, ids.corrupted(), ids, edits, references, runs);
        return new Baseline(ids.difference(clean), ids.difference(corrupted),
                largest(ids.answers(), clean) > largest(ids.wrong(), clean));
    }

    private static double largest(int[] tokens, Pair.Logits logits) {
        return Arrays.stream(tokens).mapToDouble(logits::of).max().orElseThrow();
    }

    /** Returns log-probabilities of answers and wrong tokens, which are logits less the same number. */
    private static Pair.Logits logits(Gpt2 model, int[] prompt, Pair.Ids ids, Intervention edits,
            References references, CleanRuns runs) {
        var tokens = IntStream.concat(IntStream.of(ids.answers()), IntStream.of(ids.wrong())).sorted().toArray();
        var last = runs.of(prompt, edits, references, Set.of()).residualPost(model.config().layers() - 1)
                .row(prompt.length - 1);
        var read = Lens.of(model).logProbabilities(last, tokens);
        for (float logit : read) {
            if (!Float.isFinite(logit)) {
                try (var resolver = new Resolver(model, references, prompt, runs)) {
                    throw Overflow.in(model, prompt, resolver.resolve(edits), edits);
                }
            }
        }
        return token -> read[Arrays.binarySearch(tokens, token)];
    }

    /** Returns clean − corrupted, which normalised results are divided by; NaN if it is too small for that. */
    public double divisor() {
        double divisor = clean - corrupted;
        return Math.abs(divisor) < SMALLEST_DIVISOR ? Double.NaN : divisor;
    }
}
