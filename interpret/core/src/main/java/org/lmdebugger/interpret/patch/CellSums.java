package org.lmdebugger.interpret.patch;

import org.lmdebugger.interpret.patch.Averages.Cell;

/** The results of one part over pairs so far: only sums are kept. The same results in the same order give the same bits. */
public final class CellSums {
    private final Moments effect = new Moments();
    private final Moments normalised = new Moments();
    private final Moments kl = new Moments();
    private final int[] signs = new int[3]; // negative, zero, positive

    /** Adds a pair's result; numbers that are NaN do not count. */
    public void add(Grid.Cell cell) {
        effect.add(cell.effect());
        normalised.add(cell.normalised());
        kl.add(cell.kl());
        if (!Double.isNaN(cell.effect())) {
            signs[sign(cell.effect())]++;
        }
    }

    private static int sign(double number) {
        return 1 + (int) Math.signum(number);
    }

    /** Returns the averages so far. */
    public Cell cell() {
        var mean = effect.statistic();
        return new Cell(mean, mean.count() == 0 ? Double.NaN : (double) signs[sign(mean.mean())] / mean.count(),
                normalised.statistic(), kl.statistic());
    }
}
