package org.lmdebugger.interpret.patch;

import java.util.Comparator;
import java.util.List;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;

/**
 * The results of patching one pair: parts × columns.
 *
 * @param baseline the pair without patching
 * @param parts    the rows, by layer and number
 * @param columns  names of the columns: indices of positions, {@code all}, or roles
 * @param cells    of each part, of each column
 */
public record Grid(Patching patching, Baseline baseline, List<Part> parts, List<String> columns,
        List<List<Cell>> cells) {
    /** Parts of one kind, as they are numbered. */
    static final Comparator<Part> ORDER = Comparator.comparingInt(Part::layer).thenComparingInt(Grid::number);

    /**
     * The result of patching one part at the positions of one column.
     *
     * @param difference the logit difference, mean of the answers − mean of the wrong tokens
     * @param effect     that less the logit difference of the same prompt without patching; exactly 0 where patching can
     *                   change nothing, as where the two prompts agree so far
     * @param normalised (difference − corrupted) ÷ (clean − corrupted), in both directions: 1 is the clean prompt's
     *                   logit difference, 0 the corrupted one's. NaN where that divisor is too small
     *                   ({@link Baseline#SMALLEST_DIVISOR})
     * @param kl         KL(without patching ‖ patched) of the next token's distribution, in nats
     */
    public record Cell(double difference, double effect, double normalised, double kl) {
        /** Returns the result of a pair's patching in a direction. */
        public static Cell of(Patching.Direction direction, Baseline baseline, double difference, double effect,
                double kl) {
            double unpatched = direction == Patching.Direction.DENOISE ? 0 : 1;
            return new Cell(difference, effect, unpatched + effect / baseline.divisor(), kl);
        }
    }

    private static int number(Part part) {
        return switch (part) {
            case Head head -> head.head();
            case Neuron neuron -> neuron.neuron();
            default -> 0;
        };
    }
}
