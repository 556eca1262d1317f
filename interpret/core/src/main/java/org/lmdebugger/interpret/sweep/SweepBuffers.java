package org.lmdebugger.interpret.sweep;

import org.jspecify.annotations.Nullable;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2Config;

/**
 * Device memory of the chunks of a sweep: S sequences of n positions each, R = S·n rows.
 *
 * @param x             residual stream, [R, d]
 * @param read          its rows that are read: the last of each sequence, [S, d]
 * @param normed        normalised rows, then the heads' mixed values, [R, d]
 * @param out           what is added to the residual stream, [R, d]
 * @param queryKeyValue [R, 3d]
 * @param coefficients  [R, n]
 * @param rows          positions of each row, then rows to be read, [1, R]
 * @param neurons       of the first edit of each row, [1, R]
 * @param shifts        how far it moves its coefficient, [1, R]
 */
public record SweepBuffers(Tensor x, Tensor read, Tensor normed, Tensor out, Tensor queryKeyValue, Tensor coefficients,
        Tensor rows, Tensor neurons, Tensor shifts) {

    /** Reserves memory that is freed with {@code scope}. */
    public static SweepBuffers of(TensorScope scope, Gpt2Config config, int sequences, int positions) {
        long r = (long) sequences * positions;
        long d = config.width();
        return new SweepBuffers(scope.allocate(ElementType.F32, r, d), scope.allocate(ElementType.F32, sequences, d),
                scope.allocate(ElementType.F32, r, d), scope.allocate(ElementType.F32, r, d),
                scope.allocate(ElementType.F32, r, 3 * d),
                scope.allocate(ElementType.F32, r, config.feedForwardWidth()),
                scope.allocate(ElementType.I32, 1, r), scope.allocate(ElementType.I32, 1, r),
                scope.allocate(ElementType.F32, 1, r));
    }

    /** Bytes of so many sequences of {@code positions} positions. */
    public static long bytes(Gpt2Config config, long sequences, int positions) {
        return 4 * sequences * (positions * (6L * config.width() + config.feedForwardWidth() + 3) + config.width());
    }

    /**
     * Returns the rows of the sequences that have entered, in a layer. They attend to the keys and values of {@code clean}
     * at the positions before theirs.
     *
     * @param entered   number of sequences
     * @param positions rows of each, its last ones
     * @param lastRows  of each sequence, [1, S], of which the last alone goes on after keys and values; null if all do
     * @param own       positions of a sequence before the first that goes on, [1, 1]
     */
    public BlockRows entered(Activations clean, int layer, int entered, int positions, @Nullable Tensor lastRows,
            Tensor own) {
        int count = entered * positions;
        int before = clean.length() - positions;
        var config = clean.model().config();
        var qkv = queryKeyValue.rows(0, count);
        var context = new AttentionContext(config.heads(), entered, clean.keys(layer).rows(0, before),
                clean.values(layer).rows(0, before), qkv.columns(config.width(), config.width()),
                qkv.columns(2L * config.width(), config.width()), own);
        if (lastRows == null) {
            return BlockRows.of(x.rows(0, count), qkv, normed.rows(0, count), out.rows(0, count),
                    coefficients.rows(0, count), context);
        }
        return BlockRows.last(x.rows(0, count), qkv, normed.rows(0, count), out.rows(0, count),
                coefficients.rows(0, entered), context, lastRows.columns(0, entered), read.rows(0, entered));
    }
}
