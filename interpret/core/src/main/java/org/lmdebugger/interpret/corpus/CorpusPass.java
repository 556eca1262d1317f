package org.lmdebugger.interpret.corpus;

import java.lang.foreign.MemorySegment;
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
 * A forward pass over batches of windows, without the head. The rows of one site of one layer at a time are added to
 * tables in the device's memory and forgotten; one number of each row of each layer goes to the host.
 */
final class CorpusPass implements AutoCloseable {
    private final Gpt2 model;
    private final TensorScope scope;
    private final List<LayerTables> layers;
    private final List<Tensor> headFactors; // by layer, [d, d/H]

    /** Allocates tables, whose contents have to be set by {@link #restore}. */
    CorpusPass(Gpt2 model, Shape shape) {
        this.model = model;
        scope = new TensorScope(model.device());
        try {
            layers = IntStream.range(0, shape.layers()).mapToObj(l -> new LayerTables(scope, shape)).toList();
            headFactors = IntStream.range(0, shape.layers()).mapToObj(this::headFactors).toList();
        } catch (RuntimeException failure) {
            scope.close();
            throw failure;
        }
    }

    private Tensor headFactors(int l) {
        int d = model.config().width();
        var factors = scope.allocate(ElementType.F32, d, d / model.config().heads());
        return model.call(session -> {
            session.upload(factors, HeadFactors.of(model, l));
            return factors;
        });
    }

    /** Sets the tables of a layer. */
    void restore(int l, MemorySegment from) {
        model.device().call(session -> {
            layers.get(l).upload(session, from);
            return from;
        });
    }

    /** Copies the tables of a layer to the host. */
    void save(int l, MemorySegment to) {
        model.device().call(session -> {
            layers.get(l).download(session, to);
            return to;
        });
    }

    /** Adds the activations of a batch. @throws IllegalArgumentException if they are not finite */
    void add(Batch batch) {
        var sizes = new float[layers.size() * batch.rows()]; // of the rows of the residual stream
        model.call(session -> {
            try (var memory = new TensorScope(model.device())) {
                forward(session, memory, batch, sizes);
                return batch;
            }
        });
        checkFinite(batch, sizes);
    }

    private void forward(Operations session, TensorScope memory, Batch batch, float[] sizes) {
        var config = model.config();
        int rows = batch.rows();
        int heads = config.heads();
        long d = config.width();
        var x = memory.allocate(ElementType.F32, rows, d);
        var queryKeyValue = memory.allocate(ElementType.F32, rows, 3 * d);
        var none = memory.allocate(ElementType.F32, 0, d);
        var context = new AttentionContext(heads, batch.windows().size(), none, none,
                queryKeyValue.columns(d, d), queryKeyValue.columns(2 * d, d), memory.vector(session, 0));
        var block = BlockRows.of(x, queryKeyValue, memory.allocate(ElementType.F32, rows, d),
                memory.allocate(ElementType.F32, rows, d),
                memory.allocate(ElementType.F32, rows, config.feedForwardWidth()), context);
        var head = memory.allocate(ElementType.F32, rows, d / heads);
        var norms = memory.allocate(ElementType.F32, rows, heads + 2L);
        var stream = memory.allocate(ElementType.F32, layers.size(), rows);
        var uploaded = batch.upload(session, memory);
        model.embed(session, x, uploaded.ids(), uploaded.positions());
        model.forward(session, 0, l -> block, (site, l, at) -> {
            layers.get(l).add(session, site, uploaded, at);
            switch (site) {
                case Z -> headNorms(session, norms, at, headFactors.get(l), head);
                case ATTENTION_OUT ->
                        session.biasNorms(norms.columns(heads, 1), at, model.layer(l).attentionBias());
                case FFN_OUT -> {
                    session.biasNorms(norms.columns(heads + 1L, 1), at, model.layer(l).ffnOutBias());
                    layers.get(l).addNorms(session, norms);
                }
                case RESIDUAL_POST -> session.rowNorms(stream.row(l), at);
                default -> {}
            }
        });
        session.download(sizes, stream);
    }

    /** Computes the norms of what each head writes to the residual stream, ‖z·W_O‖. */
    private static void headNorms(Operations session, Tensor norms, Tensor z, Tensor factors, Tensor head) {
        long width = head.columns();
        for (long h = 0; h < z.columns() / width; h++) {
            session.multiply(head, z.columns(h * width, width), factors.rows(h * width, width));
            session.rowNorms(norms.columns(h, 1), head);
        }
    }

    private static void checkFinite(Batch batch, float[] sizes) {
        for (int i = 0; i < sizes.length; i++) {
            if (!Float.isFinite(sizes[i])) {
                var window = batch.windows().get(i % batch.rows() / batch.length());
                throw new IllegalArgumentException(
                        ("corpus: document %d, from token %d on: the network's numbers are not "
                                + "finite in layer %d (expected: weights and texts that FP32 can compute with)")
                                        .formatted(window.document(), window.start(), i / batch.rows()));
            }
        }
    }

    @Override
    public void close() {
        scope.close();
    }
}
