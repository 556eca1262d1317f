package org.lmdebugger.interpret.edge;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.model.Gpt2;

/** A reader of rows of the residual stream after the last layer: the logit differences of a pair, and KL(base ‖ row). */
final class PairReader {
    private final Gpt2 model;
    private final Pair.Ids pair;
    private final int[] ids; // of answers and wrong tokens, ascending
    private final Tensor tokens; // [1, c]
    private final Tensor base; // [1, V]
    private final Tensor tile; // [n, V]
    private final Tensor normed; // [n, d]
    private final int rows;

    /** Logit difference and KL of each row. */
    record Numbers(double[] differences, float[] kl) {
    }

    /**
     * A reader whose memory is freed with {@code scope}.
     *
     * @param rows at most as many are read at a time
     * @param last the last row of the base run, [1, d]
     */
    PairReader(Gpt2 model, Operations session, TensorScope scope, Pair.Ids pair, int rows, Tensor last) {
        this.model = model;
        this.pair = pair;
        this.rows = Math.min(rows, model.device().traits().logitRows());
        ids = IntStream.concat(IntStream.of(pair.answers()), IntStream.of(pair.wrong())).sorted().toArray();
        tokens = scope.vector(session, ids);
        base = scope.allocate(ElementType.F32, 1, model.config().vocabularySize());
        tile = model.allocateLogits(scope, this.rows);
        normed = scope.allocate(ElementType.F32, this.rows, model.config().width());
        model.readLogits(session, base, last, normed.row(0));
    }

    /** Reads rows, [R, d]. */
    Numbers read(Operations session, Tensor x) {
        int n = (int) x.rows();
        var logits = new float[n * ids.length];
        var kl = new float[n];
        try (var temporary = new TensorScope(model.device())) {
            var chosen = temporary.allocate(ElementType.F32, n, ids.length);
            var divergences = temporary.allocate(ElementType.F32, 1, n);
            model.readLogits(session, x, normed, tile, (from, part) -> session.measure(new LogitStatistics(tokens, base,
                    null, null, divergences.columns(from, part.rows()), chosen.rows(from, part.rows()), null), part));
            session.download(logits, chosen);
            session.download(kl, divergences);
        }
        var differences = IntStream.range(0, n).mapToDouble(
                r -> pair.difference(token -> logits[r * ids.length + Arrays.binarySearch(ids, token)])).toArray();
        return new Numbers(differences, kl);
    }
}
