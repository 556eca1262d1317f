package org.lmdebugger.interpret.edge;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edge.Receiver.Input;
import org.lmdebugger.model.Backward;
import org.lmdebugger.model.Gpt2;

/** One backward pass of a base run that gives the first-order effects of all edges; {@link EdgeEstimates} has the formula. */
final class EdgeAttribution {
    private final Gpt2 model;
    private final Operations session;
    private final Activations base;
    private final SenderChanges changes;
    private final int n; // positions from the first on at which the prompts differ
    private final Tensor post; // [n, d]: the gradient by the residual stream after the FFN
    private final Tensor gradients; // [H·n, d]: those by the inputs of receivers
    private final Tensor inputs; // [H·n, d]: the rows that the heads of a layer read, for each of them
    private final Tensor positions; // [1, H·n]: of these
    private final Tensor products; // [H, senders]
    private final Map<Receiver, float[]> effects = new HashMap<>(); // by the sender's row

    EdgeAttribution(Operations session, TensorScope memory, Activations base, Activations source, int n) {
        this.session = session;
        this.base = base;
        this.n = n;
        model = base.model();
        var senders = Sender.all(model.config());
        changes = new SenderChanges(session, memory, base, source, new TreeSet<>(senders), n);
        int heads = model.config().heads();
        int d = model.config().width();
        int first = base.length() - n;
        post = memory.allocate(ElementType.F32, n, d);
        gradients = memory.allocate(ElementType.F32, (long) heads * n, d);
        inputs = memory.allocate(ElementType.F32, (long) heads * n, d);
        positions = memory.vector(session, IntStream.range(0, heads * n).map(r -> first + r % n).toArray());
        products = memory.allocate(ElementType.F32, heads, senders.size());
    }

    /**
     * Computes the effects of all edges.
     *
     * @param memory   for numbers that are freed with it
     * @param gradient the measure's by the logits of the last position
     */
    void run(TensorScope memory, float[] gradient) {
        Backward.run(model, session, base::at, memory.vector(session, gradient), (site, layer, rows) -> {
            var changed = rows.rows(base.length() - n, n);
            switch (site) {
                case RESIDUAL_POST -> {
                    if (layer == model.config().layers() - 1) {
                        estimate(List.of(Receiver.LOGITS), changed);
                    }
                    session.copy(post, changed);
                }
                case RESIDUAL_MID -> { // the FFN adds its own to the gradient after it
                    var own = gradients.rows(0, n);
                    session.copy(own, changed);
                    var all = IntStream.range(0, n).toArray();
                    RowSums.add(session, memory, own, all, -1, post, all);
                    estimate(List.of(Receiver.ffn(layer)), own);
                }
                case QUERY -> heads(Input.Q, layer, changed);
                case KEY -> heads(Input.K, layer, changed);
                case VALUE -> heads(Input.V, layer, changed);
                default -> {}
            }
        });
    }

    /** Carries the gradient by one input of all heads, [n, d], to what each of them reads before its LayerNorm. */
    private void heads(Input input, int layer, Tensor rows) {
        int heads = model.config().heads();
        long d = rows.columns();
        long width = d / heads;
        var weights = model.layer(layer);
        for (int h = 0; h < heads; h++) {
            session.multiplyTransposed(gradients.rows((long) h * n, n), rows.columns(h * width, width),
                    weights.queryKeyValue().columns(input.ordinal() * d + h * width, width));
        }
        session.gatherRows(inputs, base.residualPre(layer), positions);
        session.layerNormBackward(gradients, inputs, weights.ln1Gain(), model.config().epsilon());
        estimate(IntStream.range(0, heads).mapToObj(h -> new Receiver(input, layer, h)).toList(), gradients);
    }

    /** Multiplies the gradients of receivers, each n rows, with the changes of all senders. */
    private void estimate(List<Receiver> receivers, Tensor rows) {
        var product = products.rows(0, receivers.size());
        session.innerProducts(product, rows.reshape(receivers.size(), n * rows.columns()), changes.bySender());
        int senders = (int) product.columns();
        var numbers = new float[receivers.size() * senders];
        session.download(numbers, product);
        for (int r = 0; r < receivers.size(); r++) {
            effects.put(receivers.get(r), Arrays.copyOfRange(numbers, r * senders, (r + 1) * senders));
        }
    }

    double effect(Edge edge) {
        return effects.get(edge.receiver())[changes.row(edge.sender())];
    }
}
