/*
 * The kernels of LM-Debugger: what a GPU computes beside matrix products.
 *
 * Every function queues its work in `stream` (a cudaStream_t of the calling thread's device) and returns a cudaError_t:
 * 0, or why nothing was queued. Nothing is allocated and nothing waits, so all of it may be recorded in a graph; what
 * changes between repetitions is read from device memory. Outputs first, then inputs, sizes, stream. An output does not
 * overlap an input. Results are bitwise the same each time, and each row's depends on that row's inputs alone.
 *
 * Matrices are row-major and passed by pointer; the descriptors are read before a function returns. Vectors are matrices
 * of one row. Unless said otherwise numbers are LMDEBUGGER_F32 and indices LMDEBUGGER_I32. Shapes: R rows, d the
 * model's width, V its vocabulary. Shapes and indices are trusted; types that a function does not take are refused with
 * cudaErrorInvalidValue. The semantics are those of org.lmdebugger.device.Operations.
 */
#ifndef LMDEBUGGER_H
#define LMDEBUGGER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum lmdebugger_type {
    LMDEBUGGER_F32 = 0,
    LMDEBUGGER_I32 = 1,
    LMDEBUGGER_BF16 = 2,
    LMDEBUGGER_F16 = 3,
    LMDEBUGGER_F64 = 4
};

/* A matrix in device memory, or a window on one. */
typedef struct lmdebugger_matrix {
    uint64_t address; /* of the first element */
    int64_t rows;
    int64_t columns;
    int64_t stride; /* from one row to the next, in elements */
    int32_t type;   /* an lmdebugger_type */
} lmdebugger_matrix;

typedef struct CUstream_st lmdebugger_stream;

/* Grows whenever a signature or a meaning changes. */
int32_t lmdebugger_abi(void);

/* to[r] = from[rows[r]], or from[r] if rows is null; any one type. */
int32_t lmdebugger_gather_rows(const lmdebugger_matrix *to, const lmdebugger_matrix *from,
                               const lmdebugger_matrix *rows, lmdebugger_stream *stream);

/* to[rows[r]] = from[r]; rows are distinct; any one type. */
int32_t lmdebugger_scatter_rows(const lmdebugger_matrix *to, const lmdebugger_matrix *from,
                                const lmdebugger_matrix *rows, lmdebugger_stream *stream);

/*
 * to = from, rounded to nearest, from F32, F16 or BF16 to F32 or BF16. From F32 to F32 it is rounded to ten bits of
 * mantissa, as TF32 has, ties away from zero.
 */
int32_t lmdebugger_convert(const lmdebugger_matrix *to, const lmdebugger_matrix *from, lmdebugger_stream *stream);

/*
 * high = again = from, rounded as lmdebugger_convert rounds F32; low = from - high, rounded likewise, or 0 where high is not
 * finite. So high + low is from to its last bit but one. All four have one shape.
 */
int32_t lmdebugger_split(const lmdebugger_matrix *high, const lmdebugger_matrix *again, const lmdebugger_matrix *low,
                         const lmdebugger_matrix *from, lmdebugger_stream *stream);

/* counters += 1; I32. */
int32_t lmdebugger_increment(const lmdebugger_matrix *counters, lmdebugger_stream *stream);

/* x[r] = tokens[ids[r]] + positions[at[r]]; tokens and positions F32 or BF16, both the same. */
int32_t lmdebugger_embed(const lmdebugger_matrix *x, const lmdebugger_matrix *tokens,
                         const lmdebugger_matrix *positions, const lmdebugger_matrix *ids,
                         const lmdebugger_matrix *at, lmdebugger_stream *stream);

/*
 * y = (x - mean) / sqrt(variance + epsilon) * gain + bias, row by row; y F32, or BF16. F32 is rounded as
 * lmdebugger_convert rounds to F32, if tf32 is not 0.
 */
int32_t lmdebugger_layer_norm(const lmdebugger_matrix *y, const lmdebugger_matrix *x, const lmdebugger_matrix *gain,
                              const lmdebugger_matrix *bias, float epsilon, int32_t tf32, lmdebugger_stream *stream);

/* x += bias, for every row. */
int32_t lmdebugger_add_bias(const lmdebugger_matrix *x, const lmdebugger_matrix *bias, lmdebugger_stream *stream);

/*
 * y = gelu(m + bias), for every row: gelu_new, or by the error function if erf is not 0. y has a type and is rounded as
 * lmdebugger_layer_norm's, and may be m.
 */
int32_t lmdebugger_bias_gelu(const lmdebugger_matrix *y, const lmdebugger_matrix *m, const lmdebugger_matrix *bias,
                             int32_t erf, int32_t tf32, lmdebugger_stream *stream);

/* x += y + bias, for every row. */
int32_t lmdebugger_bias_residual(const lmdebugger_matrix *x, const lmdebugger_matrix *y, const lmdebugger_matrix *bias,
                                 lmdebugger_stream *stream);

/*
 * c = a . b for at most 16 rows of a, and the operation after it: c = c + bias if bias is not null, gelu of that if gelu
 * is 1 (gelu_new) or 2 (by the error function); residual += c + bias, with c the product alone, if residual is not null.
 * Before it, if x is not null, a, of one row, becomes the LayerNorm of x with gain, norm_bias and epsilon.
 * b F32 or BF16; a is rounded to BF16 for the latter, and to TF32, as lmdebugger_convert rounds, if tf32 is not 0. A row's
 * bits do not depend on the number of rows.
 */
int32_t lmdebugger_multiply_few(const lmdebugger_matrix *c, const lmdebugger_matrix *residual,
                                const lmdebugger_matrix *a, const lmdebugger_matrix *b, const lmdebugger_matrix *bias,
                                const lmdebugger_matrix *x, const lmdebugger_matrix *gain,
                                const lmdebugger_matrix *norm_bias, float epsilon, int32_t tf32, int32_t gelu,
                                lmdebugger_stream *stream);

/*
 * Causal attention of `sequences` sequences that share a prefix of P >= 0 positions; each has rows(keys) / sequences
 * rows of its own in keys and values. Query j of a sequence sees the prefix and its own positions 0 ... length + j, with
 * weights softmax(q . k / divisor). length is [1, 1] I32 in device memory.
 */
int32_t lmdebugger_attention(const lmdebugger_matrix *out, const lmdebugger_matrix *queries,
                             const lmdebugger_matrix *prefix_keys, const lmdebugger_matrix *prefix_values,
                             const lmdebugger_matrix *keys, const lmdebugger_matrix *values,
                             const lmdebugger_matrix *length, int32_t heads, int32_t sequences, float divisor,
                             lmdebugger_stream *stream);

/* m[rows[e], neurons[e]] = scales[e] * itself + shifts[e], and shifts[e] where scales[e] is 0; all [1, E]. */
int32_t lmdebugger_edit_coefficients(const lmdebugger_matrix *m, const lmdebugger_matrix *rows,
                                     const lmdebugger_matrix *neurons, const lmdebugger_matrix *scales,
                                     const lmdebugger_matrix *shifts, lmdebugger_stream *stream);

/*
 * w = scale * w + (amount + norm * |w| + projection * (w . v)) * v for w = x[r, c ... c + width) and
 * v = vectors[f, g ... g + width); places [4, E] are r, c, f, g, and factors [4, E] scale, amount, norm, projection. Terms
 * with factor 0 are left out, and entries with negative r.
 */
int32_t lmdebugger_edit_rows(const lmdebugger_matrix *x, const lmdebugger_matrix *vectors,
                             const lmdebugger_matrix *places, const lmdebugger_matrix *factors, int64_t width,
                             lmdebugger_stream *stream);

/*
 * weights[e] = softmax(q . k / divisor + bias[e]) of head entry_heads[e] for query rows[e], over the keys that it sees in
 * lmdebugger_attention, and 0 in further columns. Keys with bias -inf are taken away; weights of no key are 0. Entries
 * with negative rows are left as they are. weights and bias are [E, n], n >= P + rows(keys) / sequences; rows and
 * entry_heads [1, E].
 */
int32_t lmdebugger_attention_weights(const lmdebugger_matrix *weights, const lmdebugger_matrix *queries,
                                     const lmdebugger_matrix *prefix_keys, const lmdebugger_matrix *keys,
                                     const lmdebugger_matrix *length, const lmdebugger_matrix *rows,
                                     const lmdebugger_matrix *entry_heads, const lmdebugger_matrix *bias, int32_t heads,
                                     int32_t sequences, float divisor, lmdebugger_stream *stream);

/* out[rows[e], columns of head entry_heads[e]] = weights[e] . values; shapes and left-out entries as above. */
int32_t lmdebugger_attention_mix(const lmdebugger_matrix *out, const lmdebugger_matrix *weights,
                                 const lmdebugger_matrix *prefix_values, const lmdebugger_matrix *values,
                                 const lmdebugger_matrix *length, const lmdebugger_matrix *rows,
                                 const lmdebugger_matrix *entry_heads, int32_t heads, int32_t sequences,
                                 lmdebugger_stream *stream);

/* x[r] += shift[r] * values[neurons[r]]; values F32 or BF16. */
int32_t lmdebugger_shift_residual(const lmdebugger_matrix *x, const lmdebugger_matrix *shift,
                                  const lmdebugger_matrix *neurons, const lmdebugger_matrix *values,
                                  lmdebugger_stream *stream);

/*
 * From the gradient by the output of lmdebugger_layer_norm that by its input, in place, row by row:
 * dy = (g - mean(g) - n * mean(g * n)) / sigma with n = (x - mean) / sigma and g = gain * dy.
 */
int32_t lmdebugger_layer_norm_backward(const lmdebugger_matrix *dy, const lmdebugger_matrix *x,
                                       const lmdebugger_matrix *gain, float epsilon, lmdebugger_stream *stream);

/* dm *= gelu_new'(m + bias), or the slope of gelu by the error function if erf is not 0, for every row. */
int32_t lmdebugger_bias_gelu_backward(const lmdebugger_matrix *dm, const lmdebugger_matrix *m,
                                      const lmdebugger_matrix *bias, int32_t erf, lmdebugger_stream *stream);

/* dp = p * (dp - sum(p * dp)) / divisor, row by row. */
int32_t lmdebugger_softmax_backward(const lmdebugger_matrix *dp, const lmdebugger_matrix *p, float divisor,
                                    lmdebugger_stream *stream);

/* to[c, r] = from[r, c]. */
int32_t lmdebugger_transpose(const lmdebugger_matrix *to, const lmdebugger_matrix *from, lmdebugger_stream *stream);

/* norms[r] = the length of x[r]; norms [1, R] or [R, 1], x F32 or BF16. */
int32_t lmdebugger_row_norms(const lmdebugger_matrix *norms, const lmdebugger_matrix *x, lmdebugger_stream *stream);

/* norms[r] = the length of x[r] + bias, computed in F64; norms [1, R] or [R, 1]. */
int32_t lmdebugger_bias_norms(const lmdebugger_matrix *norms, const lmdebugger_matrix *x, const lmdebugger_matrix *bias,
                              lmdebugger_stream *stream);

/* The k largest |m| * norms of each row: neurons, coefficients (with their sign) and scores are [R, k]. */
int32_t lmdebugger_dominant(const lmdebugger_matrix *neurons, const lmdebugger_matrix *coefficients,
                            const lmdebugger_matrix *scores, const lmdebugger_matrix *m,
                            const lmdebugger_matrix *norms, lmdebugger_stream *stream);

/* The k largest of each row, largest first, ties to the lower index, NaN above all; indices and values are [R, k]. */
int32_t lmdebugger_top_k(const lmdebugger_matrix *indices, const lmdebugger_matrix *values, const lmdebugger_matrix *x,
                         lmdebugger_stream *stream);

/* The k smallest of each row, smallest first, ties to the lower index, NaN below all; indices and values are [R, k]. */
int32_t lmdebugger_bottom_k(const lmdebugger_matrix *indices, const lmdebugger_matrix *values,
                            const lmdebugger_matrix *x, lmdebugger_stream *stream);

/* In a matrix of similarities with -inf on its diagonal, cluster `dropped` joins `kept` by complete linkage. */
int32_t lmdebugger_link_clusters(const lmdebugger_matrix *s, int64_t kept, int64_t dropped, lmdebugger_stream *stream);

/*
 * Measures of rows of logits [R, V]; an output that is null is not computed. log_sum_exp, entropy and kl are [1, R];
 * chosen and ranks [R, c] for tokens [1, c]; clean [1, V] is needed for kl alone, tokens for chosen and ranks.
 */
int32_t lmdebugger_measure(const lmdebugger_matrix *log_sum_exp, const lmdebugger_matrix *entropy,
                           const lmdebugger_matrix *kl, const lmdebugger_matrix *chosen,
                           const lmdebugger_matrix *ranks, const lmdebugger_matrix *logits,
                           const lmdebugger_matrix *clean, const lmdebugger_matrix *tokens, lmdebugger_stream *stream);

/* reader[r] = g - mean(g) with g = gain * head[tokens[r]] / sigma(x[r]); head F32 or BF16. */
int32_t lmdebugger_logit_reader(const lmdebugger_matrix *reader, const lmdebugger_matrix *x,
                                const lmdebugger_matrix *gain, const lmdebugger_matrix *head,
                                const lmdebugger_matrix *tokens, float epsilon, lmdebugger_stream *stream);

/* contributions[r, j] = coefficients[r, j] * (values[neurons[r, j]] . reader[r]); values F32 or BF16. */
int32_t lmdebugger_contributions(const lmdebugger_matrix *contributions, const lmdebugger_matrix *neurons,
                                 const lmdebugger_matrix *coefficients, const lmdebugger_matrix *values,
                                 const lmdebugger_matrix *reader, lmdebugger_stream *stream);

/*
 * Chooses a token for each row of logits: the most likely if temperature is 0, else by uniforms[step[0], r]; top_k 0 and
 * top_p 1 keep all. log_probabilities are at temperature 1, among all tokens. Where logits are not finite the choice is
 * the token that top_k would put first, and its log-probability is NaN.
 */
int32_t lmdebugger_sample(const lmdebugger_matrix *ids, const lmdebugger_matrix *log_probabilities,
                          const lmdebugger_matrix *logits, const lmdebugger_matrix *uniforms,
                          const lmdebugger_matrix *step, float temperature, int32_t top_k, float top_p,
                          lmdebugger_stream *stream);

/* sums[t] += x[rows[j]] for j = starts[t] ... starts[t + 1] - 1, in this order; sums [T, n] F64, starts [1, T + 1]. */
int32_t lmdebugger_add_rows(const lmdebugger_matrix *sums, const lmdebugger_matrix *x, const lmdebugger_matrix *starts,
                            const lmdebugger_matrix *rows, lmdebugger_stream *stream);

/*
 * Adds the rows of x [R, n], in order, to statistics of its columns: sums and squares [1, n] F64, min and max [1, n],
 * histograms [n, 64] I32, with two bins an octave on either side of zero.
 */
int32_t lmdebugger_accumulate(const lmdebugger_matrix *sums, const lmdebugger_matrix *squares,
                              const lmdebugger_matrix *min, const lmdebugger_matrix *max,
                              const lmdebugger_matrix *histograms, const lmdebugger_matrix *x,
                              lmdebugger_stream *stream);

/*
 * Merges the largest and smallest numbers of columns of x [R, n] into lists of k <= 32, best first, one of a document:
 * values, documents (-1 for none) and places [2n, k], the largest of each column and then the smallest; contexts
 * [2n, k s] of the s numbers around each. x are W windows of R / W rows; windows [W, 2] are the document and the place of
 * the first row. Equal numbers are ordered by document, then by place. NaN in a column of a window leaves it out.
 */
int32_t lmdebugger_merge_extremes(const lmdebugger_matrix *values, const lmdebugger_matrix *documents,
                                  const lmdebugger_matrix *places, const lmdebugger_matrix *contexts,
                                  const lmdebugger_matrix *x, const lmdebugger_matrix *windows,
                                  lmdebugger_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
