package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import org.lmdebugger.interpret.patch.Sieve;
import picocli.CommandLine.Option;

/** Whether effects that are computed are chosen by estimates, and how many. */
final class SieveOptions {
    private static final int SAMPLE = 1000;

    @Option(names = "--sieve", paramLabel = "N",
            description = "Estimates all effects from gradients, by one backward pass, and computes exactly only those of the "
                    + "N largest estimates and of a random sample. Prints how many of the N largest effects the estimates "
                    + "have found (recall), and the rank correlation in the sample.")
    private Integer best;

    @Option(names = "--sample", paramLabel = "K",
            description = "With --sieve: how many are drawn at random from all, and computed exactly (default: "
                    + SAMPLE
                    + "). More of them judge the recall more closely.")
    private Integer sample;

    @Option(names = "--seed", paramLabel = "S",
            description = "With --sieve: seed of the sample; the same seed, the same sample (default: 0).")
    private Long seed;

    /** Checks what can be checked without a model. */
    void check(OutputOptions output) {
        if (best == null) {
            if (sample != null || seed != null) {
                throw new IllegalArgumentException((sample != null ? "--sample" : "--seed")
                        + ": no sieve (expected: --sieve N, too)");
            }
            return;
        }
        if (best < 1) {
            throw new IllegalArgumentException("--sieve: %d (expected: at least 1)".formatted(best));
        }
        if (sample != null && sample < 2) {
            throw new IllegalArgumentException(
                    "--sample: %d (expected: at least 2, to judge the sieve by)".formatted(sample));
        }
        if (!output.isWhole()) {
            throw new IllegalArgumentException(
                    "--part: with --sieve (expected: one process, as all its effects judge the sieve)");
        }
    }

    boolean isGiven() {
        return best != null;
    }

    /** Estimates that a sieve chooses by. */
    @FunctionalInterface
    interface Estimates {
        Sieve sieve(int best, int sample, long seed);
    }

    /** Returns the choice that is asked for. */
    Sieve choose(Estimates estimates) {
        return estimates.sieve(best, sample == null ? SAMPLE : sample, seed == null ? 0 : seed);
    }

    /** Prints a choice and its quality. @param things that effects are of */
    static void print(PrintWriter out, String things, Sieve sieve, Sieve.Quality quality) {
        out.println();
        out.println(
                "sieve: %,d %s estimated; computed are the %,d with the largest estimates and %,d drawn at random (seed %d)"
                        .formatted(sieve.estimates().length, things, sieve.best().length, sieve.sample().length,
                                sieve.seed()));
        out.println("recall@%,d: %s, with %.0f %% confidence at least %s; rank correlation (Spearman): %s"
                .formatted(sieve.best().length, percent(quality.recall()), 100 * Sieve.CONFIDENCE,
                        percent(quality.recallAtLeast()), number(quality.rankCorrelation())));
        out.flush();
    }

    private static String percent(double share) {
        return Double.isNaN(share) ? "unknown" : "%.1f %%".formatted(100 * share);
    }

    private static String number(double number) {
        return Double.isNaN(number) ? "unknown" : "%.3f".formatted(number);
    }
}
