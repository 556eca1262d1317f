package org.lmdebugger.interpret.patch;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;
import org.lmdebugger.text.Shown;

/**
 * The results of patching a data set of pairs: parts × columns, each averaged over the pairs.
 *
 * @param baselines the pairs without patching
 * @param parts     the rows, by layer and number
 * @param columns   names of the columns: indices of positions, {@code all}, or roles
 * @param cells     of each part, of each column
 */
public record Averages(Patching patching, List<Baseline> baselines, List<Part> parts, List<String> columns,
        List<List<Cell>> cells) {
    /**
     * A mean.
     *
     * @param count how many numbers it is of: those that are not NaN
     * @param mean  NaN if there are none
     * @param error its standard error, √(Σ(x − mean)² ÷ (n − 1) ÷ n); NaN for fewer than two
     */
    public record Statistic(int count, double mean, double error) {
    }

    /**
     * The results of one part at one column.
     *
     * @param effect     in logits, of {@link Grid.Cell#effect()}
     * @param sameSign   share of the pairs whose effect has the sign of the mean effect; zero is a sign of its own
     * @param normalised of {@link Grid.Cell#normalised()}
     * @param kl         of {@link Grid.Cell#kl()}
     */
    public record Cell(Statistic effect, double sameSign, Statistic normalised, Statistic kl) {
    }

    /** Returns how many pairs the model is right on without patching. */
    public int right() {
        return (int) baselines.stream().filter(Baseline::right).count();
    }

    /**
     * Patches each pair; all are checked before the first is computed.
     *
     * @param progress of the pairs
     * @throws IllegalArgumentException if there is none, one does not fit the model, they differ in length and columns are
     *     positions, or one lacks a role
     */
    public static Averages of(Gpt2 model, List<Pair> pairs, Patching patching, Progress progress) {
        var columns = columns(model, pairs, patching);
        var baselines = new ArrayList<Baseline>();
        List<Part> parts = List.of();
        List<List<Sums>> sums = List.of();
        for (int p = 0; p < pairs.size(); p++) {
            var grid = Grid.of(model, pairs.get(p), patching, Progress.NONE);
            if (p == 0) {
                parts = grid.parts();
                sums = parts.stream().map(part -> columns.stream().map(column -> new Sums()).toList()).toList();
            }
            for (int r = 0; r < sums.size(); r++) {
                for (int c = 0; c < columns.size(); c++) {
                    sums.get(r).get(c).add(grid.cells().get(r).get(grid.columns().indexOf(columns.get(c))));
                }
            }
            baselines.add(grid.baseline());
            progress.report(p + 1, pairs.size());
        }
        return new Averages(patching, List.copyOf(baselines), parts, columns,
                sums.stream().map(row -> row.stream().map(Sums::cell).toList()).toList());
    }

    private static List<String> columns(Gpt2 model, List<Pair> pairs, Patching patching) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("pairs: none (expected: at least one)");
        }
        var lengths = new int[pairs.size()];
        var columns = new LinkedHashSet<String>();
        for (int p = 0; p < lengths.length; p++) {
            lengths[p] = length(model, pairs, p);
            if (patching.columns() == Patching.Columns.POSITIONS && lengths[p] != lengths[0]) {
                throw new IllegalArgumentException(
                        "pair %d: %d tokens, where pair 1 has %d (expected: pairs of one length, or averages by role)"
                                .formatted(p + 1, lengths[p], lengths[0]));
            }
            columns.addAll(patching.names(pairs.get(p), lengths[p]));
        }
        for (int p = 0; p < lengths.length; p++) {
            var names = patching.names(pairs.get(p), lengths[p]);
            for (var column : columns) {
                if (!names.contains(column)) {
                    throw new IllegalArgumentException(
                            "pair %d: no position of the role %s (expected: one, as in other pairs)"
                                    .formatted(p + 1, Shown.of(column)));
                }
            }
        }
        return List.copyOf(columns);
    }

    /** Returns a pair's length. */
    private static int length(Gpt2 model, List<Pair> pairs, int pair) {
        try {
            return pairs.get(pair).ids(model).length();
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException("pair %d: %s".formatted(pair + 1, wrong.getMessage()), wrong);
        }
    }

    /** The numbers of one cell so far. */
    private static final class Sums {
        private final Moments effect = new Moments();
        private final Moments normalised = new Moments();
        private final Moments kl = new Moments();
        private final int[] signs = new int[3]; // negative, zero, positive

        void add(Grid.Cell cell) {
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

        Cell cell() {
            var mean = effect.statistic();
            return new Cell(mean, mean.count() == 0 ? Double.NaN : (double) signs[sign(mean.mean())] / mean.count(),
                    normalised.statistic(), kl.statistic());
        }
    }

    /** Mean and sum of squared deviations of the numbers so far, by Welford's recurrence. */
    private static final class Moments {
        private int count;
        private double mean;
        private double squares;

        void add(double number) {
            if (!Double.isNaN(number)) {
                count++;
                double deviation = number - mean;
                mean += deviation / count;
                squares += deviation * (number - mean);
            }
        }

        Statistic statistic() {
            return new Statistic(count, count == 0 ? Double.NaN : mean,
                    count < 2 ? Double.NaN : Math.sqrt(squares / (count - 1) / count));
        }
    }
}
