package org.lmdebugger.interpret.activations;

import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * The head of a model as a lens on any rows of width d, such as the residual stream of an inner layer: the logit lens
 * (nostalgebraist, 2020). Numbers alone are read, a tile of logits at a time; no text is made of them. Any thread may
 * use a lens while its model is open.
 */
public final class Lens {
    private static final int TILE = 256; // rows of logits at a time

    private final Gpt2 model;
    private final boolean norm;

    private Lens(Gpt2 model, boolean norm) {
        this.model = model;
        this.norm = norm;
    }

    /** Returns the lens that reads as the model itself does: LN_f(x)·headᵀ. */
    public static Lens of(Gpt2 model) {
        return new Lens(model, true);
    }

    /** Returns the lens without LayerNorm, x·headᵀ, as LM-Debugger reads value vectors. */
    public static Lens raw(Gpt2 model) {
        return new Lens(model, false);
    }

    /**
     * The tokens with the largest logits of n rows; those of row r begin at r·k, largest first, ties to the lower id.
     *
     * @param ids       of the tokens, n·k
     * @param logits    of the tokens, n·k
     * @param logSumExp log Σ exp(logits) over the vocabulary, n: log p of a token is its logit less this
     */
    public record Top(int k, int[] ids, float[] logits, float[] logSumExp) {
        /** Returns the tokens of one row with their texts. */
        public List<TokenLogit> tokens(int row, Tokenizer tokenizer) {
            return Lens.tokens(row, k, ids, logits, tokenizer);
        }
    }

    private static List<TokenLogit> tokens(int row, int k, int[] ids, float[] logits, Tokenizer tokenizer) {
        return IntStream.range(row * k, (row + 1) * k)
                .mapToObj(j -> new TokenLogit(ids[j], tokenizer.text(ids[j]), logits[j])).toList();
    }

    /**
     * Reads the tokens with the largest logits.
     *
     * @param rows [n, d], on the model's device
     * @param k    how many tokens of each row
     * @throws IllegalArgumentException if rows are of another width, or k is not from 1 to the vocabulary's size
     */
    public Top top(Tensor rows, int k) {
        int n = Math.toIntExact(rows.rows());
        var top = new Top(k, new int[n * k], new float[n * k], new float[n]);
        read(rows, (session, scope) -> {
            var largest = largest(session, scope, n, k, top.ids, top.logits);
            var logSumExp = scope.allocate(ElementType.F32, 1, n);
            return new Reading((from, tile) -> {
                largest.each.take(from, tile);
                session.measure(LogitStatistics.logSumExp(logSumExp.columns(from, tile.rows())), tile);
            }, () -> {
                largest.download.run();
                session.download(top.logSumExp, logSumExp);
            });
        });
        return top;
    }

    /**
     * Reads the tokens with the largest logits and their texts, largest first, ties to the lower id. Nothing else is
     * computed of the logits.
     *
     * @param rows [n, d], on the model's device
     * @param k    how many tokens of each row
     * @return a list for each row
     * @throws IllegalArgumentException if rows are of another width, k is not from 1 to the vocabulary's size, or a
     *     logit is not finite
     */
    public List<List<TokenLogit>> tokens(Tensor rows, int k) {
        int n = Math.toIntExact(rows.rows());
        var ids = new int[n * k];
        var logits = new float[n * k];
        read(rows, (session, scope) -> largest(session, scope, n, k, ids, logits));
        Overflow.finite(logits);
        return IntStream.range(0, n).mapToObj(row -> tokens(row, k, ids, logits, model.tokenizer())).toList();
    }

    /**
     * Reads the log-probabilities of chosen tokens; those of row r begin at r·c.
     *
     * @param rows   [n, d], on the model's device
     * @param tokens ids of c tokens
     * @return n·c natural logarithms
     * @throws IllegalArgumentException if rows are of another width, or an id is no token's
     */
    public float[] logProbabilities(Tensor rows, int... tokens) {
        for (int id : tokens) {
            model.tokenizer().raw(id); // throws for an id that is none
        }
        int n = Math.toIntExact(rows.rows());
        var chosen = new float[n * tokens.length];
        var sums = new float[n];
        read(rows, (session, scope) -> {
            var wanted = scope.vector(session, tokens);
            var logits = scope.allocate(ElementType.F32, n, tokens.length);
            var logSumExp = scope.allocate(ElementType.F32, 1, n);
            return new Reading((from, tile) -> session.measure(LogitStatistics.ofTokens(wanted,
                    logSumExp.columns(from, tile.rows()), logits.rows(from, tile.rows()), null), tile), () -> {
                        session.download(chosen, logits);
                        session.download(sums, logSumExp);
                    });
        });
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] -= sums[i / tokens.length];
        }
        return chosen;
    }

    private static Reading largest(Operations session, TensorScope scope, int n, int k, int[] toIds, float[] toLogits) {
        var ids = scope.allocate(ElementType.I32, n, k);
        var logits = scope.allocate(ElementType.F32, n, k);
        return new Reading(
                (from, tile) -> session.topK(ids.rows(from, tile.rows()), logits.rows(from, tile.rows()), tile),
                () -> {
                    session.download(toIds, ids);
                    session.download(toLogits, logits);
                });
    }

    /** Takes each tile of logits on the device, then brings home the results. */
    private record Reading(Gpt2.LogitTile each, Runnable download) {
    }

    private interface Reader {
        Reading begin(Operations session, TensorScope scope);
    }

    private void read(Tensor rows, Reader reader) {
        try (var scope = new TensorScope(model.device())) {
            model.call(session -> {
                var reading = reader.begin(session, scope);
                long tile = Math.min(TILE, rows.rows());
                var logits = model.allocateLogits(scope, tile);
                if (norm) {
                    var normed = scope.allocate(ElementType.F32, tile, rows.columns());
                    model.readLogits(session, rows, normed, logits, reading.each);
                } else {
                    model.readRaw(session, rows, logits, reading.each);
                }
                reading.download.run();
                return null;
            });
        }
    }
}
