package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.activations.SiteEdits;
import org.lmdebugger.interpret.edit.Intervention;
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
    private final Resolver resolver;
    private final TensorScope scope;
    private final Activations clean; // under the edits that always hold
    private final List<SweepItem> items;
    private final float[][] cleanCoefficients; // [T·f] of each layer where an intervention begins
    private final Tensor cleanLogits; // [1, V]; null unless KL is measured
    private final Effects cleanEffects;
    private int most = Integer.MAX_VALUE; // sequences at a time, after the device ran out of memory

    private TensorScope work; // of what chunks of the same size share
    private SweepBuffers buffers;
    private MeasureReader readout;
    private int sequences;
    private int positions;

    public SweepEngine(Gpt2 model, SweepPlan plan, int prompt) {
        this.model = model;
        this.plan = plan;
        layout = new MeasureReader.Layout(model, plan.sweep(), prompt);
        var ids = plan.prompts().get(prompt);
        length = ids.length;
        resolver = new Resolver(model, plan.references(), ids, length);
        scope = new TensorScope(model.device());
        try {
            items = SweepItem.of(model, plan.sweep(), resolver, ids);
            clean = cleanRun(ids);
            cleanCoefficients = new float[model.config().layers()][];
            cleanLogits = plan.sweep().measures().contains(Measure.kl())
                    ? scope.allocate(ElementType.F32, 1, model.config().vocabularySize())
                    : null;
            cleanEffects = new Effects(plan, 0, List.of(), 1, null);
            readClean();
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    private Activations cleanRun(int[] ids) {
        boolean shifts = items.stream().allMatch(item -> item.entry().site() == Site.RESIDUAL_POST);
        if (shifts && plan.sweep().base().isEmpty()) {
            return resolver.cleanRun();
        }
        return Activations.forward(model, ids, resolver.resolve(plan.sweep().base()),
                shifts ? Activations.Keep.NEURONS : Activations.Keep.ALL);
    }

    /** Computes the chunks of a plan from {@code firstChunk} on, one prompt after the other. */
    public static void run(Gpt2 model, SweepPlan plan, int firstChunk, Effects.Listener listener) {
        int last = plan.chunks().size();
        for (int chunk = Objects.checkIndex(firstChunk, last + 1); chunk < last;) {
            int prompt = plan.chunks().get(chunk).prompt();
            try (var engine = new SweepEngine(model, plan, prompt)) {
                for (; chunk < last && plan.chunks().get(chunk).prompt() == prompt; chunk++) {
                    if (!listener.take(engine.compute(chunk))) {
                        return;
                    }
                }
            }
        }
    }

    private void readClean() {
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var last = clean.residualPost(model.config().layers() - 1).row(length - 1);
                var normed = temporary.allocate(ElementType.F32, 1, last.columns());
                if (cleanLogits != null) {
                    model.readLogits(session, cleanLogits, last, normed, model.head());
                }
                new MeasureReader(model, session, temporary, layout, 1, cleanLogits).read(session, last, normed,
                        List.of(), cleanEffects, 0);
                items.stream().map(SweepItem::entry).filter(entry -> entry.site() == Site.RESIDUAL_POST)
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
            throw Overflow.in(clean, plan.sweep().base());
        }
    }

    /**
     * Computes chunk {@code index} of the plan; in halves, and halves of those, if the device has too little memory.
     */
    Effects compute(int index) {
        var chunk = plan.chunks().get(index);
        var chunkItems = items.subList(chunk.from(), chunk.from() + chunk.count());
        var effects = new Effects(plan, index, chunkItems, chunk.count(), cleanEffects);
        if (chunk.firstPosition() == length) {
            effects.putClean();
            return effects;
        }
        for (int from = 0; from < chunk.count();) {
            int count = Math.min(most, chunk.count() - from);
            try {
                compute(chunkItems.subList(from, from + count), effects, from);
                from += count;
            } catch (OutOfDeviceMemoryException failure) {
                if (count == 1) {
                    throw failure;
                }
                release();
                most = (count + 1) / 2;
            }
        }
        return effects;
    }

    /** Computes each different intervention once. */
    private void compute(List<SweepItem> items, Effects effects, int at) {
        var part = new ArrayList<SweepItem>();
        var numbers = new LinkedHashMap<Intervention, Integer>();
        int[] same = items.stream().mapToInt(item -> numbers
                .computeIfAbsent(item.computed(plan.sweep(), model.config().layers()), computed -> {
                    part.add(item);
                    return part.size() - 1;
                })).toArray();
        computeEach(part, List.copyOf(numbers.keySet()), effects, at);
        if (part.size() < items.size()) {
            effects.repeat(at, same);
        }
    }

    /** Computes interventions beside one without edits for each place where some of them enter, if the plan has these. */
    private void computeEach(List<SweepItem> part, List<Intervention> edits, Effects effects, int at) {
        var base = plan.sweep().base();
        var unedited = new ArrayList<Integer>(); // of each place of entry, the first
        var items = new ArrayList<SweepItem>();
        var own = new ArrayList<CompiledIntervention>();
        var all = new ArrayList<CompiledIntervention>();
        for (int i = 0; i < part.size(); i++) {
            var item = part.get(i);
            if (plan.hasUnedited() && (i == 0 || !item.entry().equals(part.get(i - 1).entry()))) {
                unedited.add(items.size());
                items.add(SweepItem.unedited(item.entry()));
                own.add(CompiledIntervention.NONE);
                all.add(base.isEmpty() ? CompiledIntervention.NONE : resolver.resolve(base));
            }
            items.add(item);
            own.add(resolver.resolve(edits.get(i)));
            all.add(base.isEmpty() ? own.getLast() : resolver.resolve(base.and(edits.get(i))));
        }
        reserve(items.size(), length - part.getFirst().entry().position());
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var walk = new Walk(session, temporary, items, own, all);
                readout.read(session, walk.run(), buffers.normed().rows(0, items.size()), unedited, effects, at);
                return null;
            });
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
        private final List<SweepItem> part;
        private final List<CompiledIntervention> own;
        private final List<CompiledIntervention> all; // with the edits that always hold
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
        private final int[] lastLayers; // the highest that is edited in the first s + 1 sequences

        Walk(Operations session, TensorScope scope, List<SweepItem> part, List<CompiledIntervention> own,
                List<CompiledIntervention> all) {
            this.session = session;
            this.scope = scope;
            this.part = part;
            this.own = own;
            this.all = all;
            edits = new SiteEdits(model, session, scope);
            lastLayers = all.stream().mapToInt(CompiledIntervention::lastLayer).toArray();
            Arrays.parallelPrefix(lastLayers, Math::max);
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
            var lowest = part.getFirst().entry();
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
            if (entered > 0 && lastLayers[entered - 1] >= layer) {
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
                        own.subList(whole, entered), length - n);
            }
            if (site == Site.Z) {
                edits.applyToAttention(layer, rows(layer), all.subList(0, entered), length - n, n);
            }
            edits.apply(site, layer, at.rows(0, (long) whole * n), all.subList(0, whole), length - n);
        }

        /** Adds the rows of the sequences whose place it is: those of the clean run, then edited. */
        private void enter(Site site, int layer) {
            int from = entered;
            int to = from;
            while (to < part.size() && part.get(to).entry().layer() == layer && part.get(to).entry().site() == site) {
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
            edits.apply(site, layer, newcomers, own.subList(from, to), length - n);
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
            boolean more = own.subList(from, to).stream().anyMatch(each -> !each.neurons(layer).isEmpty());
            for (int pass = 0; more; pass++) { // the k-th edited neuron of each intervention
                var neurons = new int[count];
                var shifts = new float[count];
                more = false;
                for (int s = from; s < to; s++) {
                    var edited = own.get(s).neurons(layer);
                    more |= edited.size() > pass + 1;
                    for (int p = 0; p < n && pass < edited.size(); p++) {
                        int position = length - n + p;
                        var change = own.get(s).at(layer, edited.get(pass), position);
                        int row = (s - from) * n + p;
                        neurons[row] = edited.get(pass);
                        float coefficient = m[position * width + neurons[row]];
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
                rows = enteredRows(layer);
                rowsLayer = layer;
                rowsEntered = entered;
            }
            return rows;
        }

        private BlockRows enteredRows(int l) {
            int count = entered * positions;
            var x = buffers.x().rows(0, count);
            var qkv = buffers.queryKeyValue().rows(0, count);
            var normed = buffers.normed().rows(0, count);
            var out = buffers.out().rows(0, count);
            if (!onlyLast(l)) {
                return BlockRows.of(x, qkv, normed, out, buffers.coefficients().rows(0, count), context(l, qkv, zero));
            }
            return BlockRows.last(x, qkv, normed, out, buffers.coefficients().rows(0, entered),
                    context(l, qkv, lastOwn), lastRows.columns(0, entered), buffers.read().rows(0, entered));
        }

        private AttentionContext context(int l, Tensor qkv, Tensor own) {
            long d = model.config().width();
            return new AttentionContext(model.config().heads(), entered, clean.keys(l).rows(0, first),
                    clean.values(l).rows(0, first), qkv.columns(d, d), qkv.columns(2 * d, d), own);
        }
    }

    @Override
    public void close() {
        release();
        scope.close();
        if (clean != null) {
            clean.close();
        }
        resolver.close();
    }
}
