package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.activations.EditTable;
import org.lmdebugger.interpret.activations.PatternTable;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.activations.RowTable;
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
import org.lmdebugger.model.Site;

/**
 * All interventions of a sweep on one prompt, as columns of numbers: element i of each belongs to intervention i. Those
 * that are computed from the same position on come together, in the order in which they enter the computation.
 */
final class SweepItems {
    /** Interventions on one prompt that a plan takes: a few hundred megabytes of the host's memory. */
    private static final long MOST = 4_000_000;
    /** Rows from which on a product with a layer's weights takes hardly less time for each of them. */
    private static final long ENOUGH_ROWS = 256;
    /** Instead of a part's number: an intervention of the user's. */
    private static final int NO_PART = Integer.MIN_VALUE;

    private final Sweep sweep;
    private final Gpt2Config config;
    private final int length; // of the prompt
    private final SelectedParts selected;
    private final Entry[] entries; // where interventions enter the computation, each once, ascending
    private final int[] entryOf;
    private final int[] parts; // their numbers
    private final int[] numbers; // of the operation that is done to the part, or of the user's intervention
    private final int[] positions; // where the operation is done; −1 for the sweep's positions
    private final List<Positions> single; // each position of the prompt by itself
    private final boolean sampled; // whether any takes a text of a corpus
    private final int[] repeated; // the nearest earlier intervention that computes the same, or −1; null if all differ

    private SweepItems(Gpt2 model, Sweep sweep, SelectedParts selected, int[] ids) {
        this.sweep = sweep;
        this.selected = selected;
        config = model.config();
        length = ids.length;
        single = IntStream.range(0, length).mapToObj(Positions::at).toList();
        int size = countSelected();
        entryOf = new int[size];
        parts = new int[size];
        numbers = new int[size];
        positions = new int[size];
        entries = sort(list(model, ids));
        sampled = sweep.operations().stream().anyMatch(Operation.Resample.class::isInstance)
                || sweep.interventions().stream().anyMatch(Intervention::isSampled);
        repeated = allDiffer() ? null : repeated();
    }

    /** Lists all interventions on one prompt. */
    static SweepItems of(Gpt2 model, Sweep sweep, Resolver resolver, int[] ids) {
        return new SweepItems(model, sweep, SelectedParts.of(model, sweep, resolver, ids.length), ids);
    }

    private int countSelected() {
        long size = sweep.interventions().size();
        for (var family : selected.families()) {
            size += (long) family.numbers().length * sweep.operations().size() * positions(family).length;
        }
        checkCount(size);
        return (int) size;
    }

    static void checkCount(long interventions) {
        if (interventions > MOST) {
            throw new IllegalArgumentException(
                    "sweep: %,d interventions of one prompt (expected: at most %,d; choose fewer parts or positions)"
                            .formatted(interventions, MOST));
        }
    }

    private int[] positions(SelectedParts.Family family) {
        if (family.query() >= 0) {
            return new int[] {family.query()};
        }
        return sweep.positions() == Positions.EACH ? IntStream.range(0, length).toArray() : new int[] {-1};
    }

    /** Fills the columns in the order of the selection; returns the entries that {@link #entryOf} counts, from 0. */
    private List<Entry> list(Gpt2 model, int[] ids) {
        var agreement = new HashMap<Operation.From, Integer>();
        ToIntFunction<Operation.From> agree = other -> agreement.computeIfAbsent(other,
                from -> agree(ids, model.encode(from.prompt()), from.under()));
        var indices = new LinkedHashMap<Entry, Integer>();
        int operations = sweep.operations().size();
        int at = 0;
        for (var family : selected.families()) {
            int[] where = positions(family);
            var entry = new int[operations * where.length];
            for (int e = 0; e < entry.length; e++) {
                var first = computed(family.numbers()[0], e / where.length, where[e % where.length]);
                entry[e] = indices.computeIfAbsent(Entry.of(config, sweep, first, length, agree),
                        each -> indices.size());
            }
            for (int part : family.numbers()) {
                for (int e = 0; e < entry.length; e++) {
                    set(at++, part, e / where.length, where[e % where.length], entry[e]);
                }
            }
        }
        for (int i = 0; i < sweep.interventions().size(); i++) {
            set(at++, NO_PART, i, -1, indices.computeIfAbsent(
                    Entry.of(config, sweep, computed(NO_PART, i, -1), length, agree), each -> indices.size()));
        }
        return List.copyOf(indices.keySet());
    }

    /**
     * Returns the number of positions from the first on where the clean run equals another prompt's: those where the tokens
     * agree, if the same edits hold in both, at the same positions and by the same numbers.
     */
    private int agree(int[] ids, int[] others, Intervention under) {
        boolean alike = under.isEmpty() || others.length == length
                && under.list().stream().noneMatch(edit -> edit.operation() instanceof Operation.On);
        int mismatch = Arrays.mismatch(ids, others);
        return !alike || !under.equals(sweep.base()) ? 0 : mismatch < 0 ? length : mismatch;
    }

    private void set(int i, int part, int number, int position, int entry) {
        parts[i] = part;
        numbers[i] = number;
        positions[i] = position;
        entryOf[i] = entry;
    }

    /** Sorts the columns by their entries, stably, and numbers these anew; returns the new ones. */
    private Entry[] sort(List<Entry> listed) {
        var counts = new int[listed.size()];
        for (int entry : entryOf) {
            counts[entry]++;
        }
        var ascending = IntStream.range(0, counts.length).boxed().sorted(Comparator.comparing(listed::get)).toList();
        var moved = together(listed, counts, ascending);
        var sorted = new ArrayList<Entry>();
        var renumbered = new int[counts.length];
        var next = new int[counts.length]; // index of the next intervention
        int start = 0;
        for (int entry : ascending.stream().sorted(Comparator.comparing(e -> moved[e])).toList()) {
            if (sorted.isEmpty() || !sorted.getLast().equals(moved[entry])) {
                sorted.add(moved[entry]);
            }
            renumbered[entry] = sorted.size() - 1;
            next[entry] = start;
            start += counts[entry];
        }
        var to = new int[entryOf.length];
        for (int i = 0; i < to.length; i++) {
            to[i] = next[entryOf[i]]++;
            entryOf[i] = renumbered[entryOf[i]];
        }
        Stream.of(entryOf, parts, numbers, positions).forEach(column -> permute(column, to));
        return sorted.toArray(Entry[]::new);
    }

    private static void permute(int[] column, int[] to) {
        var from = column.clone();
        for (int i = 0; i < to.length; i++) {
            column[to[i]] = from[i];
        }
    }

    /**
     * Computes interventions from an earlier position on, together with others, where these have few rows alone; with at
     * most twice the rows that it needs. Returns the new entries in the order of the old.
     *
     * @param counts    of interventions
     * @param ascending indices of the entries
     */
    private Entry[] together(List<Entry> entries, int[] counts, List<Integer> ascending) {
        var moved = new Entry[counts.length];
        int first = 0;
        long count = 0; // of those from this position on
        for (int from = 0; from < counts.length;) {
            int position = entries.get(ascending.get(from)).position();
            if (from == 0 || count * (length - first) >= ENOUGH_ROWS || length - first > 2 * (length - position)) {
                first = position;
                count = 0;
            }
            for (; from < counts.length && entries.get(ascending.get(from)).position() == position; from++) {
                int entry = ascending.get(from);
                moved[entry] = entries.get(entry).from(first);
                count += counts[entry];
            }
        }
        return moved;
    }

    /** Returns whether interventions compute different things because of how they are selected. */
    private boolean allDiffer() {
        return sweep.interventions().isEmpty()
                && (sweep.parts() instanceof NeuronSelection || sweep.parts() instanceof PartSelection.OfKind);
    }

    private int[] repeated() {
        var last = new HashMap<Intervention, Integer>();
        return IntStream.range(0, count()).map(i -> {
            var earlier = last.put(computed(i), i);
            return earlier == null ? -1 : earlier;
        }).toArray();
    }

    /** Number of interventions. */
    int count() {
        return parts.length;
    }

    /** Returns the entries of all interventions, each once, ascending. */
    List<Entry> entries() {
        return List.of(entries);
    }

    Entry entry(int i) {
        return entries[entryOf[i]];
    }

    /** Returns whether an intervention enters where the one before it does. */
    boolean entersWithPrevious(int i) {
        return i > 0 && entryOf[i] == entryOf[i - 1];
    }

    /** Returns the nearest earlier intervention that computes the same; −1 if there is none. */
    int repeated(int i) {
        return repeated == null ? -1 : repeated[i];
    }

    /** Returns whether an intervention is nothing but a shift of the residual stream by a selected neuron's change. */
    boolean isShift(int i) {
        return parts[i] >= 0 && entry(i).site() == Site.RESIDUAL_POST;
    }

    /** Returns the number of the sweep's operation that is done to a selected part. */
    int operation(int i) {
        return numbers[i];
    }

    /** Returns whether two interventions do the same at the same positions to neurons of one layer. */
    boolean differInNeuron(int i, int j) {
        return parts[i] >= 0 && parts[j] >= 0 && layer(i) == layer(j) && numbers[i] == numbers[j]
                && positions[i] == positions[j];
    }

    /** Returns the layer of an intervention that is exactly one edit, of a neuron; −1 for others. */
    int layer(int i) {
        return parts[i] >= 0 ? parts[i] / config.feedForwardWidth() : neuron(edits(i)).map(Neuron::layer).orElse(-1);
    }

    /** Returns the neuron of an intervention that is exactly one edit, of a neuron; −1 for others. */
    int neuron(int i) {
        return parts[i] >= 0 ? parts[i] % config.feedForwardWidth() : neuron(edits(i)).map(Neuron::neuron).orElse(-1);
    }

    private static Optional<Neuron> neuron(Intervention edits) {
        return edits.list().size() == 1 && edits.list().getFirst().part() instanceof Neuron neuron
                ? Optional.of(neuron)
                : Optional.empty();
    }

    Intervention edits(int i) {
        return edits(parts[i], numbers[i], positions[i]);
    }

    private Intervention edits(int part, int number, int position) {
        if (part == NO_PART) {
            return sweep.interventions().get(number);
        }
        var operation = sweep.operations().get(number);
        var where = position < 0 ? sweep.positions(operation) : single.get(position);
        return new Intervention(selected.at(part).stream().map(each -> edit(each, operation, where)).toList());
    }

    /** Switching a link off is another operation than setting a vector to 0; a sweep's off means both. */
    private static Edit edit(Part part, Operation operation, Positions positions) {
        boolean off = part instanceof Link && operation instanceof Operation.Set(float value) && value == 0;
        return new Edit(part, off ? new Operation.Off() : operation, positions);
    }

    /** Returns the sites of other runs that the interventions and the sweep's base take numbers from. */
    Set<Site> sitesTaken() {
        var sites = EnumSet.noneOf(Site.class);
        add(sites, sweep.base());
        IntStream.range(0, sweep.interventions().size()).forEach(i -> add(sites, computed(NO_PART, i, -1)));
        for (var family : selected.families()) {
            int position = positions(family)[0]; // one is as good as another
            IntStream.range(0, sweep.operations().size())
                    .forEach(number -> add(sites, computed(family.numbers()[0], number, position)));
        }
        return sites;
    }

    private static void add(Set<Site> sites, Intervention edits) {
        edits.list().forEach(edit -> sites.addAll(Resolver.sitesTaken(edit)));
    }

    /** A text that an edit takes numbers from, as far as the edit's positions reach. */
    record Text(Operation.Resample operation, Positions positions) {
    }

    /** Returns the texts of corpora that an intervention takes numbers from. */
    Stream<Text> texts(int i) {
        return !sampled ? Stream.empty()
                : edits(i).list().stream().filter(edit -> edit.operation() instanceof Operation.Resample)
                        .map(edit -> new Text((Operation.Resample) edit.operation(), edit.positions()));
    }

    /** Returns whether all interventions together take at most so many texts. */
    boolean areTextsAtMost(long count) {
        return !sampled || IntStream.range(0, count()).boxed().flatMap(this::texts).distinct().limit(count + 1)
                .count() <= count;
    }

    /** Returns an intervention as it is computed: after a layer, the residual stream is that before the next. */
    Intervention computed(int i) {
        return computed(parts[i], numbers[i], positions[i]);
    }

    private Intervention computed(int part, int number, int position) {
        var edits = edits(part, number, position);
        return edits.list().size() == 1 && sweep.base().isEmpty()
                && edits.list()
                        .getFirst() instanceof Edit(Residual(int layer, Residual.Point point), var operation, var at)
                && point == Residual.Point.POST && layer < config.layers() - 1
                        ? Intervention.of(new Edit(new Residual(layer + 1, Residual.Point.PRE), operation, at))
                        : edits;
    }

    /** Returns the device memory of the tables that an intervention's edits need beside their rows, at most, in bytes. */
    long tableBytes(int i) {
        if (isShift(i) && sweep.base().isEmpty()) {
            return 0;
        }
        int first = entry(i).position();
        var edits = Stream.concat(sweep.base().list().stream(), edits(i).list().stream())
                .filter(edit -> edit.layer() >= entry(i).layer()).toList();
        long bytes = 0;
        for (var edit : edits) {
            int rows = edit.positions().count(first, length, length);
            bytes += edit.part() instanceof Neuron ? EditTable.bytes(rows)
                    : patterns(edit.part(), config.heads()).findAny().isPresent() ? 0 : RowTable.bytes(rows);
        }
        long attention = edits.stream().flatMap(edit -> patterns(edit.part(), config.heads())).distinct()
                .mapToLong(head -> head.layer() == config.layers() - 1 ? Math.min(1, length - first) : length - first)
                .sum();
        return bytes + PatternTable.bytes(attention, length);
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

    /** Checks everything about the interventions that can be wrong for the prompt, before anything is computed. */
    void check(Resolver resolver) {
        if (count() == 0) {
            throw new IllegalArgumentException(
                    "sweep: nothing selected (expected: parts with operations, or interventions)");
        }
        boolean named = sweep.parts() != null && namesParts(sweep.parts());
        int kinds = PartSelection.Kind.values().length;
        var checked = new BitSet(); // of a kind, one neuron or head is as good as another
        for (int i = 0; i < count(); i++) {
            boolean skipped = false;
            if (parts[i] != NO_PART && !named) {
                int kind = parts[i] >= 0 ? kinds
                        : PartSelection.Kind.of(selected.at(parts[i]).getFirst()).orElseThrow().ordinal();
                int combination = numbers[i] * (kinds + 1) + kind;
                skipped = checked.get(combination);
                checked.set(combination);
            }
            if (!skipped) {
                resolver.check(sweep.base().and(edits(i)));
            }
        }
    }

    private static boolean namesParts(PartSelection selection) {
        return selection instanceof PartSelection.Named
                || selection instanceof PartSelection.Several several
                        && several.selections().stream().anyMatch(SweepItems::namesParts);
    }
}
