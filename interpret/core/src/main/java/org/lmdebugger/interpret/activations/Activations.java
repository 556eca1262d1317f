package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;

/**
 * The activations of one forward pass of a prompt, kept on the device: read them with {@link Tensor#toFloats()} or
 * {@link Tensor#copyTo}, or use it in further device operations ({@link org.lmdebugger.device.Device#call}). T is the
 * number of the prompt's tokens. The tensors are the run's own and read-only; they end with {@link #close()},
 * and the run with its model. A run may be read from any thread.
 */
public final class Activations implements AutoCloseable {
    private final Gpt2 model;
    private final int[] ids;
    private final TensorScope scope;
    private final List<Tensor> queryKeyValue = new ArrayList<>(); // [T, 3d] a layer
    private final List<Tensor> residualMid = new ArrayList<>(); // [T, d]
    private final List<Tensor> coefficients = new ArrayList<>(); // [T, f]
    private final List<Tensor> residualPost = new ArrayList<>(); // [T, d]

    /** The part of a forward pass that is kept. */
    public enum Keep {
        /** Everything that {@link Activations} offers. */
        ALL,
        /** Keys, values and the residual stream after the last layer: what generation goes on from. */
        KEYS_AND_VALUES
    }

    private Activations(Gpt2 model, int[] ids, TensorScope scope) {
        this.model = model;
        this.ids = ids;
        this.scope = scope;
    }

    public static Activations forward(Gpt2 model, int[] ids, CompiledIntervention intervention, Keep keep) {
        var scope = new TensorScope(model.device());
        try {
            var run = new Activations(model, ids, scope);
            model.call(session -> {
                run.compute(session, intervention, keep == Keep.ALL);
                return null;
            });
            return run;
        } catch (Throwable failure) {
            scope.close();
            throw failure;
        }
    }

    private void compute(Operations session, CompiledIntervention intervention, boolean keepAll) {
        int length = ids.length;
        long d = model.config().width();
        int width = model.config().feedForwardWidth();
        try (var temporary = new TensorScope(model.device())) {
            var x = (keepAll ? temporary : scope).allocate(ElementType.F32, length, d);
            var normed = temporary.allocate(ElementType.F32, length, d);
            var out = temporary.allocate(ElementType.F32, length, d);
            var none = temporary.allocate(ElementType.F32, 0, d);
            var zero = temporary.vector(session, 0);
            Tensor shared = keepAll ? null : temporary.allocate(ElementType.F32, length, width);
            model.embed(session, x, temporary.vector(session, ids),
                    temporary.vector(session, IntStream.range(0, length).toArray()));
            model.forward(session, 0, l -> {
                queryKeyValue.add(scope.allocate(ElementType.F32, length, 3 * d));
                coefficients.add(keepAll ? scope.allocate(ElementType.F32, length, width) : shared);
                return BlockRows.of(x, queryKeyValue.get(l), normed, out, coefficients.get(l), new AttentionContext(
                        model.config().heads(), 1, none, none, keys(l), values(l), zero));
            }, (site, l, rows) -> {
                switch (site) {
                    case RESIDUAL_MID -> residualMid.add(keepAll ? copyOf(session, rows) : rows);
                    case COEFFICIENTS -> edit(session, temporary, intervention, l, rows);
                    case RESIDUAL_POST -> residualPost.add(keepAll ? copyOf(session, rows) : rows);
                    default -> {}
                }
            });
        }
    }

    private Tensor copyOf(Operations session, Tensor x) {
        var copy = scope.allocate(ElementType.F32, x.rows(), x.columns());
        session.copy(copy, x);
        return copy;
    }

    private void edit(Operations session, TensorScope temporary, CompiledIntervention intervention, int layer,
            Tensor m) {
        var entries = EditTable.entries(List.of(intervention), layer, 0, ids.length);
        if (!entries.isEmpty()) {
            new EditTable(temporary, session, entries).apply(session, m);
        }
    }

    public Gpt2 model() {
        return model;
    }

    /** Returns the prompt's token ids. */
    public int[] ids() {
        return ids.clone();
    }

    /** Number of positions, T. */
    public int length() {
        return ids.length;
    }

    /** Returns the residual stream before the FFN of a layer, after its attention, [T, d]. */
    public Tensor residualMid(int layer) {
        return residualMid.get(layer).asReadOnly();
    }

    /** Returns the residual stream after the FFN of a layer, [T, d]. */
    public Tensor residualPost(int layer) {
        return residualPost.get(layer).asReadOnly();
    }

    /** Returns the coefficients of a layer's value vectors, after the activation and the edits, [T, f]. */
    public Tensor coefficients(int layer) {
        return coefficients.get(layer).asReadOnly();
    }

    /** Returns the keys of a layer's attention, heads side by side, [T, d]. */
    public Tensor keys(int layer) {
        return queryKeyValue.get(layer).columns(model.config().width(), model.config().width()).asReadOnly();
    }

    /** Returns the values of a layer's attention, heads side by side, [T, d]. */
    public Tensor values(int layer) {
        return queryKeyValue.get(layer).columns(2L * model.config().width(), model.config().width()).asReadOnly();
    }

    /** Returns the logits of every position, [T, V]: computed anew, and closed by the caller. */
    public Tensor logits() {
        var last = residualPost(model.config().layers() - 1);
        var logits = model.device().allocate(ElementType.F32, ids.length, model.config().vocabularySize());
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                model.readLogits(session, logits, last,
                        temporary.allocate(ElementType.F32, ids.length, last.columns()));
                return null;
            });
            return logits;
        } catch (Throwable failure) {
            logits.close();
            throw failure;
        }
    }

    /** Frees what was kept; once is enough, more do nothing. */
    @Override
    public void close() {
        scope.close();
    }
}
