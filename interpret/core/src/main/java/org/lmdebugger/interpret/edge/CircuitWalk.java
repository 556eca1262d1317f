package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edge.Receiver.Input;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Layer;
import org.lmdebugger.model.Site;

/**
 * A pass of several circuits up the layers. There is no residual stream that all parts share: each receiver v has an input
 * of its own, x_S(v) + Σ (out(u) − out_S(u)) over the senders u whose edges to v are kept. S is the run whose outputs go
 * along the other edges, and out(u) the sender's output in the circuit. Equal inputs of a circuit are computed once.
 */
final class CircuitWalk {
    private final Gpt2 model;
    private final Operations session;
    private final TensorScope temporary;
    private final Activations base;
    private final Activations source; // S
    private final List<Circuit> circuits;
    private final List<Map<Receiver, List<Sender>>> kept = new ArrayList<>(); // of each circuit
    private final Map<Sender, Integer> numbers = new HashMap<>();
    private final int length;
    private final int n; // positions from the first on that differ
    private final int first;
    private final Tensor changes; // [senders·circuits·n, d]: out(u) − out_S(u)

    CircuitWalk(Operations session, TensorScope temporary, Activations base, Activations source, int firstPosition,
            List<Circuit> circuits) {
        this.session = session;
        this.temporary = temporary;
        this.base = base;
        this.source = source;
        this.circuits = circuits;
        model = base.model();
        length = base.length();
        first = firstPosition;
        n = length - first;
        Sender.all(model.config()).forEach(sender -> numbers.put(sender, numbers.size()));
        changes = allocate((long) numbers.size() * circuits.size() * n);
        for (var circuit : circuits) {
            var senders = new TreeMap<Receiver, List<Sender>>();
            circuit.edges().forEach(edge -> senders.computeIfAbsent(edge.receiver(), key -> new ArrayList<>())
                    .add(edge.sender()));
            kept.add(senders);
        }
    }

    /** Bytes that a circuit needs at most. */
    static long bytes(Gpt2 model, int positions) {
        var config = model.config();
        long senders = 1 + config.layers() * (1L + config.heads());
        return 4L * positions * config.width() * (senders + 5L * 3 * config.heads() + 8)
                + 4L * positions * config.feedForwardWidth();
    }

    private Tensor allocate(long rows) {
        return temporary.allocate(ElementType.F32, rows, model.config().width());
    }

    /** Returns the residual stream that the logits of each circuit are read from, [circuits, d]. */
    Tensor run() {
        var embedding = changes(Sender.EMBEDDING);
        gather(embedding, base, Site.RESIDUAL_PRE, 0);
        subtract(embedding, Site.RESIDUAL_PRE, 0);
        for (int l = 0; l < model.config().layers(); l++) {
            try (var memory = new TensorScope(model.device())) {
                heads(memory, l);
                ffn(memory, l);
                session.download(new float[1], changes.row(0).columns(0, 1)); // what is queued is done before it is freed
            }
        }
        var inputs = inputs(temporary, Site.RESIDUAL_POST, model.config().layers() - 1, List.of(Receiver.LOGITS));
        var last = allocate(circuits.size());
        session.gatherRows(last, inputs.rows(), temporary.vector(session,
                IntStream.range(0, circuits.size()).map(c -> inputs.at(c, Receiver.LOGITS) * n + n - 1).toArray()));
        return last;
    }

    private Tensor changes(Sender sender) {
        return changes.rows((long) numbers.get(sender) * circuits.size() * n, (long) circuits.size() * n);
    }

    /**
     * The inputs of receivers, each different one once.
     *
     * @param rows    [inputs·n, d]
     * @param numbers the input of each receiver, by circuit
     */
    private record Inputs(Tensor rows, List<Map<Receiver, Integer>> numbers) {
        int at(int circuit, Receiver receiver) {
            return numbers.get(circuit).get(receiver);
        }
    }

    private Inputs inputs(TensorScope memory, Site site, int layer, List<Receiver> receivers) {
        var different = new HashMap<List<Object>, Integer>();
        var circuit = new ArrayList<Integer>(); // of each input
        var senders = new ArrayList<List<Sender>>();
        var all = new ArrayList<Map<Receiver, Integer>>();
        for (int c = 0; c < circuits.size(); c++) {
            var own = new HashMap<Receiver, Integer>();
            for (var receiver : receivers) {
                var from = kept.get(c).getOrDefault(receiver, List.of());
                own.put(receiver, different.computeIfAbsent(List.of(c, from), key -> senders.size()));
                if (different.size() > senders.size()) {
                    circuit.add(c);
                    senders.add(from);
                }
            }
            all.add(own);
        }
        var x = memory.allocate(ElementType.F32, (long) senders.size() * n, model.config().width());
        gather(x, source, site, layer);
        int most = senders.stream().mapToInt(List::size).max().orElse(0);
        for (int k = 0; k < most; k++) { // the k-th sender of each input
            int number = k;
            var to = IntStream.range(0, senders.size()).filter(i -> senders.get(i).size() > number)
                    .flatMap(i -> IntStream.range(i * n, (i + 1) * n)).toArray();
            var from = IntStream.of(to).map(r -> (numbers.get(senders.get(r / n).get(number)) * circuits.size()
                    + circuit.get(r / n)) * n + r % n).toArray();
            RowSums.add(session, memory, x, to, 1, changes, from);
        }
        return new Inputs(x, all);
    }

    private void heads(TensorScope memory, int layer) {
        var weights = model.layer(layer);
        var config = model.config();
        int heads = config.heads();
        long d = config.width();
        var receivers = IntStream.range(0, heads).boxed()
                .flatMap(h -> List.of(Input.Q, Input.K, Input.V).stream().map(input -> new Receiver(input, layer, h)))
                .toList();
        var inputs = inputs(memory, Site.RESIDUAL_PRE, layer, receivers);
        var normed = memory.allocate(ElementType.F32, inputs.rows().rows(), d);
        session.layerNorm(normed, inputs.rows(), weights.ln1Gain(), weights.ln1Bias(), config.epsilon());
        var projected = inputs.rows(); // their memory
        var qkv = memory.allocate(ElementType.F32, (long) circuits.size() * n, 3 * d);
        for (var input : List.of(Input.Q, Input.K, Input.V)) {
            long from = input.ordinal() * d;
            session.multiply(projected, normed, weights.queryKeyValue().columns(from, d));
            session.addBias(projected, weights.queryKeyValueBias().columns(from, d));
            takeHeads(memory, qkv.columns(from, d), input, layer, inputs, projected);
        }
        var z = memory.allocate(ElementType.F32, (long) circuits.size() * n, d);
        session.attention(z, qkv.columns(0, d), new AttentionContext(heads, circuits.size(),
                base.keys(layer).rows(0, first), base.values(layer).rows(0, first), qkv.columns(d, d),
                qkv.columns(2 * d, d), memory.vector(session, 0)), config.attentionDivisor(layer));
        subtract(z, Site.Z, layer);
        long width = d / heads;
        for (int h = 0; h < heads; h++) {
            session.multiply(changes(Sender.head(layer, h)), z.columns(h * width, width),
                    weights.attentionOut().rows(h * width, width));
        }
    }

    /** Fills each head's columns with the projection of its own input. */
    private void takeHeads(TensorScope memory, Tensor to, Input input, int layer, Inputs inputs, Tensor projected) {
        int heads = model.config().heads();
        int width = model.config().width() / heads;
        int count = circuits.size() * n * heads;
        var rows = new int[count];
        var columns = new int[count];
        var from = new int[count];
        for (int e = 0; e < count; e++) {
            int h = e % heads;
            int row = e / heads;
            rows[e] = row;
            columns[e] = h * width;
            from[e] = inputs.at(row / n, new Receiver(input, layer, h)) * n + row % n;
        }
        RowSums.copyWindows(session, memory, to, rows, columns, projected, from, width);
    }

    private void ffn(TensorScope memory, int layer) {
        Layer weights = model.layer(layer);
        var receiver = Receiver.ffn(layer);
        var inputs = inputs(memory, Site.RESIDUAL_MID, layer, List.of(receiver)); // one of each circuit
        var normed = memory.allocate(ElementType.F32, inputs.rows().rows(), inputs.rows().columns());
        session.layerNorm(normed, inputs.rows(), weights.ln2Gain(), weights.ln2Bias(), model.config().epsilon());
        var coefficients = memory.allocate(ElementType.F32, normed.rows(), model.config().feedForwardWidth());
        session.multiplyConsuming(coefficients, normed, weights.ffnIn());
        session.biasGelu(coefficients, weights.ffnInBias(), model.config().activation());
        session.multiplyConsuming(changes(Sender.ffn(layer)), coefficients, weights.ffnOut());
        subtract(changes(Sender.ffn(layer)), Site.FFN_OUT, layer);
    }

    private void gather(Tensor to, Activations run, Site site, int layer) {
        session.gatherRows(to, run.at(site, layer), temporary.vector(session, positions(to)));
    }

    /** Subtracts the source run's rows from those of each circuit. */
    private void subtract(Tensor from, Site site, int layer) {
        RowSums.add(session, temporary, from, IntStream.range(0, (int) from.rows()).toArray(), -1,
                source.at(site, layer), positions(from));
    }

    private int[] positions(Tensor rows) {
        return IntStream.range(0, (int) rows.rows()).map(r -> first + r % n).toArray();
    }
}
