package org.lmdebugger.interpret.patch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Choices by estimates, and how they are judged. */
class SieveTest {
    private static double[] random(int n, long seed) {
        var random = new Random(seed);
        return IntStream.range(0, n).mapToDouble(i -> random.nextGaussian()).toArray();
    }

    /** Effects that estimates tell something about. */
    private static double[] effects(double[] estimates, double noise, long seed) {
        var other = random(estimates.length, seed);
        return IntStream.range(0, estimates.length).mapToDouble(i -> estimates[i] + noise * other[i]).toArray();
    }

    private static List<Integer> largest(double[] numbers, int n) {
        return IntStream.range(0, numbers.length).boxed()
                .sorted(Comparator.comparingDouble(i -> -Math.abs(numbers[i]))).limit(n).toList();
    }

    @Test
    void theLargestEstimatesAndARandomSampleAreChosen() {
        var estimates = random(500, 1);
        var sieve = Sieve.of(estimates, 40, 60, 7);
        assertThat(Arrays.stream(sieve.best()).boxed().toList()).isEqualTo(largest(estimates, 40));
        assertThat(sieve.sample()).hasSize(60).isSorted().doesNotHaveDuplicates();
        assertThat(sieve.chosen()).isSorted().doesNotHaveDuplicates().contains(sieve.best()).contains(sieve.sample())
                .hasSizeLessThanOrEqualTo(100);
        assertThat(Sieve.of(estimates, 40, 60, 7).sample()).isEqualTo(sieve.sample());
        assertThat(Sieve.of(estimates, 40, 60, 8).sample()).isNotEqualTo(sieve.sample());
        assertThat(Sieve.of(estimates, 1000, 1000, 7).chosen()).isEqualTo(IntStream.range(0, 500).toArray());
    }

    /** Every effect is drawn equally often: 2,000 draws of a tenth, whose deviation is below 14. */
    @Test
    void theSampleIsUniform() {
        var counts = new int[50];
        for (int seed = 0; seed < 2000; seed++) {
            Arrays.stream(Sieve.of(new double[50], 1, 5, seed).sample()).forEach(i -> counts[i]++);
        }
        assertThat(Arrays.stream(counts).boxed()).allMatch(count -> Math.abs(count - 200) < 5 * 14);
    }

    @ParameterizedTest
    @CsvSource({"10, 0.1", "50, 1", "1, 3", "299, 1", "300, 1"})
    void withASampleOfAllTheQualityIsExact(int best, double noise) {
        var estimates = random(300, 3);
        var effects = effects(estimates, noise, 4);
        var sieve = Sieve.of(estimates, best, 300, 5);
        var both = new HashSet<>(largest(estimates, best));
        both.retainAll(largest(effects, best));
        var quality = sieve.quality(i -> effects[i]);
        assertThat(quality.recall()).isEqualTo((double) both.size() / best);
        assertThat(quality.recallAtLeast()).isEqualTo(quality.recall());
        assertThat(quality.rankCorrelation()).isCloseTo(spearman(estimates, effects), within(1e-12));
    }

    /** Of numbers without ties, 1 − 6·Σ difference² ÷ (n·(n² − 1)). */
    private static double spearman(double[] a, double[] b) {
        List<Integer> ranksA = largest(a, a.length), ranksB = largest(b, b.length);
        double n = a.length;
        return 1 - 6 * IntStream.range(0, a.length)
                .mapToDouble(i -> Math.pow(ranksA.indexOf(i) - ranksB.indexOf(i), 2)).sum() / (n * (n * n - 1));
    }

    /** The mean over many samples is the true recall, and the bound is wrong in at most one of twenty. */
    @Test
    void aSampleEstimatesAndBoundsTheRecall() {
        int n = 3000, best = 300;
        var estimates = random(n, 9);
        var effects = effects(estimates, 0.3, 10);
        double exact = Sieve.of(estimates, best, n, 0).quality(i -> effects[i]).recall();
        double sum = 0;
        int wrong = 0;
        for (int seed = 0; seed < 400; seed++) {
            var quality = Sieve.of(estimates, best, 300, seed).quality(i -> effects[i]);
            sum += quality.recall();
            assertThat(quality.recallAtLeast()).isLessThanOrEqualTo(quality.recall());
            wrong += quality.recallAtLeast() > exact ? 1 : 0;
        }
        assertThat(exact).isBetween(0.6, 0.9);
        assertThat(sum / 400).isCloseTo(exact, within(0.02));
        assertThat(wrong).isBetween(1, 400 / 20);
    }

    @Test
    void withoutASampleNothingIsKnownOfTheRest() {
        var quality = Sieve.of(random(20, 1), 5, 0, 1).quality(i -> 1);
        assertThat(quality.recall()).isNaN();
        assertThat(quality.recallAtLeast()).isZero();
        assertThat(quality.rankCorrelation()).isNaN();
    }

    /** Effects of zero, as where prompts agree, are no loss. */
    @Test
    void equalEffectsAreNotMissed() {
        var quality = Sieve.of(new double[] {3, 2, 1, 0, 0}, 3, 5, 1).quality(i -> i == 0 ? -4 : 0);
        assertThat(quality.recall()).isEqualTo(1);
        // ranks 5, 4, 3, 1.5, 1.5 and 5, 2.5, 2.5, 2.5, 2.5
        assertThat(quality.rankCorrelation()).isCloseTo(5 / Math.sqrt(9.5 * 5), within(1e-12));
    }

    /** 1 − 0.05^(1/n) for nothing found; others are SciPy's beta.ppf(0.95, found + 1, draws − found). */
    @Test
    void boundsAreThoseOfClopperAndPearson() {
        assertThat(Binomial.upperBound(0, 100, 0.95)).isCloseTo(1 - Math.pow(0.05, 0.01), within(1e-12));
        assertThat(Binomial.upperBound(1, 10, 0.95)).isCloseTo(0.39416330243650466, within(1e-12));
        assertThat(Binomial.upperBound(5, 1000, 0.95)).isCloseTo(0.010484076911415651, within(1e-12));
        assertThat(Binomial.upperBound(7, 7, 0.95)).isEqualTo(1);
    }

    @Test
    void whatCannotBeChosenIsRefused() {
        assertThatThrownBy(() -> Sieve.of(new double[3], 0, 1, 1)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("best: 0 (expected: at least 1)");
        assertThatThrownBy(() -> Sieve.of(new double[3], 1, -1, 1)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("sample: -1 (expected: at least 0)");
    }
}
