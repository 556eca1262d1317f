package org.lmdebugger.bindings;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import org.lmdebugger.bindings.cudart.Cudart;
import org.lmdebugger.bindings.lmdebugger.LmDebugger;
import org.lmdebugger.bindings.lmdebugger.lmdebugger_matrix;

/**
 * The kernels of this project on one stream, documented in {@code native/include/lmdebugger.h}. Addresses, shapes and
 * indices are not checked. A function returns as soon as its work is queued; an error of queued work is reported by a
 * later call. For one thread at a time.
 */
public final class CudaKernels {
    /** Version of the header's functions, as {@code lmdebugger_abi}; a library of another version is refused. */
    static final int ABI = 11;

    /** The type of a matrix's elements. */
    public enum Type {
        F32(LmDebugger.LMDEBUGGER_F32()),
        I32(LmDebugger.LMDEBUGGER_I32()),
        BF16(LmDebugger.LMDEBUGGER_BF16()),
        F16(LmDebugger.LMDEBUGGER_F16()),
        F64(LmDebugger.LMDEBUGGER_F64());

        private final int code;

        Type(int code) {
            this.code = code;
        }

        private int bytes() {
            return switch (this) {
                case BF16, F16 -> 2;
                case F32, I32 -> 4;
                case F64 -> 8;
            };
        }
    }

    /** A matrix in device memory; {@code stride} is from one row to the next, in elements. */
    public record Matrix(Type type, long address, long rows, long columns, long stride) {
        /** Returns {@code count} rows, from {@code from} on. */
        public Matrix rows(long from, long count) {
            return new Matrix(type, address + from * stride * type.bytes(), count, columns, stride);
        }

        /** Returns {@code count} columns, from {@code from} on. */
        public Matrix columns(long from, long count) {
            return new Matrix(type, address + from * type.bytes(), rows, count, stride);
        }
    }

    private static final int MOST_MATRICES = 8;

    private final MemorySegment stream;
    private final MemorySegment[] descriptors = new MemorySegment[MOST_MATRICES];

    /** @param stream open for as long as this is used */
    public CudaKernels(CudaStream stream) {
        this.stream = stream.pointer();
        for (int i = 0; i < MOST_MATRICES; i++) {
            descriptors[i] = lmdebugger_matrix.allocate(Arena.ofAuto());
        }
    }

    public void gatherRows(Matrix to, Matrix from, Matrix rows) {
        check("lmdebugger_gather_rows", LmDebugger.lmdebugger_gather_rows(at(0, to), at(1, from), at(2, rows),
                stream), to);
    }

    public void scatterRows(Matrix to, Matrix from, Matrix rows) {
        check("lmdebugger_scatter_rows", LmDebugger.lmdebugger_scatter_rows(at(0, to), at(1, from), at(2, rows),
                stream), to);
    }

    public void convert(Matrix to, Matrix from) {
        check("lmdebugger_convert", LmDebugger.lmdebugger_convert(at(0, to), at(1, from), stream), to);
    }

    /** Splits numbers into two of TF32's, the larger of which is written twice. */
    public void split(Matrix high, Matrix again, Matrix low, Matrix from) {
        check("lmdebugger_split", LmDebugger.lmdebugger_split(at(0, high), at(1, again), at(2, low), at(3, from),
                stream), from);
    }

    public void increment(Matrix counters) {
        check("lmdebugger_increment", LmDebugger.lmdebugger_increment(at(0, counters), stream), counters);
    }

    public void embed(Matrix x, Matrix tokens, Matrix positions, Matrix ids, Matrix at) {
        check("lmdebugger_embed", LmDebugger.lmdebugger_embed(at(0, x), at(1, tokens), at(2, positions), at(3,
                ids), at(4, at), stream), x);
    }

    public void layerNorm(Matrix y, Matrix x, Matrix gain, Matrix bias, float epsilon, boolean tf32) {
        check("lmdebugger_layer_norm", LmDebugger.lmdebugger_layer_norm(at(0, y), at(1, x), at(2, gain), at(3, bias),
                epsilon, tf32 ? 1 : 0, stream), y);
    }

    public void addBias(Matrix x, Matrix bias) {
        check("lmdebugger_add_bias", LmDebugger.lmdebugger_add_bias(at(0, x), at(1, bias), stream), x);
    }

    public void biasGelu(Matrix y, Matrix m, Matrix bias, boolean erf, boolean tf32) {
        check("lmdebugger_bias_gelu", LmDebugger.lmdebugger_bias_gelu(at(0, y), at(1, m), at(2, bias), erf ? 1 : 0,
                tf32 ? 1 : 0, stream), m);
    }

    public void biasResidual(Matrix x, Matrix y, Matrix bias) {
        check("lmdebugger_bias_residual", LmDebugger.lmdebugger_bias_residual(at(0, x), at(1, y), at(2, bias),
                stream), x);
    }

    /** A LayerNorm y of x, of one row. */
    public record Norm(Matrix y, Matrix x, Matrix gain, Matrix bias, float epsilon) {
    }

    /**
     * @param norm gives a, or null; also residual and bias may be null
     * @param gelu the header's number of an activation, 0 for none
     */
    public void multiplyFew(Matrix c, Matrix residual, Matrix a, Matrix b, Matrix bias, Norm norm, boolean tf32,
            int gelu) {
        check("lmdebugger_multiply_few",
                LmDebugger.lmdebugger_multiply_few(at(0, c), at(1, residual), at(2, a), at(3, b), at(4, bias),
                        at(5, norm == null ? null : norm.x), at(6, norm == null ? null : norm.gain),
                        at(7, norm == null ? null : norm.bias), norm == null ? 0 : norm.epsilon, tf32 ? 1 : 0, gelu,
                        stream),
                c);
    }

    public void attention(Matrix out, Matrix queries, Matrix prefixKeys, Matrix prefixValues, Matrix keys,
            Matrix values, Matrix length, int heads, int sequences, float divisor) {
        check("lmdebugger_attention", LmDebugger.lmdebugger_attention(at(0, out), at(1, queries), at(2,
                prefixKeys), at(3, prefixValues), at(4, keys), at(5, values), at(6, length), heads, sequences,
                divisor, stream), out);
    }

    public void attentionWeights(Matrix weights, Matrix queries, Matrix prefixKeys, Matrix keys, Matrix length,
            Matrix rows, Matrix entryHeads, Matrix bias, int heads, int sequences, float divisor) {
        check("lmdebugger_attention_weights", LmDebugger.lmdebugger_attention_weights(at(0, weights), at(1, queries),
                at(2, prefixKeys), at(3, keys), at(4, length), at(5, rows), at(6, entryHeads), at(7, bias), heads,
                sequences, divisor, stream), weights);
    }

    public void attentionMix(Matrix out, Matrix weights, Matrix prefixValues, Matrix values, Matrix length,
            Matrix rows, Matrix entryHeads, int heads, int sequences) {
        check("lmdebugger_attention_mix", LmDebugger.lmdebugger_attention_mix(at(0, out), at(1, weights),
                at(2, prefixValues), at(3, values), at(4, length), at(5, rows), at(6, entryHeads), heads, sequences,
                stream), weights);
    }

    public void editCoefficients(Matrix m, Matrix rows, Matrix neurons, Matrix scales, Matrix shifts) {
        check("lmdebugger_edit_coefficients", LmDebugger.lmdebugger_edit_coefficients(at(0, m), at(1, rows),
                at(2, neurons), at(3, scales), at(4, shifts), stream), m);
    }

    public void editRows(Matrix x, Matrix vectors, Matrix places, Matrix factors, long width) {
        check("lmdebugger_edit_rows", LmDebugger.lmdebugger_edit_rows(at(0, x), at(1, vectors), at(2, places),
                at(3, factors), width, stream), x);
    }

    public void shiftResidual(Matrix x, Matrix shift, Matrix neurons, Matrix values) {
        check("lmdebugger_shift_residual", LmDebugger.lmdebugger_shift_residual(at(0, x), at(1, shift), at(2,
                neurons), at(3, values), stream), x);
    }

    public void layerNormBackward(Matrix dy, Matrix x, Matrix gain, float epsilon) {
        check("lmdebugger_layer_norm_backward",
                LmDebugger.lmdebugger_layer_norm_backward(at(0, dy), at(1, x), at(2, gain), epsilon, stream), dy);
    }

    public void biasGeluBackward(Matrix dm, Matrix m, Matrix bias, boolean erf) {
        check("lmdebugger_bias_gelu_backward",
                LmDebugger.lmdebugger_bias_gelu_backward(at(0, dm), at(1, m), at(2, bias), erf ? 1 : 0, stream), dm);
    }

    public void softmaxBackward(Matrix dp, Matrix p, float divisor) {
        check("lmdebugger_softmax_backward",
                LmDebugger.lmdebugger_softmax_backward(at(0, dp), at(1, p), divisor, stream), dp);
    }

    public void transpose(Matrix to, Matrix from) {
        check("lmdebugger_transpose", LmDebugger.lmdebugger_transpose(at(0, to), at(1, from), stream), to);
    }

    public void rowNorms(Matrix norms, Matrix x) {
        check("lmdebugger_row_norms", LmDebugger.lmdebugger_row_norms(at(0, norms), at(1, x), stream), norms);
    }

    public void biasNorms(Matrix norms, Matrix x, Matrix bias) {
        check("lmdebugger_bias_norms", LmDebugger.lmdebugger_bias_norms(at(0, norms), at(1, x), at(2, bias), stream),
                norms);
    }

    public void dominant(Matrix neurons, Matrix coefficients, Matrix scores, Matrix m, Matrix norms) {
        check("lmdebugger_dominant", LmDebugger.lmdebugger_dominant(at(0, neurons), at(1, coefficients), at(2,
                scores), at(3, m), at(4, norms), stream), neurons);
    }

    public void topK(Matrix indices, Matrix values, Matrix x) {
        check("lmdebugger_top_k", LmDebugger.lmdebugger_top_k(at(0, indices), at(1, values), at(2, x), stream),
                indices);
    }

    public void bottomK(Matrix indices, Matrix values, Matrix x) {
        check("lmdebugger_bottom_k", LmDebugger.lmdebugger_bottom_k(at(0, indices), at(1, values), at(2, x), stream),
                indices);
    }

    public void linkClusters(Matrix s, long kept, long dropped) {
        check("lmdebugger_link_clusters", LmDebugger.lmdebugger_link_clusters(at(0, s), kept, dropped, stream), s);
    }

    public void measure(Matrix logSumExp, Matrix entropy, Matrix kl, Matrix chosen, Matrix ranks, Matrix logits,
            Matrix clean, Matrix tokens) {
        check("lmdebugger_measure", LmDebugger.lmdebugger_measure(at(0, logSumExp), at(1, entropy), at(2, kl),
                at(3, chosen), at(4, ranks), at(5, logits), at(6, clean), at(7, tokens), stream), logits);
    }

    public void logitReader(Matrix reader, Matrix x, Matrix gain, Matrix head, Matrix tokens, float epsilon) {
        check("lmdebugger_logit_reader", LmDebugger.lmdebugger_logit_reader(at(0, reader), at(1, x), at(2,
                gain), at(3, head), at(4, tokens), epsilon, stream), reader);
    }

    public void contributions(Matrix contributions, Matrix neurons, Matrix coefficients, Matrix values, Matrix reader) {
        check("lmdebugger_contributions", LmDebugger.lmdebugger_contributions(at(0, contributions), at(1,
                neurons), at(2, coefficients), at(3, values), at(4, reader), stream), contributions);
    }

    public void sample(Matrix ids, Matrix logProbabilities, Matrix logits, Matrix uniforms, Matrix step,
            float temperature, int topK, float topP) {
        check("lmdebugger_sample", LmDebugger.lmdebugger_sample(at(0, ids), at(1, logProbabilities), at(2,
                logits), at(3, uniforms), at(4, step), temperature, topK, topP, stream), logits);
    }

    public void addRows(Matrix sums, Matrix x, Matrix starts, Matrix rows) {
        check("lmdebugger_add_rows", LmDebugger.lmdebugger_add_rows(at(0, sums), at(1, x), at(2, starts), at(3, rows),
                stream), x);
    }

    public void accumulate(Matrix sums, Matrix squares, Matrix min, Matrix max, Matrix histograms, Matrix x) {
        check("lmdebugger_accumulate", LmDebugger.lmdebugger_accumulate(at(0, sums), at(1, squares), at(2, min),
                at(3, max), at(4, histograms), at(5, x), stream), x);
    }

    public void mergeExtremes(Matrix values, Matrix documents, Matrix places, Matrix contexts, Matrix x,
            Matrix windows) {
        check("lmdebugger_merge_extremes", LmDebugger.lmdebugger_merge_extremes(at(0, values), at(1, documents),
                at(2, places), at(3, contexts), at(4, x), at(5, windows), stream), x);
    }

    private MemorySegment at(int slot, Matrix matrix) {
        if (matrix == null) {
            return MemorySegment.NULL;
        }
        var descriptor = descriptors[slot];
        lmdebugger_matrix.address(descriptor, matrix.address);
        lmdebugger_matrix.rows(descriptor, matrix.rows);
        lmdebugger_matrix.columns(descriptor, matrix.columns);
        lmdebugger_matrix.stride(descriptor, matrix.stride);
        lmdebugger_matrix.type(descriptor, matrix.type.code);
        return descriptor;
    }

    private static void check(String function, int status, Matrix shown) {
        if (status != Cudart.cudaSuccess()) {
            throw CudaException.ofRuntime(function, status,
                    "[%d, %d] of %s".formatted(shown.rows, shown.columns, shown.type));
        }
    }

    /**
     * Checks the loaded library.
     *
     * @throws NativeLibraryException if it is not of this version
     */
    static void requireThisVersion(String file) {
        var lookup = SymbolLookup.loaderLookup();
        var missing = CudaSearch.functions("lmdebugger").stream().filter(name -> lookup.find(name).isEmpty()).toList();
        if (!missing.isEmpty()) {
            throw new NativeLibraryException("%s: lacks %s".formatted(file, String.join(", ", missing)), null);
        }
        if (LmDebugger.lmdebugger_abi() != ABI) {
            throw new NativeLibraryException("%s: version %d of the kernels (expected: %d)"
                    .formatted(file, LmDebugger.lmdebugger_abi(), ABI), null);
        }
    }
}
