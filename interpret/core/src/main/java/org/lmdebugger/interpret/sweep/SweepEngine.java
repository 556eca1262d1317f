package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.CompiledIntervention.LayerChange;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.activations.SiteEdits;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * Computes a sweep of one prompt: one clean run, then, chunk by chunk, only what an edit can change. The residual
 * rows of all interventions of a chunk are resident, those with the lowest edits first. An intervention enters at the
 * site of its lowest edit ({@link Entry}), with the clean run's rows there; for a neuron that is the residual stream
 * after its layer, plus (m' − m)·v. From there on the rows of all that have entered walk up together, attending to the
 * clean keys and values of the positions before them.
 */
public final class SweepEngine implements AutoCloseable {
    private final Gpt2 model;
    private final SweepPlan plan;
    private final MeasureReader.Layout layout;
    private final int length;
    private final Resolver resolver; // of the interventions
    private final Resolver always; // of the edits that always hold
    private final TensorScope scope;
    private final Activations clean; // under the edits that always hold
    private final SweepItems items;
    private final CompiledIntervention base;
    private final float[][] cleanCoefficients; // [T·f] of each layer where an intervention begins
    private final Tensor cleanLogits; // [1, V]; null unless KL is measured
    private final Effects cleanEffects;
    private int most = Integer.MAX_VALUE; // sequences at a time, after the device ran out of memory

    private TensorScope work; // of what chunks of the same size share
    private SweepBuffers buffers;
    private MeasureReader readout;
    private int sequences;
    private int positions;

    /** @param runs that are closed after the engine */
    SweepEngine(Gpt2 model, SweepPlan plan, int prompt, CleanRuns runs) {
        this.model = model;
        this.plan = plan;
        layout = new MeasureReader.Layout(model, plan.sweep(), prompt);
        var ids = plan.prompts().get(prompt);
        length = ids.length;
        resolver = new Resolver(model, plan.references(), ids, runs);
        always = new Resolver(model, plan.references(), ids, runs);
        scope = new TensorScope(model.device());
        try {
            items = SweepItems.of(model, plan.sweep(), resolver, ids);
            var taken = items.sitesTaken();
            resolver.keep(taken);
            always.keep(taken);
            base = always.resolve(plan.sweep().base());
            clean = runs.of(ids, plan.sweep().base(), plan.references(), sites());
            cleanCoefficients = new float[model.config().layers()][];
            cleanLogits = plan.sweep().measures().contains(Measure.kl())
                    ? scope.allocate(ElementType.F32, 1, model.config().vocabularySize())
                    : null;
            cleanEffects = new Effects(plan, 0, items, 0, 1, null);
            readClean(ids);
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    /** Returns the sites of the clean run whose rows the interventions enter with. */
    private Set<Site> sites() {
        var sites = EnumSet.copyOf(Activations.Keep.KEYS_AND_VALUES.sites());
        for (var entry : items.entries()) {
            sites.add(entry.site());
            switch (entry.site()) {
                case QUERY, Z, ATTENTION_OUT -> sites.add(Site.RESIDUAL_PRE);
                case COEFFICIENTS, FFN_OUT -> sites.add(Site.RESIDUAL_MID);
                case RESIDUAL_POST -> sites.add(Site.COEFFICIENTS);
                default -> {}
            }
        }
        return sites;
    }

    /** Computes the chunks of a plan from {@code firstChunk} on, one prompt after the other. */
    public static void run(Gpt2 model, SweepPlan plan, int firstChunk, Effects.Listener listener) {
        int last = plan.chunks().size();
        for (int chunk = Objects.checkIndex(firstChunk, last + 1); chunk < last;) {
            int prompt = plan.chunks().get(chunk).prompt();
            int next = chunk;
            while (next < last && plan.chunks().get(next).prompt() == prompt) {
                next++;
            }
            try (var runs = new CleanRuns(model)) {
                if (!run(model, plan, chunk, next, runs, listener)) {
                    return;
                }
            }
            chunk = next;
        }
    }

    /**
     * Computes the chunks {@code from} to {@code to} − 1 of a plan, which are of one prompt.
     *
     * @param runs clean runs that are there, and that others read later
     * @return whether the listener wants more
     */
    public static boolean run(Gpt2 model, SweepPlan plan, int from, int to, CleanRuns runs,
            Effects.Listener listener) {
        try (var engine = new SweepEngine(model, plan, plan.chunks().get(from).prompt(), runs)) {
            for (int chunk = from; chunk < to; chunk++) {
                if (!listener.take(engine.compute(chunk))) {
                    return false;
                }
            }
        }
        return true;
    }

    private void readClean(int[] ids) {
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var last = clean.residualPost(model.config().layers() - 1).row(length - 1);
                var normed = temporary.allocate(ElementType.F32, 1, last.columns());
                new MeasureReader(model, session, temporary, layout, 1, cleanLogits).readClean(session, last, normed,
                        cleanEffects);
                items.entries().stream().filter(entry -> entry.site() == Site.RESIDUAL_POST)
                        .mapToInt(Entry::layer).distinct().forEach(l -> {
                            var coefficients = clean.coefficients(l);
                            cleanCoefficients[l] = new float[Math
                                    .toIntExact(coefficients.rows() * coefficients.columns())];
                            session.fetch(cleanCoefficients[l], coefficients);
                        });
                return null;
            });
        }
        if (!cleanEffects.isFinite()) {
            throw Overflow.in(model, ids, base, plan.sweep().base());
        }
    }

    /**
     * Computes chunk {@code index} of the plan; in halves, and halves of those, if the device has too little memory.
     */
    Effects compute(int index) {
        var chunk = plan.chunks().get(index);
        var effects = new Effects(plan, index, items, chunk.from(), chunk.count(), cleanEffects);
        if (chunk.firstPosition() == length) {
            effects.putClean();
            return effects;
        }
        var event = new ChunkEvent();
        event.begin();
        for (int from = 0; from < chunk.count();) {
            int count = Math.min(most, chunk.count() - from);
            try {
                compute(chunk.from() + from, count, effects, from);
                from += count;
            } catch (OutOfDeviceMemoryException failure) {
                if (count == 1) {
                    throw failure;
                }
                release();
                resolver.releaseTexts();
                most = (count + 1) / 2;
            }
        }
        if (!plan.keepsTexts()) {
            resolver.releaseTexts();
        }
        event.end();
        if (event.shouldCommit()) {
            event.device = model.device().name();
            event.chunk = index;
            event.prompt = chunk.prompt();
            event.interventions = chunk.count();
            event.rows = (long) chunk.count() * (length - chunk.firstPosition());
            event.commit();
        }
        return effects;
    }

    /** Computes each different intervention once. */
    private void compute(int from, int count, Effects effects, int at) {
        var different = new int[count];
        var same = new int[count]; // place of each intervention among the different ones
        int computed = 0;
        for (int i = 0; i < count; i++) {
            int earlier = items.repeated(from + i);
            if (earlier >= from) {
                same[i] = same[earlier - from];
            } else {
                same[i] = computed;
                different[computed++] = from + i;
            }
        }
        computeEach(Arrays.copyOf(different, computed), effects, at);
        if (computed < count) {
            effects.repeat(at, same);
        }
    }

    /** Computes interventions beside one without edits for each place where some of them enter, if the plan has these. */
    private void computeEach(int[] interventions, Effects effects, int at) {
        var unedited = new ArrayList<Integer>(); // of each place of entry, the first
        var sequences = new int[interventions.length + (plan.hasUnedited() ? items.entries().size() : 0)];
        int count = 0;
        for (int i = 0; i < interventions.length; i++) {
            int item = interventions[i];
            if (plan.hasUnedited() && (i == 0 || !items.entry(item).equals(items.entry(interventions[i - 1])))) {
                unedited.add(count);
                sequences[count++] = -1 - item;
            }
            sequences[count++] = item;
        }
        var part = new Sequences(Arrays.copyOf(sequences, count));
        reserve(count, length - part.entry(0).position());
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var walk = new Walk(session, temporary, part);
                readout.read(session, walk.run(), buffers.normed().rows(0, part.size()), unedited, effects, at);
                return null;
            });
        }
    }

    /** The sequences of one part of a chunk: each a copy of the prompt under an intervention, or under none. */
    private final class Sequences {
        private final int[] interventions; // −1 − i: none, entering where i does
        private final LayerChange[] shifts; // of sequences that are only shifted where they enter; null of others
        private final List<CompiledIntervention> own; // edits but for such shifts
        private final List<CompiledIntervention> all; // with the edits that always hold
        private final int[] last; // place that is edited in the first s + 1 sequences

        Sequences(int[] interventions) {
            this.interventions = interventions;
            int size = interventions.length;
            shifts = new LayerChange[size];
            own = new ArrayList<>(Collections.nCopies(size, CompiledIntervention.NONE));
            all = new ArrayList<>(Collections.nCopies(size, base));
            last = new int[size];
            var latest = new int[plan.sweep().operations().size()]; // sequence that each operation shifts, plus 1
            for (int s = 0; s < size; s++) {
                int i = interventions[s];
                if (i >= 0 && items.isShift(i)) {
                    int like = latest[items.operation(i)] - 1;
                    shifts[s] = like >= 0 && items.differInNeuron(i, interventions[like]) ? shifts[like]
                            : change(items.edits(i).list().getFirst());
                    latest[items.operation(i)] = s + 1;
                } else if (i >= 0) {
                    var edits = items.computed(i);
                    own.set(s, resolver.resolve(edits));
                    all.set(s, plan.sweep().base().isEmpty() ? own.get(s)
                            : resolver.resolve(plan.sweep().base().and(edits)));
                }
                last[s] = Math.max(s == 0 ? -1 : last[s - 1], all.get(s).last());
            }
        }

        /** Returns whether any of the first {@code count} sequences is edited at a site of a layer, or after it. */
        boolean areEdited(int count, Site site, int layer) {
            return count > 0 && last[count - 1] >= CompiledIntervention.place(site, layer);
        }

        /** Returns what an edit does to the neurons of its layer; null at positions where it does not hold. */
        private LayerChange change(Edit edit) {
            var change = resolver.change(edit);
            var holds = new boolean[length];
            for (int position = 0; position < length; position++) {
                holds[position] = edit.positions().contains(position, length);
            }
            return (position, neuron) -> holds[position] ? change.at(position, neuron) : null;
        }

        int size() {
            return interventions.length;
        }

        Entry entry(int s) {
            return items.entry(interventions[s] < 0 ? -1 - interventions[s] : interventions[s]);
        }

        /** Returns how many neurons of a layer are changed in a sequence that enters after it. */
        int neurons(int s, int layer) {
            return shifts[s] == null ? own.get(s).neurons(layer).size() : 1;
        }

        /** Returns the k-th of them. */
        int neuron(int s, int layer, int k) {
            return shifts[s] == null ? own.get(s).neurons(layer).get(k) : items.neuron(interventions[s]);
        }

        /** Returns the change of such neurons; null at positions where there is none. */
        LayerChange change(int s, int layer) {
            return shifts[s] == null ? (position, neuron) -> own.get(s).at(layer, neuron, position) : shifts[s];
        }
    }

    /** Reserves buffers: those of the previous chunk if it is as large; larger ones may not fit beside its tables. */
    private void reserve(int sequences, int positions) {
        if (sequences == this.sequences && positions == this.positions) {
            return;
        }
        release();
        work = new TensorScope(model.device());
        buffers = SweepBuffers.of(work, model.config(), sequences, positions);
        readout = model.call(session -> new MeasureReader(model, session, work, layout, sequences, cleanLogits));
        this.sequences = sequences;
        this.positions = positions;
    }

    private void release() {
        sequences = 0;
        if (work != null) {
            work.close();
        }
    }

    /** One part of a chunk on its way up the layers. */
    private final class Walk {
        private final Operations session;
        private final TensorScope scope;
        private final Sequences part;
        private final SiteEdits edits;
        private final int first; // position of a sequence's first row
        private final int top = model.config().layers() - 1;
        private final Tensor zero;
        private final Tensor lastOwn; // [1, 1]: own positions before the last
        private final Tensor lastRows; // [1, S]: rows of the last positions
        private int entered; // sequences
        private int enteredAtQuery; // of these, the last ones, in the present layer
        private BlockRows rows; // of the sequences that have entered
        private int rowsLayer = -1;
        private int rowsEntered;

        Walk(Operations session, TensorScope scope, Sequences part) {
            this.session = session;
            this.scope = scope;
            this.part = part;
            edits = new SiteEdits(model, session, scope);
            first = length - positions;
            zero = scope.vector(session, 0);
            lastOwn = scope.vector(session, positions - 1);
            lastRows = scope.vector(session,
                    IntStream.range(0, part.size()).map(s -> s * positions + positions - 1).toArray());
        }

        /** Returns the residual stream of each sequence's last position after the last layer, [S, d]. */
        public Tensor run() {
            session.upload(buffers.rows(),
                    IntStream.range(0, part.size() * positions).map(r -> first + r % positions).toArray());
            var lowest = part.entry(0);
            boolean above = lowest.site() == Site.RESIDUAL_POST;
            if (above) {
                enter(Site.RESIDUAL_POST, lowest.layer());
            }
            model.forward(session, lowest.layer() + (above ? 1 : 0), this::rows, this::at);
            return onlyLast(top) ? buffers.read() : buffers.x();
        }

        /** Returns whether of each sequence only the last row goes on after keys and values: in the top layer. */
        private boolean onlyLast(int layer) {
            return layer == top && positions > 1;
        }

        private void at(Site site, int layer, Tensor at) {
            if (part.areEdited(entered, site, layer)) {
                edit(site, layer, at);
            }
            enter(site, layer);
        }

        /** Edits the rows of the sequences that have entered before. */
        private void edit(Site site, int layer, Tensor at) {
            int n = (int) at.rows() / entered;
            int whole = entered;
            if (site == Site.KEY || site == Site.VALUE) { // others are in clean rows already but for their own edits
                whole = entered - enteredAtQuery;
                edits.apply(site, layer, at.rows((long) whole * n, (long) enteredAtQuery * n),
                        part.own.subList(whole, entered), length - n);
            }
            if (site == Site.Z) {
                edits.applyToAttention(layer, rows(layer), part.all.subList(0, entered), length - n, n);
            }
            if (part.areEdited(whole, site, layer)) {
                edits.apply(site, layer, at.rows(0, (long) whole * n), part.all.subList(0, whole), length - n);
            }
        }

        /** Adds the rows of the sequences whose place it is: those of the clean run, then edited. */
        private void enter(Site site, int layer) {
            int from = entered;
            int to = from;
            while (to < part.size() && part.entry(to).layer() == layer && part.entry(to).site() == site) {
                to++;
            }
            enteredAtQuery = site == Site.QUERY ? to - from
                    : site == Site.KEY || site == Site.VALUE ? enteredAtQuery : 0;
            if (to == from) {
                return;
            }
            entered = to;
            int n = site != Site.RESIDUAL_PRE && onlyLast(layer) ? 1 : positions; // rows of a sequence
            var present = rows(layer);
            switch (site) {
                case RESIDUAL_PRE -> gather(present, site, layer, Site.RESIDUAL_PRE, from, n);
                case QUERY -> {
                    gather(present, Site.RESIDUAL_MID, layer, Site.RESIDUAL_PRE, from, n);
                    gather(present, Site.QUERY, layer, Site.QUERY, from, n);
                    gather(present, Site.KEY, layer, Site.KEY, from, positions);
                    gather(present, Site.VALUE, layer, Site.VALUE, from, positions);
                }
                case Z, ATTENTION_OUT -> {
                    gather(present, Site.RESIDUAL_MID, layer, Site.RESIDUAL_PRE, from, n);
                    gather(present, site, layer, site, from, n);
                }
                case COEFFICIENTS, FFN_OUT -> {
                    gather(present, Site.RESIDUAL_MID, layer, Site.RESIDUAL_MID, from, n);
                    gather(present, site, layer, site, from, n);
                }
                default -> gather(present, site, layer, site, from, n);
            }
            var newcomers = present.at(site).rows((long) from * n, (long) (to - from) * n);
            if (site == Site.RESIDUAL_POST) {
                shift(layer, from, to, n, newcomers);
            }
            if (IntStream.range(from, to).anyMatch(s -> part.own.get(s) != CompiledIntervention.NONE)) {
                edits.apply(site, layer, newcomers, part.own.subList(from, to), length - n);
            }
        }

        /** Fills the rows of the sequences from {@code from} on at a site with those of the clean run. */
        private void gather(BlockRows present, Site to, int layer, Site clean, int from, int n) {
            int start = from * n;
            int count = (entered - from) * n;
            var at = n == positions ? buffers.rows().columns(start, count)
                    : scope.vector(session, IntStream.range(0, count).map(r -> length - 1).toArray());
            session.gatherRows(present.at(to).rows(start, count), SweepEngine.this.clean.at(clean, layer), at);
        }

        /** Shifts the residual stream after a layer by (m' − m)·v for each edited neuron of the layer. */
        private void shift(int layer, int from, int to, int n, Tensor x) {
            int start = from * n;
            int count = (to - from) * n;
            var m = cleanCoefficients[layer];
            int width = model.config().feedForwardWidth();
            int passes = IntStream.range(from, to).map(s -> part.neurons(s, layer)).max().orElse(0);
            for (int pass = 0; pass < passes; pass++) { // the k-th edited neuron of each intervention
                var neurons = new int[count];
                var shifts = new float[count];
                for (int s = from; s < to; s++) {
                    if (pass >= part.neurons(s, layer)) {
                        continue;
                    }
                    int neuron = part.neuron(s, layer, pass);
                    var changes = part.change(s, layer);
                    for (int p = 0, row = (s - from) * n; p < n; p++, row++) {
                        int position = length - n + p;
                        var change = changes.at(position, neuron);
                        float coefficient = m[position * width + neuron];
                        neurons[row] = neuron;
                        shifts[row] = change == null ? 0 : change.apply(coefficient) - coefficient;
                    }
                }
                session.upload(buffers.neurons().columns(start, count), neurons);
                session.upload(buffers.shifts().columns(start, count), shifts);
                session.shiftResidual(x, buffers.shifts().columns(start, count),
                        buffers.neurons().columns(start, count), model.layer(layer).ffnOut());
            }
        }

        /** Returns the rows of the sequences that have entered; in the top layer the last of each alone goes on. */
        private BlockRows rows(int layer) {
            if (rowsLayer != layer || rowsEntered != entered) {
                rows = onlyLast(layer) ? buffers.entered(clean, layer, entered, positions, lastRows, lastOwn)
                        : buffers.entered(clean, layer, entered, positions, null, zero);
                rowsLayer = layer;
                rowsEntered = entered;
            }
            return rows;
        }
    }

    @Override
    public void close() {
        release();
        scope.close();
        resolver.close();
        always.close();
    }
}
