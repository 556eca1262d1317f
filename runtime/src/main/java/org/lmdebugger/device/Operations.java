package org.lmdebugger.device;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/**
 * The operations of a device, computed in the order of the calls. One thread uses them; see {@link Device#call}.
 *
 * <p>All matrices are row-major; a <em>row</em> is one position of one sequence. Shapes: R rows, d the model's width,
 * f its feed-forward width, V the vocabulary, k a small count. Outputs come first. Unless said otherwise, tensors of
 * numbers are F32, tensors of indices I32, an output may not overlap an input, and windows are welcome everywhere. A
 * shape or type that does not fit, or an output that is read-only ({@link Tensor#asReadOnly}), throws
 * {@link IllegalArgumentException} naming it; nothing is written then.
 * <b>Indices in device memory are trusted</b>: whoever uploads ids, rows or neurons has checked them.
 *
 * <p>Only {@link #download} and {@link #await} wait for the device. The same call gives the same bits. Results do not
 * depend on what other sessions do, and each row's result depends on that row's inputs alone, but for the sums of a
 * product, which have the rounding of FP32: on a CPU with the kernels of {@code native/cpu} (x86-64, Linux), a row has the
 * same bits alone and beside any others, and on other CPUs beside few. On a GPU, it has the same bits in a
 * {@link #multiply} of up to 16 rows and in {@link #attention} of up to 128; otherwise the order of sums depends on the product's shape, the number of rows
 * included. Operands are never rounded by shape: on a GPU in TF32 and BF16, they are rounded to nearest before they are
 * multiplied. Only in {@link Precision#TF32X3} does it depend on the number of rows whether they are split.
 */
public interface Operations {
    // ---- between host and device

    /** Copies into an I32 tensor; {@code from} may be changed as soon as this returns. */
    void upload(Tensor to, int[] from);

    /** Copies into an F32 tensor; {@code from} may be changed as soon as this returns. */
    void upload(Tensor to, float[] from);

    /** Copies host memory of exactly its size into a tensor of any type; it may be changed as soon as this returns. */
    void upload(Tensor to, MemorySegment from);

    /** Waits for all earlier operations, then copies an I32 tensor. */
    void download(int[] to, Tensor from);

    /** Waits for all earlier operations, then copies an F32 tensor, or a BF16 one's numbers. */
    void download(float[] to, Tensor from);

    /** Queues a copy of an I32 tensor: {@code to} has the numbers after {@link #await}, or after the call of the device. */
    void fetch(int[] to, Tensor from);

    /** Queues a copy of an F32 tensor: {@code to} has the numbers after {@link #await}, or after the call of the device. */
    void fetch(float[] to, Tensor from);

    /** Waits for everything that was fetched so far, and not for operations that were queued after that. */
    void await();

    /** Waits for all earlier operations, then copies a tensor of any type into host memory of exactly its size. */
    void download(MemorySegment to, Tensor from);

    // ---- work of a program's own

    /**
     * Lends the memory of a tensor to {@code work}, on this thread, and returns its result. What the work does takes
     * its place among the operations: it sees the results of those before, and those after see its own. Indices,
     * bounds and, on a GPU, the life of the memory are the program's to check. The memory may be used until {@code
     * work} returns; what it has given to a GPU's stream by then may use it later, while the tensor is open.
     *
     * <p>Within {@link #record}, on a GPU {@code work} runs once and what it gives to the stream is repeated; on the
     * CPU {@code work} itself is.
     *
     * @throws IllegalStateException if the tensor is closed
     */
    <T> T access(Tensor tensor, Function<TensorAccess, T> work);

    // ---- within the device

    /** to[r] = from[r]: two windows of one shape. */
    void copy(Tensor to, Tensor from);

    /** to[r] = from[rows[r]]. Shapes: to [R, n], from [any, n], rows [1, R]. */
    void gatherRows(Tensor to, Tensor from, Tensor rows);

    /** to[rows[r]] = from[r]; rows are distinct. Shapes: to [any, n], from [R, n], rows [1, R]. */
    void scatterRows(Tensor to, Tensor from, Tensor rows);

    /** counters += 1, element by element (I32): lets a recorded decode step advance its counters on the device. */
    void increment(Tensor counters);

    // ---- the transformer

    /**
     * x[r] = tokens[ids[r]] + positions[at[r]]. Shapes: x [R, d], tokens [V, d], positions [n, d], ids and at [1, R].
     */
    void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at);

    /**
     * y = (x − mean) / √(variance + ε) · gain + bias, row by row, also where the squares of finite x are none; a row
     * with a number that is not finite becomes NaN. Shapes: y and x [R, d], gain and bias [1, d].
     */
    void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon);

    /** C = A·B. Shapes: c [M, N], a [M, K], b [K, N]. */
    void multiply(Tensor c, Tensor a, Tensor b);

    /**
     * C = A·B, of an A that has any numbers afterwards. So a GPU whose products round their operands need not write A
     * itself, if A is the output of the {@link #layerNorm} or {@link #biasGelu} just before. The bits are those of
     * {@link #multiply}, if A is no window. Shapes: c [M, N], a [M, K], b [K, N].
     */
    void multiplyConsuming(Tensor c, Tensor a, Tensor b);

    /** C = A·Bᵀ. Shapes: c [M, N], a [M, K], b [N, K]. */
    void multiplyTransposed(Tensor c, Tensor a, Tensor b);

    /** C = A·Bᵀ in FP32, whatever the device's precision. Shapes: c [M, N], a [M, K], b [N, K]; all F32. */
    void innerProducts(Tensor c, Tensor a, Tensor b);

    /** x += bias, for every row. Shapes: x [R, n], bias [1, n]. */
    void addBias(Tensor x, Tensor bias);

    /** m = gelu(m + bias), for every row. Shapes: m [R, n], bias [1, n]. */
    void biasGelu(Tensor m, Tensor bias, Gelu gelu);

    /** x += y + bias, for every row; what y has afterwards does not matter. Shapes: x and y [R, d], bias [1, d]. */
    void biasResidual(Tensor x, Tensor y, Tensor bias);

    /**
     * Causal self-attention of S sequences that share a prefix. The rows of {@code out} and {@code queries} are n
     * consecutive positions of sequence 0, then of sequence 1, and so on (R = S·n). Query j of sequence s attends to
     * all P rows of the prefix and to the sequence's own positions 0 … {@code length}+j, whose keys and values are the
     * rows s·(own rows ÷ S) … of {@code context}. Weights are softmax(q·k/divisor).
     * A score of NaN or +∞ makes a row NaN in the columns of its head, and so do scores of −∞ alone; beside a finite score,
     * a key whose score is −∞ has weight 0. A value that is NaN or infinite makes its column NaN or infinite in each row
     * where its weight is not 0, and may in other rows.
     * Shapes: out and queries [R, d].
     */
    void attention(Tensor out, Tensor queries, AttentionContext context, double divisor);

    /**
     * The attention weights of one head and one query per entry e, after links between positions are taken away:
     * weights[e] = softmax(q·k/divisor + bias[e]) over the keys that row rows[e] of {@code queries} attends to in
     * {@link #attention}, prefix first, with the columns of head heads[e]; 0 in all other columns. A bias of −∞ takes
     * the key away, whose contents do not matter then; if all are taken away, all weights are 0. An entry with a
     * negative row is left as it is. The weights of an entry that attends to NaN or an infinity are NaN.
     * Shapes: weights and bias [E, n], n ≥ P + capacity, queries [R, d], rows and heads [1, E].
     */
    void attentionWeights(Tensor weights, Tensor queries, AttentionContext context, double divisor, Tensor rows,
            Tensor heads, Tensor bias);

    /**
     * The output of one head for one query per entry e, by given attention weights: out[rows[e], columns of head
     * heads[e]] = Σ weights[e, j]·v[j] over the keys j that this row attends to in {@link #attention}, prefix first.
     * An entry with a negative row is left out, and no (row, head) comes twice. A row that attends to a value that is
     * not finite becomes infinite or NaN there, also with weight 0.
     * Shapes: out [R, d], weights [E, n], n ≥ P + capacity, rows and heads [1, E].
     */
    void attentionMix(Tensor out, Tensor weights, AttentionContext context, Tensor rows, Tensor heads);

    /**
     * The edits of coefficients: m[rows[e], neurons[e]] = scales[e]·m[rows[e], neurons[e]] + shifts[e], and exactly
     * shifts[e] where scales[e] is 0. No (row, neuron) comes twice. Shapes: m [R, f], the others [1, E].
     */
    void editCoefficients(Tensor m, Tensor rows, Tensor neurons, Tensor scales, Tensor shifts);

    /**
     * The edits of windows of rows: for each entry e, with (r, c, f, g) = places[:, e], w = x[r, c … c+width) and
     * v = vectors[f, g … g+width), and (scale, amount, norm, projection) = factors[:, e]:
     * w = scale·w + (amount + norm·‖w‖₂ + projection·(w·v))·v, with norm and product of w before. A term whose factor is
     * 0 is left out, also where it would be NaN: (0, 1, 0, 0) copies v, (0, 0, 0, 0) sets zeros, and v is read only if
     * amount, norm or projection is not 0. An entry with a negative r is left out. No two windows of x overlap.
     * Shapes: x [R, n], vectors [N, m], places [4, E] I32, factors [4, E], width ≤ n.
     */
    void editRows(Tensor x, Tensor vectors, Tensor places, Tensor factors, long width);

    /** x[r] += shift[r]·values[neurons[r]]. Shapes: x [R, d], shift and neurons [1, R], values [f, d]. */
    void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values);

    // ---- its gradients

    /**
     * The gradient of a number by the input of {@link #layerNorm}, from that by its output, in place: with
     * n = (x − mean) / σ, σ = √(variance + ε) and g = gain ⊙ dy, row by row, dy = (g − mean(g) − n·mean(g ⊙ n)) / σ, with
     * sums in double precision. A row where x or dy has a number that is not finite has no finite one then.
     * Shapes: dy and x [R, d], gain [1, d].
     */
    void layerNormBackward(Tensor dy, Tensor x, Tensor gain, float epsilon);

    /**
     * The gradient of a number by the input of {@link #biasGelu}, from that by its output, in place:
     * dm = dm·gelu′(m + bias), for every row. Shapes: dm and m [R, n], bias [1, n].
     */
    void biasGeluBackward(Tensor dm, Tensor m, Tensor bias, Gelu gelu);

    /**
     * The gradient of a number by q·k, from that by the weights p = softmax(q·k/divisor), in place, row by row:
     * dp = p ⊙ (dp − Σ p ⊙ dp) / divisor. A row with a number that is not finite has no finite one then.
     * Shapes: dp and p [R, n].
     */
    void softmaxBackward(Tensor dp, Tensor p, double divisor);

    /** to = fromᵀ. Shapes: to [n, R], from [R, n]. */
    void transpose(Tensor to, Tensor from);

    // ---- reading it

    /** norms[r] = ‖x[r]‖₂. Shapes: norms [1, R] or [R, 1], x [R, d]. */
    void rowNorms(Tensor norms, Tensor x);

    /** norms[r] = ‖x[r] + bias‖₂, computed in F64. Shapes: norms [1, R] or [R, 1], x [R, d], bias [1, d]. */
    void biasNorms(Tensor norms, Tensor x, Tensor bias);

    /**
     * The k largest scores |m|·norms of each row, in the order of {@link #topK}; the coefficients keep their sign.
     * Shapes: neurons, coefficients and scores [R, k], m [R, f], norms [1, f].
     */
    void dominant(Tensor neurons, Tensor coefficients, Tensor scores, Tensor m, Tensor norms);

    /**
     * The k largest elements of each row, largest first, ties to the lower index; NaN counts as larger than all.
     * Shapes: indices and values [R, k], x [R, n], k ≤ n.
     */
    void topK(Tensor indices, Tensor values, Tensor x);

    /**
     * The k smallest elements of each row, smallest first, ties to the lower index; NaN counts as smaller than all:
     * {@link #topK} of −x, with the values of x. Shapes: indices and values [R, k], x [R, n], k ≤ n.
     */
    void bottomK(Tensor indices, Tensor values, Tensor x);

    /**
     * One merge of complete linkage (Lance and Williams, 1967) in a matrix of similarities, whose diagonal is −∞:
     * cluster {@code dropped} joins {@code kept}, whose similarity to another is that of the two that is smaller.
     * s[kept, i] = s[i, kept] = min(s[kept, i], s[dropped, i]) for all i; where that is not −∞, s[i, dropped] = −∞.
     * So the rows and columns of clusters that joined another are −∞ wherever a living cluster is concerned, and the
     * nearest cluster of a living one is its row's largest element. Shape: s [N, N].
     */
    void linkClusters(Tensor s, long kept, long dropped);

    /** Computes the statistics that {@code measures} has outputs for, of each row of {@code logits} [R, V]. */
    void measure(LogitStatistics measures, Tensor logits);

    /**
     * reader[r] = g − mean(g) with g = gain ⊙ head[tokens[r]] / σ(x[r]), where σ² = variance(x[r]) + ε: the direction
     * that the logit of tokens[r] reads in the residual stream, so that v·reader is v's direct contribution to it.
     * Shapes: reader and x [R, d], gain [1, d], head [V, d], tokens [1, R].
     */
    void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens, float epsilon);

    /**
     * contributions[r, j] = coefficients[r, j]·(values[neurons[r, j]]·reader[r]).
     * Shapes: contributions, neurons and coefficients [R, k], values [f, d], reader [R, d].
     */
    void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values, Tensor reader);

    /**
     * Chooses a token for each row: the most likely one (ties to the lower id) if {@code sampling} is greedy, else
     * drawn with the uniform number uniforms[step[0], r] from [0, 1). The log-probability of the choice is the
     * model's own: at temperature 1, among all tokens. Where logits are NaN or +∞, or all −∞, there is no distribution:
     * the choice is the greedy one, and its log-probability NaN.
     * Shapes: ids and logProbabilities [1, R], logits [R, V], uniforms [steps, R], step [1, 1].
     */
    void sample(Tensor ids, Tensor logProbabilities, Tensor logits, Sampling sampling, Tensor uniforms, Tensor step);

    // ---- over many rows

    /**
     * sums[t] += x[rows[j]] for j = starts[t] … starts[t+1]−1, one after the other: so the bits do not depend on how rows
     * are shared out among calls. Shapes: sums [T, n] F64, x [R, n], starts [1, T+1], rows [1, any].
     */
    void addRows(Tensor sums, Tensor x, Tensor starts, Tensor rows);

    /**
     * Adds the rows of x [R, n] to statistics of its columns, one after the other: the bits do not depend on how rows are
     * shared out among calls. A column's sums, minimum and maximum become NaN by NaN; its bin is then any.
     */
    void accumulate(ColumnStatistics statistics, Tensor x);

    /**
     * Merges the largest and smallest numbers of the columns of x [R, n] into those so far. The rows are W windows of
     * consecutive positions of a document, R/W each, and windows[w] = (document, position of the first row). Neither the
     * order of the windows nor how they are shared out among calls matters, if none comes twice. A window with NaN in a
     * column adds nothing to that column. Shape: windows [W, 2], W a divisor of R.
     */
    void mergeExtremes(ColumnExtremes extremes, Tensor x, Tensor windows);

    // ---- again and again

    /**
     * A piece of work to be repeated. It may only compute within the device, on tensors that stay as they are; what
     * changes between repetitions is read from their contents. On a GPU it is recorded once and replayed as a graph, or
     * queued as it is each time if there is too little memory for a graph.
     */
    Replay record(Runnable work);

    /** Recorded work; belongs to the session that recorded it, and is closed before that session's call ends. */
    interface Replay extends AutoCloseable {
        void run();

        @Override
        void close();
    }
}
