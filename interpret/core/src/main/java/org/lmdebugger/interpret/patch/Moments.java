package org.lmdebugger.interpret.patch;

import org.lmdebugger.interpret.patch.Averages.Statistic;

/** Mean and sum of squared deviations of the numbers so far, by Welford's recurrence: the same numbers in the same order give the same bits. */
public final class Moments {
    private int count;
    private double mean;
    private double squares;

    /** Adds a number, unless it is NaN. */
    public void add(double number) {
        if (!Double.isNaN(number)) {
            count++;
            double deviation = number - mean;
            mean += deviation / count;
            squares += deviation * (number - mean);
        }
    }

    /** Returns the mean so far and its standard error. */
    public Statistic statistic() {
        return new Statistic(count, count == 0 ? Double.NaN : mean,
                count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1) / count));
    }
}
