package org.lmdebugger.interpret.values;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import org.lmdebugger.model.Gpt2;

/**
 * The extremes that single precision finds among products with the output embedding, from products of rounded operands:
 * more candidates than are wanted, scored again in FP32. A token that is no candidate has a rounded product beyond the
 * last candidate's, and an exact one within ε·‖v‖·max‖w‖ of that (Cauchy and Schwarz). Where the k-th candidate does
 * not clear that bound, every token of the row is scored. Of logits that are equal to the last bit either may come
 * first.
 */
final class Rescoring {
    private final Gpt2 model;
    private final Operations session;
    private final int k;
    private final int candidates;
    private final double slack; // ε·max‖w‖
    private final Tensor ids; // [tile, candidates], and so on
    private final Tensor rounded;
    private final Tensor ones;
    private final Tensor scores;
    private final Tensor places; // [tile, k], among the candidates
    private final Tensor best; // [tile, k]
    private final Tensor norms; // [1, tile]
    private final Tensor last; // [tile, 1], the last candidates' rounded products

    /**
     * How far a product of two operands may be from what it stands for, relative to their sizes: weights are what they
     * are, and anything else is rounded to nearest, to 10 bits of mantissa in TF32 and 7 in BF16.
     */
    private static double rounding(Device device, Reading reading) {
        return reading == Reading.RAW ? 0 : switch (device.precision()) {
            case FP32, TF32X3 -> 0;
            case TF32 -> 0x1p-11;
            case BF16 -> 0x1p-8;
        };
    }

    /** Returns whether products for this reading must be rescored on this device. */
    static boolean isNeeded(Device device, Reading reading) {
        return rounding(device, reading) > 0;
    }

    /** @param tile rows that come at a time, at most; what is allocated {@code scope} frees */
    Rescoring(Gpt2 model, Operations session, TensorScope scope, Reading reading, int tile, int k) {
        this.model = model;
        this.session = session;
        this.k = k;
        int vocabulary = model.config().vocabularySize();
        candidates = Math.min(3 * k, vocabulary);
        ids = scope.allocate(ElementType.I32, tile, candidates);
        rounded = scope.allocate(ElementType.F32, tile, candidates);
        scores = scope.allocate(ElementType.F32, tile, candidates);
        places = scope.allocate(ElementType.I32, tile, k);
        best = scope.allocate(ElementType.F32, tile, k);
        norms = scope.allocate(ElementType.F32, 1, tile);
        last = scope.allocate(ElementType.F32, tile, 1);
        ones = scope.allocate(ElementType.F32, tile, candidates);
        session.upload(ones, ones(tile * candidates));
        var lengths = scope.allocate(ElementType.F32, 1, vocabulary);
        session.rowNorms(lengths, model.head());
        double longest = 0;
        for (float length : Vectors.download(session, lengths)) {
            longest = Math.max(longest, length);
        }
        double sums = model.config().width() * 0x1p-22; // of d terms each, rounded and again in FP32
        slack = (rounding(model.device(), reading) + sums) * longest;
    }

    private static float[] ones(int count) {
        var ones = new float[count];
        Arrays.fill(ones, 1);
        return ones;
    }

    /** Gives one side of {@code products} [n, V], which are rounded ones of {@code vectors} [n, d], to {@code sink}. */
    void select(Tensor products, Tensor vectors, int first, boolean bottom, Projector.Sink sink) {
        int n = (int) products.rows();
        var someScores = scores.rows(0, n);
        extremes(bottom, ids.rows(0, n), rounded.rows(0, n), products);
        session.contributions(someScores, ids.rows(0, n), ones.rows(0, n), model.head(), vectors);
        extremes(bottom, places.rows(0, n), best.rows(0, n), someScores);
        session.rowNorms(norms.columns(0, n), vectors);
        session.copy(last.rows(0, n), rounded.rows(0, n).columns(candidates - 1, 1));
        var someIds = Vectors.fetchInts(session, ids.rows(0, n));
        var chosen = Vectors.fetchInts(session, places.rows(0, n));
        var logits = Vectors.fetch(session, best.rows(0, n));
        var least = Vectors.fetch(session, last.rows(0, n));
        var lengths = Vectors.fetch(session, norms.columns(0, n));
        session.await();
        for (int r = 0; r < n; r++) {
            double margin = (bottom ? -1 : 1) * ((double) logits[(r + 1) * k - 1] - least[r]);
            if (candidates == model.config().vocabularySize() || margin > slack * lengths[r]) {
                for (int j = r * k; j < (r + 1) * k; j++) {
                    chosen[j] = someIds[r * candidates + chosen[j]];
                }
            } else {
                scoreAll(vectors.row(r), bottom, chosen, logits, r * k);
            }
        }
        sink.put(first, bottom, chosen, Overflow.finite(logits));
    }

    private void extremes(boolean bottom, Tensor indices, Tensor values, Tensor x) {
        if (bottom) {
            session.bottomK(indices, values, x);
        } else {
            session.topK(indices, values, x);
        }
    }

    private void scoreAll(Tensor vector, boolean bottom, int[] tokens, float[] logits, int at) {
        int vocabulary = model.config().vocabularySize();
        try (var temporary = new TensorScope(model.device())) {
            var all = temporary.allocate(ElementType.F32, 1, vocabulary);
            session.contributions(all, temporary.vector(session, IntStream.range(0, vocabulary).toArray()),
                    temporary.vector(session, ones(vocabulary)), model.head(), vector);
            extremes(bottom, places.row(0), best.row(0), all);
            var someTokens = new int[k];
            session.download(someTokens, places.row(0));
            System.arraycopy(someTokens, 0, tokens, at, k);
            System.arraycopy(Vectors.download(session, best.row(0)), 0, logits, at, k);
        }
    }
}
