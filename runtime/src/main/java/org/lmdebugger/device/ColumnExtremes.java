package org.lmdebugger.device;

/**
 * The k largest numbers of each of n columns and the k smallest, best first, at most one of each document, with the numbers
 * around them: {@link Operations#mergeExtremes}. Equal ones are ordered by document, then by position. Rows 0 … n−1 are the
 * largest of each column, rows n … 2n−1 the smallest.
 *
 * @param values    the numbers, [2n, k], k ≤ {@value #MOST}
 * @param documents the document of each, from 0 on; −1 where there are fewer than k, as everywhere before the first merge;
 *                  [2n, k] I32
 * @param places    the position of each in its document, [2n, k] I32
 * @param contexts  the column's numbers at the s positions around each, s odd, 0 beyond the window; [2n, k·s]
 */
public record ColumnExtremes(Tensor values, Tensor documents, Tensor places, Tensor contexts) {
    /** The largest k. */
    public static final int MOST = 32;

    /** A number of documents that no document has. */
    public static final int NONE = -1;

    /** Returns k. */
    public int count() {
        return Math.toIntExact(values.columns());
    }

    /** Returns s. */
    public int span() {
        return Math.toIntExact(contexts.columns() / values.columns());
    }
}
