package org.lmdebugger.interpret.patch;

/** The binomial distribution: how often something is found in n draws if it has probability p. */
final class Binomial {
    private Binomial() {
    }

    /**
     * Returns the largest p that finding so few does not refute, as Clopper and Pearson (1934) bound it from above.
     *
     * @param draws at least 1
     */
    static double upperBound(int found, int draws, double confidence) {
        double low = (double) found / draws;
        double high = 1;
        while (low < (low + high) / 2 && (low + high) / 2 < high) {
            double p = (low + high) / 2;
            if (atMost(found, draws, p) >= 1 - confidence) {
                low = p;
            } else {
                high = p;
            }
        }
        return high;
    }

    /** Returns the probability that at most so many are found; p is neither 0 nor 1. */
    private static double atMost(int found, int draws, double p) {
        double logarithm = draws * Math.log1p(-p); // of the probability of i
        double sum = Math.exp(logarithm);
        for (int i = 0; i < found; i++) {
            logarithm += Math.log((double) (draws - i) / (i + 1)) + Math.log(p) - Math.log1p(-p);
            sum += Math.exp(logarithm);
        }
        return sum;
    }
}
