package org.lmdebugger.interpret.sweep;

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
import org.lmdebugger.interpret.activations.EditTable;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * Computes a sweep of one prompt: one clean run, then, chunk by chunk, only what an edit can change. The residual
 * rows of all interventions of a chunk are resident, those with the lowest edits first. An intervention enters above
 * the layer of its lowest edit, where the residual stream is the clean one plus (m' − m)·v; from there on the rows of
 * all that have entered walk up together, attending to the clean keys and values of the positions before them.
 */
public final class SweepEngine implements AutoCloseable {
    private final Gpt2 model;
    private final SweepPlan plan;
    private final MeasureReader.Layout layout;
    private final int length;
    private final Resolver resolver;
    private final TensorScope scope;
    private final Activations clean;
    private final List<SweepItem> items;
    private final float[][] cleanCoefficients; // [T·f] of each layer where an intervention begins
    private final Tensor cleanLogits; // [1, V]; null unless KL is measured
    private final Effects cleanEffects;
    private int most = Integer.MAX_VALUE; // sequences at a time, after the device ran out of memory

    private TensorScope work; // of what chunks of the same number of positions share
    private SweepBuffers buffers;
    private MeasureReader readout;
    private int capacity; // sequences
    private int positions;

    public SweepEngine(Gpt2 model, SweepPlan plan, int prompt) {
        this.model = model;
        this.plan = plan;
        layout = new MeasureReader.Layout(model, plan.sweep(), prompt);
        var ids = plan.prompts().get(prompt);
        length = ids.length;
        resolver = new Resolver(model, ids, length);
        scope = new TensorScope(model.device());
        try {
            clean = resolver.cleanRun();
            items = SweepItem.of(model, plan.sweep(), resolver, length);
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
                        cleanEffects, 0);
                items.stream().mapToInt(SweepItem::firstLayer).distinct().forEach(l -> {
                    var coefficients = clean.coefficients(l);
                    cleanCoefficients[l] = new float[Math.toIntExact(coefficients.rows() * coefficients.columns())];
                    session.download(cleanCoefficients[l], coefficients);
                });
                return null;
            });
        }
        if (!cleanEffects.isFinite()) {
            throw Overflow.in(clean, Intervention.NONE);
        }
    }

    /**
     * Computes chunk {@code index} of the plan; in halves, and halves of those, if the device has too little memory.
     */
    Effects compute(int index) {
        var chunk = plan.chunks().get(index);
        var chunkItems = items.subList(chunk.from(), chunk.from() + chunk.count());
        var effects = new Effects(plan, index, chunkItems, chunk.count(), cleanEffects);
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

    private void compute(List<SweepItem> part, Effects effects, int at) {
        var interventions = part.stream().map(item -> resolver.resolve(item.edits(plan.sweep()))).toList();
        reserve(part.size(), length - part.getFirst().firstPosition());
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var walk = new Walk(session, temporary, buffers.of(part.size(), positions), part, interventions,
                        positions);
                readout.read(session, walk.run(), buffers.normed().rows(0, part.size()), effects, at);
                return null;
            });
        }
    }

    /** Reserves buffers that are large enough: those of the previous chunk, if possible. */
    private void reserve(int sequences, int positions) {
        if (sequences <= capacity && positions == this.positions) {
            return;
        }
        release();
        work = new TensorScope(model.device());
        buffers = SweepBuffers.of(work, model.config(), sequences, positions);
        readout = model.call(session -> new MeasureReader(model, session, work, layout, sequences, cleanLogits));
        capacity = sequences;
        this.positions = positions;
    }

    private void release() {
        capacity = 0;
        if (work != null) {
            work.close();
        }
    }

    /** One part of a chunk on its way up the layers. */
    private final class Walk {
        private final Operations session;
        private final TensorScope scope;
        private final SweepBuffers buffers;
        private final List<SweepItem> part;
        private final List<CompiledIntervention> interventions;
        private final int positions; // of a sequence, n
        private final int first; // position of a sequence's first row
        private final int top = model.config().layers() - 1;
        private final Tensor zero;
        private final Tensor lastOwn; // [1, 1]: own positions before the last
        private int entered; // sequences

        Walk(Operations session, TensorScope scope, SweepBuffers buffers, List<SweepItem> part,
                List<CompiledIntervention> interventions, int positions) {
            this.session = session;
            this.scope = scope;
            this.buffers = buffers;
            this.part = part;
            this.interventions = interventions;
            this.positions = positions;
            first = length - positions;
            zero = scope.vector(session, 0);
            lastOwn = scope.vector(session, positions - 1);
        }

        /** Returns the residual stream of each sequence's last position after the last layer, [S, d]. */
        public Tensor run() {
            uploadRows();
            int lowest = part.getFirst().firstLayer();
            enter(lowest);
            boolean all = positions == 1 || lowest == top; // in the last block one row of each sequence is read
            model.forward(session, lowest + 1, l -> rows(l, l < top || all), this::at);
            return all ? buffers.x() : buffers.read();
        }

        private void at(Site site, int layer, Tensor rows) {
            switch (site) {
                case COEFFICIENTS -> edit(layer, (int) rows.rows() / entered, rows);
                case RESIDUAL_POST -> enter(layer);
                default -> {}
            }
        }

        private void uploadRows() {
            var rows = new int[part.size() * positions];
            for (int r = 0; r < rows.length; r++) {
                rows[r] = first + r % positions;
            }
            session.upload(buffers.rows(), rows);
        }

        /** Adds the rows of the sequences whose lowest layer is this one as they are after it: clean, and shifted. */
        private void enter(int layer) {
            int from = entered;
            int to = from;
            while (to < part.size() && part.get(to).firstLayer() == layer) {
                to++;
            }
            if (to == from) {
                return;
            }
            entered = to;
            int start = from * positions;
            int count = (to - from) * positions;
            var x = buffers.x().rows(start, count);
            session.gatherRows(x, clean.residualPost(layer), buffers.rows().columns(start, count));
            var m = cleanCoefficients[layer];
            int width = model.config().feedForwardWidth();
            boolean more = true;
            for (int pass = 0; more; pass++) { // the k-th edited neuron of each intervention
                var neurons = new int[count];
                var shifts = new float[count];
                more = false;
                for (int s = from; s < to; s++) {
                    var edited = interventions.get(s).neurons(layer);
                    more |= edited.size() > pass + 1;
                    for (int p = 0; p < positions && pass < edited.size(); p++) {
                        var change = interventions.get(s).at(layer, edited.get(pass), first + p);
                        int row = (s - from) * positions + p;
                        neurons[row] = edited.get(pass);
                        float coefficient = m[(first + p) * width + neurons[row]];
                        shifts[row] = change == null ? 0 : change.apply(coefficient) - coefficient;
                    }
                }
                session.upload(buffers.neurons().columns(start, count), neurons);
                session.upload(buffers.shifts().columns(start, count), shifts);
                session.shiftResidual(x, buffers.shifts().columns(start, count),
                        buffers.neurons().columns(start, count),
                        model.layer(layer).ffnOut());
            }
        }

        /** Returns the rows of the sequences that have entered; if not {@code all}, the last of each alone goes on. */
        private BlockRows rows(int l, boolean all) {
            int count = entered * positions;
            var x = buffers.x().rows(0, count);
            var qkv = buffers.queryKeyValue().rows(0, count);
            var normed = buffers.normed().rows(0, count);
            var out = buffers.out().rows(0, count);
            if (all) {
                return BlockRows.of(x, qkv, normed, out, buffers.coefficients().rows(0, count), context(l, qkv, zero));
            }
            var last = buffers.rows().columns(0, entered);
            session.upload(last, IntStream.range(0, entered).map(s -> s * positions + positions - 1).toArray());
            return BlockRows.last(x, qkv, normed, out, buffers.coefficients().rows(0, entered),
                    context(l, qkv, lastOwn),
                    last, buffers.read().rows(0, entered));
        }

        private AttentionContext context(int l, Tensor qkv, Tensor own) {
            long d = model.config().width();
            return new AttentionContext(model.config().heads(), entered, clean.keys(l).rows(0, first),
                    clean.values(l).rows(0, first),
                    qkv.columns(d, d), qkv.columns(2 * d, d), own);
        }

        /** @param rows rows of a sequence: all of its positions, or only the last */
        private void edit(int l, int rows, Tensor m) {
            var entries = EditTable.entries(interventions.subList(0, entered), l, length - rows, rows);
            if (!entries.isEmpty()) {
                new EditTable(scope, session, entries).apply(session, m);
            }
        }
    }

    @Override
    public void close() {
        release();
        scope.close();
        resolver.close();
    }
}
