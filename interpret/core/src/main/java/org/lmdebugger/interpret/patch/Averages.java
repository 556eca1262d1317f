package org.lmdebugger.interpret.patch;

import java.util.List;
import org.lmdebugger.interpret.edit.Part;

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

}
