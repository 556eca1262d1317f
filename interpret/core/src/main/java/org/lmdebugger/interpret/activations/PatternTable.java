package org.lmdebugger.interpret.activations;

import java.util.Arrays;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Site;

/** Edits of attention on the device: heads of some rows mix their values anew, with keys taken away or other weights. */
public final class PatternTable {
    private final int[] heads;
    private final int keys;
    private final Tensor headsOnDevice; // [1, E]
    private final Tensor recomputed; // [1, E]: rows whose weights are computed again; −1 for others
    private final Tensor mixed; // [1, E]: rows that mix their values again; −1 for others
    private final Tensor bias; // [E, keys]
    private final Tensor weights; // [E, keys]

    /**
     * Allocates a table.
     *
     * @param heads the head of each edit
     * @param keys  number of positions that a row may attend to
     */
    public PatternTable(TensorScope scope, Operations session, int[] heads, int keys) {
        this.heads = heads;
        this.keys = keys;
        headsOnDevice = scope.vector(session, heads);
        recomputed = scope.allocate(ElementType.I32, 1, heads.length);
        mixed = scope.allocate(ElementType.I32, 1, heads.length);
        bias = scope.allocate(ElementType.F32, heads.length, keys);
        weights = scope.allocate(ElementType.F32, heads.length, keys);
    }

    /** Returns the device memory of a table, in bytes. */
    public static long bytes(long edits, long keys) {
        return 4 * edits * (3 + 2 * keys);
    }

    /**
     * Replaces all edits.
     *
     * @param rows          row of each edit; −1 leaves it out
     * @param positions     position of each row
     * @param interventions the intervention of each edit
     */
    public void set(Operations session, int layer, int[] rows, int[] positions, CompiledIntervention[] interventions) {
        var again = new int[heads.length];
        var all = new int[heads.length];
        var off = new float[heads.length * keys];
        var given = new float[heads.length * keys];
        Arrays.fill(again, -1);
        Arrays.fill(all, -1);
        for (int e = 0; e < heads.length; e++) {
            if (rows[e] < 0) {
                continue;
            }
            var replaced = interventions[e].weights(layer, heads[e], positions[e]);
            if (replaced.isPresent()) {
                all[e] = rows[e];
                System.arraycopy(replaced.get(), 0, given, e * keys, positions[e] + 1);
            } else if (interventions[e].takeAway(off, e * keys, layer, heads[e], positions[e])) {
                all[e] = rows[e];
                again[e] = rows[e];
            }
        }
        session.upload(recomputed, again);
        session.upload(mixed, all);
        session.upload(bias, off);
        session.upload(weights, given);
    }

    /** Mixes the values anew; the rows' queries, keys and values are those of the block. */
    public void apply(Operations session, BlockRows rows, double divisor) {
        session.attentionWeights(weights, rows.at(Site.QUERY), rows.context(), divisor, recomputed, headsOnDevice,
                bias);
        session.attentionMix(rows.at(Site.Z), weights, rows.context(), mixed, headsOnDevice);
    }
}
