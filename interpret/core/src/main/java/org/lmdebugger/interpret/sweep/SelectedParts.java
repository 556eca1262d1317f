package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Gpt2Config;

/**
 * The parts that a sweep edits one at a time, as numbers. Neuron i of layer l is l·f + i, where f is the width of a
 * feed-forward layer; other parts, and those that are edited together, count down from −1.
 */
final class SelectedParts {
    /**
     * Parts that enter the computation at one place, if the same is done to them at the same position.
     *
     * @param numbers of the parts
     * @param query   the only position where links are edited; −1 for other parts
     */
    record Family(int[] numbers, int query) {
    }

    private final Gpt2Config config;
    private final int length;
    private final Positions positions;
    private final List<Family> families = new ArrayList<>();
    private final List<List<Part>> others = new ArrayList<>();

    private SelectedParts(Gpt2Config config, int length, Positions positions) {
        this.config = config;
        this.length = length;
        this.positions = positions;
    }

    /**
     * Selects the parts of a sweep on one prompt, in the order of the selection.
     *
     * @param length of the prompt
     */
    static SelectedParts of(Gpt2 model, Sweep sweep, Resolver resolver, int length) {
        var parts = new SelectedParts(model.config(), length, sweep.positions());
        if (sweep.parts() != null) {
            parts.add(sweep.parts(), model, resolver);
        }
        return parts;
    }

    List<Family> families() {
        return families;
    }

    /** Returns the parts of a number, which are edited together. */
    List<Part> at(int number) {
        return number < 0 ? others.get(-1 - number)
                : List.of(new Neuron(number / config.feedForwardWidth(), number % config.feedForwardWidth()));
    }

    private void add(PartSelection selection, Gpt2 model, Resolver resolver) {
        switch (selection) {
            case NeuronSelection.Dominant(int count) -> addDominant(model, resolver.cleanRun(), count);
            case NeuronSelection.Ranges ranges -> addNeurons(ranges);
            case PartSelection.Named(var groups) -> groups.forEach(this::add);
            case PartSelection.Several(var selections) -> selections.forEach(each -> add(each, model, resolver));
            case PartSelection.OfKind kind -> addKind(kind);
        }
    }

    /** Adds parts that are edited together. */
    private void add(List<Part> together) {
        if (together.size() == 1 && together.getFirst() instanceof Neuron(int layer, int neuron)
                && layer < config.layers() && neuron < config.feedForwardWidth()) {
            addNeurons(layer, IntStream.of(neuron));
        } else {
            families.add(new Family(new int[] {numberOf(together)}, -1));
        }
    }

    private int numberOf(List<Part> together) {
        others.add(together);
        return -others.size();
    }

    private void addKind(PartSelection.OfKind kind) {
        int layers = config.layers();
        if (kind.firstLayer() >= layers || kind.lastLayer() != Integer.MAX_VALUE && kind.lastLayer() >= layers) {
            throw new IllegalArgumentException(
                    "sites: %s (expected: L0 to L%d in this model)".formatted(kind, layers - 1));
        }
        int last = Math.min(kind.lastLayer(), layers - 1);
        if (kind.kind() == PartSelection.Kind.LINKS) {
            SweepItems.checkCount((last - kind.firstLayer() + 1L) * config.heads()
                    * queries().mapToLong(query -> query + 1).sum());
        }
        for (int layer = kind.firstLayer(); layer <= last; layer++) {
            addKind(kind.kind(), layer);
        }
    }

    private void addKind(PartSelection.Kind kind, int layer) {
        switch (kind) {
            case HEADS -> addHeads(layer, Head.Vector.Z);
            case Q -> addHeads(layer, Head.Vector.QUERY);
            case K -> addHeads(layer, Head.Vector.KEY);
            case V -> addHeads(layer, Head.Vector.VALUE);
            case PATTERN -> addHeads(layer, Head.Vector.PATTERN);
            case LINKS -> IntStream.range(0, config.heads()).forEach(head -> queries()
                    .forEach(query -> addLinks(layer, head, query)));
            case PRE -> add(List.of(new Residual(layer, Residual.Point.PRE)));
            case MID -> add(List.of(new Residual(layer, Residual.Point.MID)));
            case POST -> add(List.of(new Residual(layer, Residual.Point.POST)));
            case ATTENTION -> add(List.of(new Residual(layer, Residual.Point.ATTENTION)));
            case FFN -> add(List.of(new Residual(layer, Residual.Point.FFN)));
        }
    }

    private void addHeads(int layer, Head.Vector vector) {
        families.add(new Family(IntStream.range(0, config.heads())
                .map(head -> numberOf(List.of(new Head(layer, head, vector)))).toArray(), -1));
    }

    private void addLinks(int layer, int head, int query) {
        families.add(new Family(IntStream.rangeClosed(0, query)
                .map(key -> numberOf(List.of(new Link(layer, head, key)))).toArray(), query));
    }

    /** Returns the positions whose links are edited; position 0 attends to itself alone. */
    private IntStream queries() {
        return IntStream.range(1, length).filter(query -> positions.contains(query, length));
    }

    /** Adds neurons by layer, ascending, each once. */
    private void addNeurons(NeuronSelection.Ranges selection) {
        var ranges = selection.ranges().stream().map(range -> range.within(config)).toList();
        for (int layer = 0; layer < config.layers(); layer++) {
            var ofLayer = new BitSet(); // and no list: a text of a few kB can name every neuron a thousand times
            for (var range : ranges) {
                if (range.firstLayer() <= layer && layer <= range.lastLayer()) {
                    ofLayer.set(range.first(), range.last() + 1);
                }
            }
            addNeurons(layer, ofLayer.stream());
        }
    }

    private void addNeurons(int layer, IntStream neurons) {
        var numbers = neurons.map(neuron -> layer * config.feedForwardWidth() + neuron).toArray();
        if (numbers.length > 0) {
            families.add(new Family(numbers, -1));
        }
    }

    private void addDominant(Gpt2 model, Activations clean, int count) {
        if (count > config.feedForwardWidth()) {
            throw new IllegalArgumentException("neurons: dominant:%d (expected: at most %d in this model)"
                    .formatted(count, config.feedForwardWidth()));
        }
        int layers = config.layers();
        var chosen = new int[layers][count];
        try (var scope = new TensorScope(model.device())) {
            var neurons = scope.allocate(ElementType.I32, layers, count);
            var coefficients = scope.allocate(ElementType.F32, 1, count);
            var scores = scope.allocate(ElementType.F32, 1, count);
            model.call(session -> {
                for (int layer = 0; layer < layers; layer++) {
                    session.dominant(neurons.row(layer), coefficients, scores,
                            clean.coefficients(layer).row(length - 1), model.layer(layer).valueNorms());
                    session.fetch(chosen[layer], neurons.row(layer));
                }
                session.await();
                return null;
            });
        }
        for (int layer = 0; layer < layers; layer++) {
            addNeurons(layer, Arrays.stream(chosen[layer]).sorted());
        }
    }
}
