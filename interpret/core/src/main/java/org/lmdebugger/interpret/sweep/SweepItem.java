package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.model.Gpt2;

/**
 * One intervention of a sweep, on one prompt, and from where on it changes anything.
 *
 * @param neuron        the neuron of {@code firstLayer} that an operation is done to; −1 for an intervention of the
 *     user's
 * @param index         number of the operation, or of the user's intervention
 * @param firstLayer    the lowest layer that it edits
 * @param firstPosition the first position whose residual stream it changes; for what only touches the top layer the
 *                      last position, as only that is read
 */
record SweepItem(int neuron, int index, int firstLayer, int firstPosition) {

    Intervention edits(Sweep sweep) {
        if (neuron < 0) {
            return sweep.interventions().get(index);
        }
        var operation = sweep.operations().get(index);
        return Intervention.of(new Edit(firstLayer, neuron, operation, sweep.positions(operation)));
    }

    /**
     * Returns all interventions on one prompt: those that need the same positions together, the lowest layers first.
     */
    static List<SweepItem> of(Gpt2 model, Sweep sweep, Resolver resolver, int length) {
        var items = new ArrayList<SweepItem>();
        int top = model.config().layers() - 1;
        if (sweep.neurons() != null) {
            var all = neurons(model, sweep.neurons(), resolver, length);
            var starts = sweep.operations().stream()
                    .mapToInt(operation -> first(sweep.positions(operation), length)).toArray();
            for (int l = 0; l < all.size(); l++) {
                for (int neuron : all.get(l)) {
                    for (int o = 0; o < starts.length; o++) {
                        items.add(new SweepItem(neuron, o, l, l == top ? length - 1 : starts[o]));
                    }
                }
            }
        }
        for (int i = 0; i < sweep.interventions().size(); i++) {
            items.add(ofEdits(sweep.interventions().get(i), i, top, length));
        }
        items.sort(Comparator.comparingInt(SweepItem::firstPosition).thenComparingInt(SweepItem::firstLayer));
        return items;
    }

    private static SweepItem ofEdits(Intervention edits, int index, int top, int length) {
        int layer = edits.list().stream().mapToInt(Edit::layer).min().orElse(top);
        int below = edits.list().stream().filter(edit -> edit.layer() < top)
                .mapToInt(edit -> first(edit.positions(), length)).min().orElse(length - 1);
        return new SweepItem(-1, index, layer, below);
    }

    /** Returns the first position of a prompt at which an edit holds; its last if there is none. */
    private static int first(Positions positions, int length) {
        return IntStream.range(0, length).filter(p -> positions.contains(p, length)).findFirst().orElse(length - 1);
    }

    /** Returns the chosen neurons, by layer, ascending. */
    private static List<int[]> neurons(Gpt2 model, NeuronSelection neurons, Resolver resolver, int length) {
        int layers = model.config().layers();
        return switch (neurons) {
            case NeuronSelection.Dominant(int count) -> dominant(model, resolver.cleanRun(), count, length);
            case NeuronSelection.Ranges chosen -> {
                var ranges = chosen.ranges().stream().map(range -> range.within(model.config())).toList();
                yield IntStream.range(0, layers).mapToObj(l -> {
                    var ofLayer = new BitSet(); // and no list: a text of a few kB can name every neuron a thousand times
                    ranges.stream().filter(r -> r.firstLayer() <= l && l <= r.lastLayer())
                            .forEach(r -> ofLayer.set(r.first(), r.last() + 1));
                    return ofLayer.stream().toArray();
                }).toList();
            }
        };
    }

    private static List<int[]> dominant(Gpt2 model, Activations clean, int count, int length) {
        if (count > model.config().feedForwardWidth()) {
            throw new IllegalArgumentException("neurons: dominant:%d (expected: at most %d in this model)"
                    .formatted(count, model.config().feedForwardWidth()));
        }
        try (var scope = new TensorScope(model.device())) {
            return model.call(session -> {
                var neurons = scope.allocate(ElementType.I32, 1, count);
                var coefficients = scope.allocate(ElementType.F32, 1, count);
                var scores = scope.allocate(ElementType.F32, 1, count);
                return IntStream.range(0, model.config().layers()).mapToObj(l -> {
                    session.dominant(neurons, coefficients, scores, clean.coefficients(l).row(length - 1),
                            model.layer(l).valueNorms());
                    var chosen = new int[count];
                    session.download(chosen, neurons);
                    Arrays.sort(chosen);
                    return chosen;
                }).toList();
            });
        }
    }

    /** Checks everything about a sweep that can be wrong for one prompt, before anything is computed. */
    static void check(Sweep sweep, List<SweepItem> items, Resolver resolver) {
        if (items.isEmpty()) {
            throw new IllegalArgumentException(
                    "sweep: nothing selected (expected: neurons with operations, or interventions)");
        }
        var operations = new TreeSet<Integer>();
        items.stream().filter(item -> item.neuron() < 0 || operations.add(item.index()))
                .forEach(item -> resolver.resolve(item.edits(sweep)));
    }
}
