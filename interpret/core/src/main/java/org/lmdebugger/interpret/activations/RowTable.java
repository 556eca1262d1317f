package org.lmdebugger.interpret.activations;

import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.CompiledIntervention.RowChange;

/** Edits of rows on the device ({@link Operations#editRows}), which share the matrix of their vectors and a width. */
public final class RowTable {
    private static final int ROWS = 4; // of places, and of factors

    private final Tensor vectors;
    private final int width;
    private final int count;
    private final Tensor places;
    private final Tensor factors;

    /** @param count number of edits */
    public RowTable(TensorScope scope, Tensor vectors, int width, int count) {
        this.vectors = vectors;
        this.width = width;
        this.count = count;
        places = scope.allocate(ElementType.I32, ROWS, count);
        factors = scope.allocate(ElementType.F32, ROWS, count);
    }

    /** Returns the device memory of a table, in bytes. */
    public static long bytes(long edits) {
        return 2L * 4 * ROWS * edits;
    }

    /**
     * Replaces all edits.
     *
     * @param rows      row of each edit; −1 leaves it out
     * @param positions position of each row
     */
    public void set(Operations session, int[] rows, RowChange[] changes, int[] positions) {
        var at = new int[ROWS * count];
        var by = new float[ROWS * count];
        for (int e = 0; e < count; e++) {
            var change = changes[e];
            at[e] = rows[e];
            at[count + e] = change.column();
            at[2 * count + e] = rows[e] < 0 ? 0 : change.from().apply(positions[e]);
            at[3 * count + e] = change.first();
            by[e] = change.scale();
            by[count + e] = change.amount();
            by[2 * count + e] = change.norm();
            by[3 * count + e] = change.projection();
        }
        session.upload(places, at);
        session.upload(factors, by);
    }

    public void apply(Operations session, Tensor rows) {
        session.editRows(rows, vectors, places, factors, width);
    }
}
