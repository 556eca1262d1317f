package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.PatternTable;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
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
 * One intervention of a sweep, on one prompt, and from where on it changes anything.
 *
 * @param parts    the parts that an operation is done to; none for an intervention of the user's
 * @param index    number of the operation, or of the user's intervention
 * @param position where the operation is done; −1 for the sweep's positions
 * @param entry    where its rows enter the computation
 */
record SweepItem(List<Part> parts, int index, int position, Entry entry) {
    /** Interventions on one prompt that a plan takes: a few hundred megabytes of the host's memory. */
    private static final long MOST = 4_000_000;
    /** Rows from which on a product with a layer's weights takes hardly less time for each of them. */
    private static final long ENOUGH_ROWS = 256;

    /** Returns the intervention as it is computed: after a layer, the residual stream is that before the next. */
    Intervention computed(Sweep sweep, int layers) {
        var edits = edits(sweep);
        return edits.list().size() == 1 && sweep.base().isEmpty()
                && edits.list()
                        .getFirst() instanceof Edit(Residual(int layer, Residual.Point point), var operation, var at)
                && point == Residual.Point.POST && layer < layers - 1
                        ? Intervention.of(new Edit(new Residual(layer + 1, Residual.Point.PRE), operation, at))
                        : edits;
    }

    /** Returns what enters at a place, and is not edited. */
    static SweepItem unedited(Entry entry) {
        return new SweepItem(List.of(), -1, -1, entry);
    }

    Intervention edits(Sweep sweep) {
        if (parts.isEmpty()) {
            return sweep.interventions().get(index);
        }
        var operation = sweep.operations().get(index);
        var positions = position < 0 ? sweep.positions(operation) : Positions.at(position);
        return new Intervention(parts.stream().map(part -> edit(part, operation, positions)).toList());
    }

    /**
     * Returns the device memory of the tables of attention that the intervention needs, one for each layer, in bytes.
     *
     * @param length of the prompt
     */
    long tableBytes(Gpt2Config config, Sweep sweep, int length) {
        int positions = length - entry.position();
        var own = parts.isEmpty() ? parts(sweep.interventions().get(index)) : parts.stream();
        long rows = Stream.concat(parts(sweep.base()), own).flatMap(part -> patterns(part, config.heads())).distinct()
                .filter(head -> head.layer() >= entry.layer())
                .mapToLong(head -> head.layer() == config.layers() - 1 ? Math.min(1, positions) : positions).sum();
        return PatternTable.bytes(rows, length);
    }

    private static Stream<Part> parts(Intervention edits) {
        return edits.list().stream().map(Edit::part);
    }

    /** Returns the heads whose attention an edit of a part changes. */
    private static Stream<Head> patterns(Part part, int heads) {
        return switch (part) {
            case Link(int layer, int head, int _) -> Stream.of(new Head(layer, head, Head.Vector.PATTERN));
            case Head(int layer, int head, Head.Vector vector) when vector == Head.Vector.PATTERN ->
                    head == Head.ALL ? IntStream.range(0, heads).mapToObj(h -> new Head(layer, h, vector))
                            : Stream.of((Head) part);
            default -> Stream.empty();
        };
    }

    /** Switching a link off is another operation than setting a vector to 0; a sweep's off means both. */
    private static Edit edit(Part part, Operation operation, Positions positions) {
        boolean off = part instanceof Link && operation instanceof Operation.Set(float value) && value == 0;
        return new Edit(part, off ? new Operation.Off() : operation, positions);
    }

    /**
     * Returns all interventions on one prompt: those that are computed from the same position on together, then in the
     * order in which they enter the computation.
     */
    static List<SweepItem> of(Gpt2 model, Sweep sweep, Resolver resolver, int[] ids) {
        var items = new ArrayList<SweepItem>();
        var entries = new HashMap<Object, Entry>(); // of items that differ in nothing that matters for it
        if (sweep.parts() != null) {
            var groups = parts(model, sweep.parts(), sweep.positions(), resolver, ids.length);
            checkCount((long) groups.size() * sweep.operations().size()
                    * (sweep.positions() == Positions.EACH ? ids.length : 1));
            for (var group : groups) {
                for (int o = 0; o < sweep.operations().size(); o++) {
                    for (int position : positions(sweep, group, ids.length)) {
                        var item = new SweepItem(group.parts(), o, position, null);
                        var like = group.parts().size() > 1 ? item
                                : List.of(group.parts().getFirst().layer(), kind(group.parts().getFirst()), o,
                                        position);
                        var entry = entries.computeIfAbsent(like,
                                key -> Entry.of(model, sweep, item.computed(sweep, model.config().layers()), ids));
                        items.add(new SweepItem(group.parts(), o, position, entry));
                    }
                }
            }
        }
        for (int i = 0; i < sweep.interventions().size(); i++) {
            var item = new SweepItem(List.of(), i, -1, null);
            items.add(new SweepItem(List.of(), i, -1,
                    Entry.of(model, sweep, item.computed(sweep, model.config().layers()), ids)));
        }
        items.sort(Comparator.comparing(SweepItem::entry));
        return together(items, ids.length);
    }

    /**
     * Computes interventions from an earlier position on, together with others, where these have few rows alone; with at
     * most twice the rows that it needs.
     */
    private static List<SweepItem> together(List<SweepItem> sorted, int length) {
        var items = new ArrayList<SweepItem>(sorted.size());
        int first = sorted.isEmpty() ? 0 : sorted.getFirst().entry().position();
        long count = 0; // of those from this position on
        for (int from = 0; from < sorted.size();) {
            int position = sorted.get(from).entry().position();
            int to = from;
            while (to < sorted.size() && sorted.get(to).entry().position() == position) {
                to++;
            }
            if (count * (length - first) >= ENOUGH_ROWS || length - first > 2 * (length - position)) {
                first = position;
                count = 0;
            }
            count += to - from;
            for (var item : sorted.subList(from, to)) {
                items.add(new SweepItem(item.parts(), item.index(), item.position(), item.entry().from(first)));
            }
            from = to;
        }
        items.sort(Comparator.comparing(SweepItem::entry));
        return items;
    }

    /** Returns what tells parts of one layer apart that enter at different places. */
    private static Object kind(Part part) {
        return part instanceof Link ? part : part instanceof Head head ? head.vector() : part.site();
    }

    /** Parts that are edited together; a link is edited at one query alone. */
    private record Group(List<Part> parts, int query) {
        Group(Part part) {
            this(List.of(part), -1);
        }
    }

    private static List<Integer> positions(Sweep sweep, Group group, int length) {
        if (group.query() >= 0) {
            return List.of(group.query());
        }
        return sweep.positions() == Positions.EACH ? IntStream.range(0, length).boxed().toList() : List.of(-1);
    }

    private static List<Group> parts(Gpt2 model, PartSelection selection, Positions positions, Resolver resolver,
            int length) {
        return switch (selection) {
            case NeuronSelection neurons -> neurons(model, neurons, resolver, length);
            case PartSelection.Named(var groups) -> groups.stream().map(parts -> new Group(parts, -1)).toList();
            case PartSelection.Several(var selections) -> selections.stream()
                    .flatMap(each -> parts(model, each, positions, resolver, length).stream()).toList();
            case PartSelection.OfKind kind -> {
                int layers = model.config().layers();
                if (kind.firstLayer() >= layers
                        || kind.lastLayer() != Integer.MAX_VALUE && kind.lastLayer() >= layers) {
                    throw new IllegalArgumentException(
                            "sites: %s (expected: L0 to L%d in this model)".formatted(kind, layers - 1));
                }
                int last = Math.min(kind.lastLayer(), layers - 1);
                if (kind.kind() == PartSelection.Kind.LINKS) {
                    checkCount((long) (last - kind.firstLayer() + 1) * model.config().heads()
                            * queries(positions, length).mapToLong(query -> query + 1).sum());
                }
                yield IntStream.rangeClosed(kind.firstLayer(), last).boxed()
                        .flatMap(l -> parts(kind.kind(), l, model.config().heads(), positions, length).stream())
                        .toList();
            }
        };
    }

    private static void checkCount(long interventions) {
        if (interventions > MOST) {
            throw new IllegalArgumentException(
                    "sweep: %,d interventions of one prompt (expected: at most %,d; choose fewer parts or positions)"
                            .formatted(interventions, MOST));
        }
    }

    /** Returns the parts of a kind in a layer. */
    private static List<Group> parts(PartSelection.Kind kind, int layer, int heads, Positions positions, int length) {
        return switch (kind) {
            case HEADS -> heads(layer, heads, Head.Vector.Z);
            case Q -> heads(layer, heads, Head.Vector.QUERY);
            case K -> heads(layer, heads, Head.Vector.KEY);
            case V -> heads(layer, heads, Head.Vector.VALUE);
            case PATTERN -> heads(layer, heads, Head.Vector.PATTERN);
            case LINKS -> IntStream.range(0, heads).boxed().flatMap(h -> queries(positions, length).boxed()
                    .flatMap(query -> IntStream.rangeClosed(0, query)
                            .mapToObj(key -> new Group(List.of(new Link(layer, h, key)), query))))
                    .toList();
            case PRE -> List.of(new Group(new Residual(layer, Residual.Point.PRE)));
            case MID -> List.of(new Group(new Residual(layer, Residual.Point.MID)));
            case POST -> List.of(new Group(new Residual(layer, Residual.Point.POST)));
            case ATTENTION -> List.of(new Group(new Residual(layer, Residual.Point.ATTENTION)));
            case FFN -> List.of(new Group(new Residual(layer, Residual.Point.FFN)));
        };
    }

    /** Returns the positions whose links are edited; position 0 attends to itself alone. */
    private static IntStream queries(Positions positions, int length) {
        return IntStream.range(1, length).filter(query -> positions.contains(query, length));
    }

    private static List<Group> heads(int layer, int heads, Head.Vector vector) {
        return IntStream.range(0, heads).mapToObj(h -> new Group(new Head(layer, h, vector))).toList();
    }

    /** Returns the chosen neurons, by layer, ascending. */
    private static List<Group> neurons(Gpt2 model, NeuronSelection neurons, Resolver resolver, int length) {
        int layers = model.config().layers();
        var chosenByLayer = switch (neurons) {
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
        return IntStream.range(0, layers).boxed()
                .flatMap(l -> Arrays.stream(chosenByLayer.get(l)).mapToObj(neuron -> new Group(new Neuron(l, neuron))))
                .toList();
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

    private static Object ofCheck(Part part) {
        return part instanceof Link ? Link.class : kind(part);
    }

    private static boolean namesParts(PartSelection selection) {
        return selection instanceof PartSelection.Named
                || selection instanceof PartSelection.Several several
                        && several.selections().stream().anyMatch(SweepItem::namesParts);
    }

    /** Checks everything about a sweep that can be wrong for one prompt, before anything is computed. */
    static void check(Sweep sweep, List<SweepItem> items, Resolver resolver) {
        if (items.isEmpty()) {
            throw new IllegalArgumentException(
                    "sweep: nothing selected (expected: parts with operations, or interventions)");
        }
        boolean named = namesParts(sweep.parts());
        var checked = new HashSet<>(); // of a kind, one neuron or head is as good as another
        items.stream().filter(item -> item.parts().isEmpty() || named
                || checked.add(List.of(item.index(), ofCheck(item.parts().getFirst()))))
                .forEach(item -> resolver.resolve(item.edits(sweep)));
    }
}
