package org.lmdebugger.interpret.patch;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * A choice, by estimates, of effects that are computed exactly: those whose estimates are largest in size, and some drawn at
 * random from all, by which the choice is judged. The same estimates and seed give the same choice.
 *
 * @param estimates of all effects
 * @param best      the indices of the largest estimates, largest first; of equal ones the first
 * @param sample    the indices of those that are drawn, ascending
 * @param seed      that they are drawn by
 */
public record Sieve(double[] estimates, int[] best, int[] sample, long seed) {
    /** With which the true recall is at least {@link Quality#recallAtLeast}. */
    public static final double CONFIDENCE = 0.95;

    /**
     * The quality of a choice of the n best.
     *
     * @param recall          the share of the n truly largest effects that are among the n best, as the sample suggests. Each
     *                        effect of the sample that was not chosen stands for all that are neither chosen nor drawn, in
     *                        equal parts. NaN if there are such, and none was drawn
     * @param recallAtLeast   a bound that the true share is not below, with a confidence of {@link #CONFIDENCE}: as many
     *                        effects may be missed as the upper bound of Clopper and Pearson (1934) for the sample allows
     * @param rankCorrelation Spearman's, of the sizes of estimates and effects in the sample; NaN for fewer than two, or if
     *                        all are equal
     */
    public record Quality(double recall, double recallAtLeast, double rankCorrelation) {
    }

    /**
     * Chooses.
     *
     * @param best   how many of the largest estimates; all if there are fewer
     * @param sample how many are drawn; all if there are fewer
     * @throws IllegalArgumentException if one is negative, or best 0
     */
    public static Sieve of(double[] estimates, int best, int sample, long seed) {
        if (best < 1) {
            throw new IllegalArgumentException("best: %d (expected: at least 1)".formatted(best));
        }
        if (sample < 0) {
            throw new IllegalArgumentException("sample: %d (expected: at least 0)".formatted(sample));
        }
        var order = IntStream.range(0, estimates.length).boxed()
                .sorted(Comparator.comparingDouble(i -> -Math.abs(estimates[i]))).mapToInt(i -> i).toArray();
        return new Sieve(estimates.clone(), Arrays.copyOf(order, Math.min(best, order.length)),
                draw(order.length, Math.min(sample, order.length), seed), seed);
    }

    /** Returns some of the numbers below {@code count}, each set of them as likely: the first of a shuffle. */
    private static int[] draw(int count, int sample, long seed) {
        var numbers = IntStream.range(0, count).toArray();
        var random = new SplittableRandom(seed);
        for (int i = 0; i < sample; i++) {
            int other = random.nextInt(i, count);
            int number = numbers[other];
            numbers[other] = numbers[i];
            numbers[i] = number;
        }
        return Arrays.stream(numbers, 0, sample).sorted().toArray();
    }

    /** Returns the indices of all effects that are to be computed, ascending. */
    public int[] chosen() {
        return IntStream.concat(IntStream.of(best), IntStream.of(sample)).sorted().distinct().toArray();
    }

    /** Judges the choice. @param effects the exact ones, of those that are chosen */
    public Quality quality(IntToDoubleFunction effects) {
        var isBest = new boolean[estimates.length];
        IntStream.of(best).forEach(i -> isBest[i] = true);
        // of equal effects those that were chosen first: to miss one of equals is no fault
        var largest = IntStream.of(chosen()).boxed().sorted(Comparator
                .<Integer>comparingDouble(i -> -Math.abs(effects.applyAsDouble(i))).thenComparing(i -> !isBest[i]))
                .toList();
        int drawn = (int) IntStream.of(sample).filter(i -> !isBest[i]).count();
        int rest = estimates.length - best.length;
        return new Quality(recall(largest, isBest, new Missed(rest, drawn, false)),
                recall(largest, isBest, new Missed(rest, drawn, true)),
                rankCorrelation(IntStream.of(sample).mapToDouble(i -> Math.abs(estimates[i])).toArray(),
                        IntStream.of(sample).mapToDouble(i -> Math.abs(effects.applyAsDouble(i))).toArray()));
    }

    /** How many effects outside the best are as large as some of the sample. */
    private record Missed(int rest, int drawn, boolean atMost) {
        double of(int found) {
            if (rest == drawn) {
                return found;
            }
            return rest * (atMost ? Binomial.upperBound(found, drawn, CONFIDENCE) : (double) found / drawn);
        }
    }

    /**
     * Returns the share of the n largest effects that are among the best: down the exact effects, until those of the best and
     * the missed ones are n.
     */
    private double recall(List<Integer> largest, boolean[] isBest, Missed missed) {
        if (missed.rest() > 0 && missed.drawn() == 0) {
            return missed.atMost() ? 0 : Double.NaN;
        }
        int n = best.length;
        var found = new int[largest.size() + 1]; // of the best, above each place
        for (int i = 0; i < largest.size(); i++) {
            found[i + 1] = found[i] + (isBest[largest.get(i)] ? 1 : 0);
        }
        int low = 0; // places whose effects are all among the n largest
        int high = largest.size();
        while (low < high) {
            int middle = (low + high + 1) / 2;
            if (found[middle] + missed.of(middle - found[middle]) <= n) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        // what is missing of n at this place comes from the next one, which is not among the best, or there is none
        return (double) found[low] / n;
    }

    private static double rankCorrelation(double[] a, double[] b) {
        double[] x = ranks(a), y = ranks(b);
        double mean = (x.length + 1) / 2.0;
        double xy = 0;
        double xx = 0;
        double yy = 0;
        for (int i = 0; i < x.length; i++) {
            xy += (x[i] - mean) * (y[i] - mean);
            xx += (x[i] - mean) * (x[i] - mean);
            yy += (y[i] - mean) * (y[i] - mean);
        }
        return xy / Math.sqrt(xx * yy);
    }

    /** Returns the ranks from 1 on; equal numbers share the mean of theirs. */
    private static double[] ranks(double[] numbers) {
        var order = IntStream.range(0, numbers.length).boxed().sorted(Comparator.comparingDouble(i -> numbers[i]))
                .mapToInt(i -> i).toArray();
        var ranks = new double[numbers.length];
        for (int from = 0; from < order.length;) {
            int to = from;
            while (to < order.length && numbers[order[to]] == numbers[order[from]]) {
                to++;
            }
            for (int i = from; i < to; i++) {
                ranks[order[i]] = (from + to + 1) / 2.0;
            }
            from = to;
        }
        return ranks;
    }
}
