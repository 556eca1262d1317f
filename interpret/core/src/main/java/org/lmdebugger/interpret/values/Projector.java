package org.lmdebugger.interpret.values;

import org.jspecify.annotations.Nullable;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import org.lmdebugger.model.Gpt2;

/**
 * Multiplies value vectors with the output embedding, a tile of them at a time, and keeps the extremes of each row:
 * those of single precision, whatever the device's.
 */
final class Projector implements AutoCloseable {
    /** Bytes of a tile's products: as many rows as a matrix product needs to be fast, and no more. */
    private static final long TILE_BYTES = 192 << 20;

    private final Gpt2 model;
    private final Operations session;
    private final int k;
    private final Reading reading;
    private final float[] gain; // of the final LayerNorm, [d]
    private final int tile;
    private final TensorScope scope;
    private final Tensor products; // [tile, V]
    private final Tensor scaled; // [tile, d]
    private final Tensor ids; // [tile, k]
    private final Tensor logits; // [tile, k]
    private final Rescoring rescoring; // null where products are not rounded
    private final Sink sink;
    private @Nullable Arriving arriving;

    /** Takes one side of what n vectors say, from vector {@code first} on. Shapes: ids and logits [n, k]. */
    interface Sink {
        void put(int first, boolean bottom, int[] ids, float[] logits);
    }

    /** A tile's results, on their way to the host. */
    private record Arriving(int first, Side top, Side bottom) {
    }

    /** One side of n vectors, [n, k]. */
    private record Side(int[] ids, float[] logits) {
    }

    /** @param most how many vectors will come at a time, at most */
    Projector(Gpt2 model, Operations session, int k, Reading reading, long most, Sink sink) {
        this.sink = sink;
        this.model = model;
        this.session = session;
        this.k = k;
        this.reading = reading;
        long v = model.config().vocabularySize();
        gain = Vectors.download(session, model.finalGain());
        tile = (int) Math.clamp(TILE_BYTES / (4 * v), 1, most);
        scope = new TensorScope(model.device());
        try {
            products = model.allocateLogits(scope, tile);
            scaled = scope.allocate(ElementType.F32, tile, gain.length);
            ids = scope.allocate(ElementType.I32, tile, k);
            logits = scope.allocate(ElementType.F32, tile, k);
            rescoring = Rescoring.isNeeded(model.device(), reading)
                    ? new Rescoring(model, session, scope, reading, tile, k)
                    : null;
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    /** Rows of a tile. */
    int tile() {
        return tile;
    }

    /**
     * Projects at most a tile of {@code vectors} [n, d], of which the first is vector {@code first}. While the device does
     * so, the sink takes what the tile before says.
     */
    void project(Tensor vectors, int first) {
        int n = (int) vectors.rows();
        var part = products.rows(0, n);
        var read = read(vectors);
        session.multiplyTransposed(part, read, model.head());
        if (rescoring != null) {
            rescoring.select(part, read, first, false, sink);
            rescoring.select(part, read, first, true, sink);
            return;
        }
        session.topK(ids.rows(0, n), logits.rows(0, n), part);
        var before = arrived();
        var top = fetch(n);
        session.bottomK(ids.rows(0, n), logits.rows(0, n), part);
        arriving = new Arriving(first, top, fetch(n));
        put(before);
    }

    private Side fetch(int n) {
        return new Side(Vectors.fetchInts(session, ids.rows(0, n)), Vectors.fetch(session, logits.rows(0, n)));
    }

    /** Gives the sink what the last tile says. */
    void finish() {
        put(arrived());
    }

    private @Nullable Arriving arrived() {
        if (arriving != null) {
            session.await();
        }
        var arrived = arriving;
        arriving = null;
        return arrived;
    }

    /**
     * Returns the rows to multiply with the embedding. They are computed on the host, in little time beside the
     * product.
     */
    private Tensor read(Tensor vectors) {
        if (reading == Reading.RAW) {
            return vectors;
        }
        int d = gain.length;
        var rows = Vectors.download(session, vectors);
        for (int at = 0; at < rows.length; at += d) {
            double sum = 0;
            for (int i = 0; i < d; i++) {
                sum += rows[at + i];
            }
            for (int i = 0; i < d; i++) {
                rows[at + i] = (float) ((rows[at + i] - sum / d) * gain[i]);
            }
        }
        var to = scaled.rows(0, vectors.rows());
        session.upload(to, rows);
        return to;
    }

    private void put(@Nullable Arriving tile) {
        if (tile != null) {
            sink.put(tile.first, false, tile.top.ids, Overflow.finite(tile.top.logits));
            sink.put(tile.first, true, tile.bottom.ids, Overflow.finite(tile.bottom.logits));
        }
    }

    @Override
    public void close() {
        scope.close();
    }
}
