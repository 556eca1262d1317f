package org.lmdebugger.interpret.edge;

import java.util.Arrays;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;

/** Sums and copies of single rows on a device ({@link Operations#editRows}). */
final class RowSums {
    private RowSums() {
    }

    /** x[to[i]] += factor·vectors[from[i]], for different rows {@code to}. */
    static void add(Operations session, TensorScope memory, Tensor x, int[] to, float factor, Tensor vectors,
            int[] from) {
        edit(session, memory, x, 1, factor, to, new int[to.length], vectors, from, (int) x.columns());
    }

    /** x[to[i], columns[i] … + width) = vectors[from[i], columns[i] … + width), for different places. */
    static void copyWindows(Operations session, TensorScope memory, Tensor x, int[] to, int[] columns, Tensor vectors,
            int[] from, int width) {
        edit(session, memory, x, 0, 1, to, columns, vectors, from, width);
    }

    private static void edit(Operations session, TensorScope memory, Tensor x, float scale, float amount, int[] to,
            int[] columns, Tensor vectors, int[] from, int width) {
        int count = to.length;
        var places = new int[4 * count];
        System.arraycopy(to, 0, places, 0, count);
        System.arraycopy(columns, 0, places, count, count);
        System.arraycopy(from, 0, places, 2 * count, count);
        System.arraycopy(columns, 0, places, 3 * count, count);
        var factors = new float[4 * count];
        Arrays.fill(factors, 0, count, scale);
        Arrays.fill(factors, count, 2 * count, amount);
        var at = memory.allocate(ElementType.I32, 4, count);
        var by = memory.allocate(ElementType.F32, 4, count);
        session.upload(at, places);
        session.upload(by, factors);
        session.editRows(x, vectors, at, by, width);
    }
}
