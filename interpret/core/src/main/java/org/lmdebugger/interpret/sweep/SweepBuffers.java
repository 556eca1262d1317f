package org.lmdebugger.interpret.sweep;

import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
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
}
