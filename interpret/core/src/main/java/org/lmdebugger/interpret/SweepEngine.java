package org.lmdebugger.interpret;

import java.util.List;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Session;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.Gpt2;

/**
 * Computes a sweep of one prompt: one clean run, then, chunk by chunk, only what an edit can change. The residual
 * rows of all interventions of a chunk are resident, those with the lowest edits first. An intervention enters above
 * the layer of its lowest edit, where the residual stream is the clean one plus (m' − m)·v; from there on the rows of
 * all that have entered walk up together, attending to the clean keys and values of the positions before them.
 */
final class SweepEngine implements AutoCloseable {
    private final Gpt2 model;
    private final SweepPlan plan;
    private final Readout.Layout layout;
    private final int length;
    private final Resolver resolver;
    private final TensorScope scope;
    private final Run clean;
    private final List<SweepItem> items;
    private final float[][] cleanCoefficients; // [T·4d] of each layer where an intervention begins
    private final Tensor cleanLogits; // [1, V]; null unless KL is measured
    private final Effects cleanEffects;
    private int most = Integer.MAX_VALUE; // sequences at a time, after the device ran out of memory

    private TensorScope work; // of what chunks of the same number of positions share
    private SweepBuffers buffers;
    private Readout readout;
    private int capacity; // sequences
    private int positions;

    SweepEngine(Gpt2 model, SweepPlan plan, int prompt) {
        this.model = model;
        this.plan = plan;
        layout = new Readout.Layout(model, plan.sweep().measures());
        var ids = plan.prompts().get(prompt);
        length = ids.length;
        resolver = new Resolver(model, ids, length);
        scope = new TensorScope(model.device());
        try {
            clean = resolver.cleanRun();
            items = SweepItem.of(model, plan.sweep(), resolver, length);
            cleanCoefficients = new float[model.config().layers()][];
            cleanLogits = plan.sweep().measures().contains(Measure.kl())
                    ? scope.allocate(ElementType.F32, 1, model.config().vocabularySize()) : null;
            cleanEffects = new Effects(plan, 0, List.of(), 1, null);
            readClean();
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    private void readClean() {
        try (var temporary = new TensorScope(model.device())) {
            model.device().call(session -> {
                var last = clean.after(model.config().layers() - 1).row(length - 1);
                var normed = temporary.allocate(ElementType.F32, 1, last.columns());
                if (cleanLogits != null) {
                    model.readLogits(session, cleanLogits, last, normed, model.head());
                }
                new Readout(model, session, temporary, layout, 1, cleanLogits).read(session, last, normed, cleanEffects, 0);
                items.stream().mapToInt(SweepItem::firstLayer).distinct().forEach(l -> {
                    var coefficients = clean.coefficients(l);
                    cleanCoefficients[l] = new float[Math.toIntExact(coefficients.rows() * coefficients.columns())];
                    session.download(cleanCoefficients[l], coefficients);
                });
                return null;
            });
        }
    }

    /** Computes chunk {@code index} of the plan; in halves, and halves of those, if the device has too little memory. */
    Effects compute(int index) {
        var chunk = plan.chunks().get(index);
        var chunkItems = items.subList(chunk.from(), chunk.from() + chunk.count());
        var effects = new Effects(plan, index, chunkItems, chunk.count(), cleanEffects);
        for (int from = 0; from < chunk.count(); ) {
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
            model.device().call(session -> {
                var walk = new Walk(session, temporary, buffers.of(part.size(), positions), part, interventions, positions);
                readout.read(session, walk.run(), buffers.normed().rows(0, part.size()), effects, at);
                return null;
            });
        }
    }

    /** Has buffers ready that are large enough: those of the chunk before, if they are. */
    private void reserve(int sequences, int positions) {
        if (sequences <= capacity && positions == this.positions) {
            return;
        }
        release();
        work = new TensorScope(model.device());
        buffers = SweepBuffers.of(work, model.config(), sequences, positions);
        readout = model.device().call(session -> new Readout(model, session, work, layout, sequences, cleanLogits));
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
        private final Session session;
        private final TensorScope scope;
        private final SweepBuffers buffers;
        private final List<SweepItem> part;
        private final List<Intervention> interventions;
        private final int positions; // of a sequence, n
        private final int first; // position of a sequence's first row
        private final int top = model.config().layers() - 1;
        private final Tensor zero;
        private final Tensor lastOwn; // [1, 1]: own positions before the last

        Walk(Session session, TensorScope scope, SweepBuffers buffers, List<SweepItem> part,
             List<Intervention> interventions, int positions) {
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
        Tensor run() {
            uploadRows();
            int entered = 0;
            for (int l = 0; l <= top; l++) {
                if (entered > 0 && l == top && positions > 1) {
                    topLayer(entered);
                    return buffers.read();
                } else if (entered > 0) {
                    layer(l, entered);
                }
                int from = entered;
                while (entered < part.size() && part.get(entered).firstLayer() == l) {
                    entered++;
                }
                if (entered > from) {
                    enter(l, from, entered);
                }
            }
            return buffers.x(); // of one position each
        }

        private void uploadRows() {
            var rows = new int[part.size() * positions];
            for (int r = 0; r < rows.length; r++) {
                rows[r] = first + r % positions;
            }
            session.upload(buffers.rows(), rows);
        }

        /** The rows of sequences {@code from} … {@code to}−1 after their lowest layer: clean, and shifted. */
        private void enter(int layer, int from, int to) {
            int start = from * positions;
            int count = (to - from) * positions;
            var x = buffers.x().rows(start, count);
            session.gatherRows(x, clean.after(layer), buffers.rows().columns(start, count));
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
                session.shiftResidual(x, buffers.shifts().columns(start, count), buffers.neurons().columns(start, count),
                        model.layer(layer).values());
            }
        }

        /** One layer for all rows of the first {@code sequences}. */
        private void layer(int l, int sequences) {
            int count = sequences * positions;
            var x = buffers.x().rows(0, count);
            var qkv = buffers.queryKeyValue().rows(0, count);
            var work = new Gpt2.Buffers(buffers.normed().rows(0, count), buffers.out().rows(0, count));
            model.project(session, l, qkv, x, work);
            model.attend(session, l, x, qkv.columns(0, x.columns()), context(l, sequences, qkv, zero), work);
            feedForward(l, sequences, positions, x, work);
        }

        /** The top layer: keys and values of all rows, and the rest of the row that is read. */
        private void topLayer(int sequences) {
            int count = sequences * positions;
            long d = model.config().width();
            var layer = model.layer(top);
            var lastRows = new int[sequences];
            for (int s = 0; s < sequences; s++) {
                lastRows[s] = s * positions + positions - 1;
            }
            var last = buffers.rows().columns(0, sequences);
            session.upload(last, lastRows);
            var qkv = buffers.queryKeyValue().rows(0, count);
            var normed = buffers.normed().rows(0, count);
            session.layerNorm(normed, buffers.x().rows(0, count), layer.ln1Gain(), layer.ln1Bias(), model.config().epsilon());
            session.multiply(qkv.columns(d, 2 * d), normed, layer.queryKeyValue().columns(d, 2 * d));
            session.addBias(qkv.columns(d, 2 * d), layer.queryKeyBias().columns(d, 2 * d));
            var work = new Gpt2.Buffers(buffers.normed().rows(0, sequences), buffers.out().rows(0, sequences));
            var queries = qkv.rows(0, sequences).columns(0, d);
            session.gatherRows(work.out(), normed, last);
            session.multiply(queries, work.out(), layer.queryKeyValue().columns(0, d));
            session.addBias(queries, layer.queryKeyBias().columns(0, d));
            var x = buffers.read().rows(0, sequences);
            session.gatherRows(x, buffers.x().rows(0, count), last);
            model.attend(session, top, x, queries, context(top, sequences, qkv, lastOwn), work);
            feedForward(top, sequences, 1, x, work);
        }

        private AttentionContext context(int l, int sequences, Tensor qkv, Tensor own) {
            long d = model.config().width();
            return new AttentionContext(model.config().heads(), sequences, clean.keys(l).rows(0, first), clean.values(l).rows(0, first),
                    qkv.columns(d, d), qkv.columns(2 * d, d), own);
        }

        /** @param rows rows of a sequence: all of its positions, or only the last */
        private void feedForward(int l, int sequences, int rows, Tensor x, Gpt2.Buffers work) {
            var m = buffers.coefficients().rows(0, x.rows());
            model.activate(session, l, m, x, work);
            var entries = EditTable.entries(interventions.subList(0, sequences), l, length - rows, rows);
            if (!entries.isEmpty()) {
                new EditTable(scope, session, entries).apply(session, m);
            }
            model.update(session, l, x, m, work);
        }
    }

    @Override
    public void close() {
        release();
        scope.close();
        resolver.close();
    }
}
