package org.lmdebugger.model;

/**
 * The places of a block where a {@link Hook} may read or change rows, in the order of the computation. With R rows that
 * pass the block, d the width of the residual stream and n the number of neurons of a feed-forward layer:
 */
public enum Site {
    /** The residual stream before the block, [R, d]. */
    RESIDUAL_PRE,
    /** The queries of all heads, side by side, [R, d]. */
    QUERY,
    /** The keys of all heads, side by side, [R, d]. */
    KEY,
    /** The values of all heads, side by side, [R, d]. */
    VALUE,
    /** The values that each head mixes by its attention, side by side, [R, d]. */
    Z,
    /** What attention adds to the residual stream, but for its bias, [R, d]. */
    ATTENTION_OUT,
    /** The residual stream between attention and the feed-forward layer, [R, d]. */
    RESIDUAL_MID,
    /** The coefficients of the value vectors, after the activation, [R, n]. */
    COEFFICIENTS,
    /** What the feed-forward layer adds to the residual stream, but for its bias, [R, d]. */
    FFN_OUT,
    /** The residual stream after the block, [R, d]. */
    RESIDUAL_POST
}
