package org.lmdebugger.device;

/**
 * The keys and values that the queries of {@link Operations#attention} attend to.
 *
 * @param heads        number of attention heads, a divisor of d
 * @param sequences    number of sequences S
 * @param prefixKeys   keys of the P positions that all sequences share, [P, d]; P may be 0
 * @param prefixValues their values, [P, d]
 * @param keys         keys of the sequences' own positions, [S·capacity, d]: sequence s from row s·capacity on
 * @param values       their values, [S·capacity, d]
 * @param length       how many own positions come before the first query, [1, 1] I32, the same for all sequences;
 *                     length + queries per sequence ≤ capacity
 */
public record AttentionContext(int heads, int sequences, Tensor prefixKeys, Tensor prefixValues,
        Tensor keys, Tensor values, Tensor length) {
}
