package org.lmdebugger.interpret.corpus;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;

/**
 * A forward pass over batches of windows, without the head. The rows of one site of one layer at a time go to the host,
 * where they are added up and forgotten; on the device there is one block's memory for one batch.
 */
final class CorpusPass {
    private final Gpt2 model;
    private final List<LayerSums> layers;
    private final List<float[]> attentionBiases; // by layer
    private final List<float[]> ffnBiases;
    private final List<float[]> headFactors;
    private final Map<Integer, float[]> memory = new HashMap<>(); // on the host, by size

    CorpusPass(Gpt2 model, List<LayerSums> layers) {
        this.model = model;
        this.layers = layers;
        var all = IntStream.range(0, layers.size()).mapToObj(model::layer).toList();
        attentionBiases = all.stream().map(layer -> layer.attentionBias().toFloats()).toList();
        ffnBiases = all.stream().map(layer -> layer.ffnOutBias().toFloats()).toList();
        headFactors = IntStream.range(0, all.size()).mapToObj(l -> HeadFactors.of(model, l)).toList();
    }

    /** Adds the activations of a batch. @throws IllegalArgumentException if they are not finite */
    void add(Batch batch) {
        model.call(session -> {
            try (var scope = new TensorScope(model.device())) {
                forward(session, scope, batch);
                return batch;
            }
        });
    }

    private void forward(Operations session, TensorScope scope, Batch batch) {
        var config = model.config();
        int rows = batch.rows();
        long d = config.width();
        var x = scope.allocate(ElementType.F32, rows, d);
        var queryKeyValue = scope.allocate(ElementType.F32, rows, 3 * d);
        var none = scope.allocate(ElementType.F32, 0, d);
        var context = new AttentionContext(config.heads(), batch.windows().size(), none, none,
                queryKeyValue.columns(d, d), queryKeyValue.columns(2 * d, d), scope.vector(session, 0));
        var block = BlockRows.of(x, queryKeyValue, scope.allocate(ElementType.F32, rows, d),
                scope.allocate(ElementType.F32, rows, d),
                scope.allocate(ElementType.F32, rows, config.feedForwardWidth()), context);
        long width = d / config.heads();
        var factors = scope.allocate(ElementType.F32, d, width);
        var head = scope.allocate(ElementType.F32, rows, width);
        var norms = scope.allocate(ElementType.F32, config.heads(), rows);
        model.embed(session, x, scope.vector(session, batch.ids()),
                scope.vector(session, IntStream.range(0, rows).map(r -> r % batch.length()).toArray()));
        model.forward(session, 0, l -> block, (site, l, at) -> {
            var numbers = download(session, at);
            layers.get(l).add(site, batch, numbers);
            switch (site) {
                case Z -> {
                    session.upload(factors, headFactors.get(l));
                    addHeads(session, l, at, factors, head, norms);
                }
                case ATTENTION_OUT -> layers.get(l).addNorms(config.heads(),
                        norms(numbers, attentionBiases.get(l)));
                case FFN_OUT -> layers.get(l).addNorms(config.heads() + 1,
                        norms(numbers, ffnBiases.get(l)));
                case RESIDUAL_POST -> checkFinite(l, batch, numbers);
                default -> {}
            }
        });
    }

    private float[] download(Operations session, Tensor tensor) {
        var numbers = memory.computeIfAbsent(Math.toIntExact(tensor.rows() * tensor.columns()), float[]::new);
        session.download(numbers, tensor);
        return numbers;
    }

    /** Adds the norms of what each head writes to the residual stream, ‖z·W_O‖. */
    private void addHeads(Operations session, int l, Tensor z, Tensor factors, Tensor head, Tensor norms) {
        int heads = model.config().heads();
        long width = head.columns();
        for (int h = 0; h < heads; h++) {
            session.multiply(head, z.columns(h * width, width), factors.rows(h * width, width));
            session.rowNorms(norms.row(h), head);
        }
        int rows = (int) norms.columns();
        var all = download(session, norms); // at once, as each wait takes a while on a GPU
        for (int h = 0; h < heads; h++) {
            layers.get(l).addNorms(h, Arrays.copyOfRange(all, h * rows, (h + 1) * rows));
        }
    }

    /** Returns ‖row + bias‖ of each row. */
    private static float[] norms(float[] rows, float[] bias) {
        var norms = new float[rows.length / bias.length];
        IntStream.range(0, norms.length).parallel().forEach(r -> {
            double square = 0;
            for (int c = 0; c < bias.length; c++) {
                double number = (double) rows[r * bias.length + c] + bias[c];
                square += number * number;
            }
            norms[r] = (float) Math.sqrt(square);
        });
        return norms;
    }

    private void checkFinite(int layer, Batch batch, float[] rows) {
        int columns = model.config().width();
        for (int i = 0; i < rows.length; i++) {
            if (!Float.isFinite(rows[i])) {
                var window = batch.windows().get(i / columns / batch.length());
                throw new IllegalArgumentException(
                        ("corpus: document %d, from token %d on: the network's numbers are not "
                                + "finite in layer %d (expected: weights and texts that FP32 can compute with)")
                                        .formatted(window.document(), window.start(), layer));
            }
        }
    }
}
