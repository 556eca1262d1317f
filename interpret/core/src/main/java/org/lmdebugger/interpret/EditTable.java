package org.lmdebugger.interpret;

import java.util.List;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Session;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.Intervention.Affine;

/** The edits of one layer on the device: one entry a row of coefficients and neuron. */
final class EditTable {
    private final Tensor rows;
    private final Tensor neurons;
    private final Tensor scales;
    private final Tensor shifts;

    /** One edited coefficient: m[row, neuron]. */
    record Entry(int row, int neuron, Affine change) {
    }

    EditTable(TensorScope scope, Session session, List<Entry> entries) {
        rows = scope.vector(session, entries.stream().mapToInt(Entry::row).toArray());
        neurons = scope.vector(session, entries.stream().mapToInt(Entry::neuron).toArray());
        scales = scope.allocate(ElementType.F32, 1, entries.size());
        shifts = scope.allocate(ElementType.F32, 1, entries.size());
        change(session, entries.stream().map(Entry::change).toArray(Affine[]::new));
    }

    /** Replaces what happens to each entry's coefficient. */
    void change(Session session, Affine[] changes) {
        var scale = new float[changes.length];
        var shift = new float[changes.length];
        for (int e = 0; e < changes.length; e++) {
            scale[e] = changes[e].scale();
            shift[e] = changes[e].shift();
        }
        session.upload(scales, scale);
        session.upload(shifts, shift);
    }

    void apply(Session session, Tensor coefficients) {
        session.editCoefficients(coefficients, rows, neurons, scales, shifts);
    }
}
