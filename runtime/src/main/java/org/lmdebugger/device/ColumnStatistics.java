package org.lmdebugger.device;

/**
 * Statistics of n columns over all rows that were added by {@link Operations#accumulate}. Before the
 * first, all are 0, but for min, +∞, and max, −∞.
 *
 * @param sums       Σ x, [1, n] F64
 * @param squares    Σ x², [1, n] F64
 * @param min        the smallest number, [1, n]
 * @param max        the largest number, [1, n]
 * @param histograms how many numbers are in each bin of {@link Histogram}, [n, 64] I32
 */
public record ColumnStatistics(Tensor sums, Tensor squares, Tensor min, Tensor max, Tensor histograms) {
}
