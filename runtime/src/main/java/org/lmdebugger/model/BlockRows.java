package org.lmdebugger.model;

import java.util.Optional;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.Tensor;

/**
 * The rows that pass one block, R of them, and the memory that the block works in. In the last block of a model it may be
 * enough that S of the rows go on: the others give keys and values, and nothing reads the rest of them. The block changes
 * the residual stream in place and overwrites everything else.
 */
public final class BlockRows {
    final Tensor x; // [R, d]
    final Tensor queryKeyValue; // [R, 3d]
    final Tensor normed; // [R, d]
    final Tensor keys; // [R, d], windows of queryKeyValue
    final Tensor values;
    final AttentionContext context;

    final Optional<Tensor> last; // [1, S]: the rows that go on; empty if all do
    final Tensor stream; // of the rows that go on, as all that follows: the residual stream, [S, d]
    final Tensor queries; // [S, d], a window of queryKeyValue
    final Tensor z; // [S, d], a window of normed
    final Tensor out; // [S, d]
    final Tensor coefficients; // [S, n]
    final boolean keepsCoefficients; // after the block

    private BlockRows(Tensor x, Tensor queryKeyValue, Tensor normed, Tensor out, Tensor coefficients,
            AttentionContext context,
            Optional<Tensor> last, Tensor stream, boolean keepsCoefficients) {
        this.x = x;
        this.queryKeyValue = queryKeyValue;
        this.normed = normed;
        this.coefficients = coefficients;
        this.context = context;
        this.last = last;
        this.stream = stream;
        this.keepsCoefficients = keepsCoefficients;
        long d = x.columns();
        keys = queryKeyValue.columns(d, d);
        values = queryKeyValue.columns(2 * d, d);
        queries = queryKeyValue.columns(0, d).rows(0, stream.rows());
        z = normed.rows(0, stream.rows());
        this.out = out.rows(0, stream.rows());
    }

    /**
     * Rows that all go on.
     *
     * @param x             the residual stream, [R, d]
     * @param queryKeyValue queries, keys and values, side by side, [R, 3d]
     * @param normed        for normalised rows and the heads' mixed values, [R, d]
     * @param out           for what is added to the residual stream, [R, d]
     * @param coefficients  of the value vectors, [R, n]
     * @param context       what the queries attend to: windows of {@code queryKeyValue}, or a cache that a hook fills at
     *                      {@link Site#KEY} and {@link Site#VALUE}
     */
    public static BlockRows of(Tensor x, Tensor queryKeyValue, Tensor normed, Tensor out, Tensor coefficients,
            AttentionContext context) {
        return new BlockRows(x, queryKeyValue, normed, out, coefficients, context, Optional.empty(), x, false);
    }

    /**
     * Rows of which some go on after their keys and values.
     *
     * @param coefficients of the value vectors, [S, n]
     * @param last         which rows go on: their indices, [1, S] I32
     * @param stream       their residual stream, [S, d]; written by the block
     */
    public static BlockRows last(Tensor x, Tensor queryKeyValue, Tensor normed, Tensor out, Tensor coefficients,
            AttentionContext context,
            Tensor last, Tensor stream) {
        return new BlockRows(x, queryKeyValue, normed, out, coefficients, context, Optional.of(last), stream, false);
    }

    /** Returns the same rows, whose coefficients stay as they are at their site when the block is done. */
    public BlockRows keepingCoefficients() {
        return new BlockRows(x, queryKeyValue, normed, out, coefficients, context, last, stream, true);
    }

    /** Returns the rows at a site, of the shape that it gives. */
    public Tensor at(Site site) {
        return switch (site) {
            case RESIDUAL_PRE -> x;
            case QUERY -> queries;
            case KEY -> keys;
            case VALUE -> values;
            case Z -> z;
            case ATTENTION_OUT, FFN_OUT -> out;
            case COEFFICIENTS -> coefficients;
            case RESIDUAL_MID, RESIDUAL_POST -> stream;
        };
    }

    /** Returns the keys and values that the queries attend to. */
    public AttentionContext context() {
        return context;
    }

    boolean isEmpty() {
        return x.rows() == 0;
    }
}
