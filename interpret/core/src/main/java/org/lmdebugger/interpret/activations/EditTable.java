package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.CompiledIntervention.Affine;

/** The edits of one layer on the device: one entry a row of coefficients and neuron. */
public final class EditTable {
    private final Tensor rows;
    private final Tensor neurons;
    private final Tensor scales;
    private final Tensor shifts;

    /** One edited coefficient: m[row, neuron]. */
    public record Entry(int row, int neuron, Affine change) {
    }

    /**
     * The edits of one layer, of sequences of {@code rows} rows each.
     *
     * @param first position of a sequence's first row
     */
    public static List<Entry> entries(List<CompiledIntervention> interventions, int layer, int first, int rows) {
        var entries = new ArrayList<Entry>();
        for (int s = 0; s < interventions.size(); s++) {
            for (int neuron : interventions.get(s).neurons(layer)) {
                for (int r = 0; r < rows; r++) {
                    var change = interventions.get(s).at(layer, neuron, first + r);
                    if (change != null) {
                        entries.add(new Entry(s * rows + r, neuron, change));
                    }
                }
            }
        }
        return entries;
    }

    public EditTable(TensorScope scope, Operations session, List<Entry> entries) {
        rows = scope.vector(session, entries.stream().mapToInt(Entry::row).toArray());
        neurons = scope.vector(session, entries.stream().mapToInt(Entry::neuron).toArray());
        scales = scope.allocate(ElementType.F32, 1, entries.size());
        shifts = scope.allocate(ElementType.F32, 1, entries.size());
        change(session, entries.stream().map(Entry::change).toArray(Affine[]::new));
    }

    /** Returns the device memory of a table of so many edits, in bytes. */
    public static long bytes(long edits) {
        return 4L * 4 * edits;
    }

    /** Replaces what happens to each entry's coefficient. */
    public void change(Operations session, Affine[] changes) {
        var scale = new float[changes.length];
        var shift = new float[changes.length];
        for (int e = 0; e < changes.length; e++) {
            scale[e] = changes[e].scale();
            shift[e] = changes[e].shift();
        }
        session.upload(scales, scale);
        session.upload(shifts, shift);
    }

    public void apply(Operations session, Tensor coefficients) {
        session.editCoefficients(coefficients, rows, neurons, scales, shifts);
    }
}
