package org.lmdebugger.interpret.edge;

import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edge.Receiver.Input;
import org.lmdebugger.interpret.sweep.SweepBuffers;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * One part of a chunk of edges on its way up the layers. The rows of an edge enter with the base run's numbers where its
 * receiver has its output, which is computed anew: in a head at its mixed values z, in an FFN at its coefficients. From
 * there on the rows of all edges that have entered go through the blocks together, attending to the base run's keys and
 * values of the positions before them.
 */
final class EdgeWalk {
    private final Gpt2 model;
    private final Operations session;
    private final TensorScope temporary;
    private final Activations base;
    private final SenderChanges changes;
    private final List<Edge> edges; // in the order in which they enter
    private final SweepBuffers buffers;
    private final int changed; // positions from the first on at which senders' outputs change
    private final int n; // positions of each edge: these, or the last alone
    private final int length;
    private final int top;
    private final Tensor ownBeforeFirst; // [1, 1]: positions of an edge before the first that goes on
    private final Tensor ownBeforeLast;
    private final Tensor lastRows; // [1, S]
    private int entered;

    EdgeWalk(Operations session, TensorScope temporary, Activations base, SenderChanges changes, int firstPosition,
            List<Edge> edges, SweepBuffers buffers, int positions) {
        this.session = session;
        this.temporary = temporary;
        this.base = base;
        this.changes = changes;
        this.edges = edges;
        this.buffers = buffers;
        model = base.model();
        length = base.length();
        changed = length - firstPosition;
        n = positions;
        top = model.config().layers() - 1;
        ownBeforeFirst = temporary.vector(session, 0);
        ownBeforeLast = temporary.vector(session, n - 1);
        lastRows = temporary.vector(session, IntStream.range(0, edges.size()).map(s -> s * n + n - 1).toArray());
    }

    /** Returns the residual stream of each edge's last position after the last layer, [S, d]. */
    Tensor run() {
        session.upload(buffers.rows(), positions(edges.size(), n));
        model.forward(session, Math.min(edges.getFirst().receiver().layer(), top), this::rows, this::at);
        return onlyLast(top) ? buffers.read() : buffers.x();
    }

    /** Returns the {@code n} last positions, {@code times} over. */
    private int[] positions(int times, int n) {
        return IntStream.range(0, times * n).map(r -> length - n + r % n).toArray();
    }

    /** Returns whether of each edge only the last row goes on after keys and values: in the top layer. */
    private boolean onlyLast(int layer) {
        return layer == top && n > 1;
    }

    private void at(Site site, int layer, Tensor rows) {
        switch (site) {
            case Z -> enter(layer, Input::isOfHead, this::enterHeads);
            case COEFFICIENTS -> enter(layer, input -> input == Input.FFN, this::enterFfn);
            case RESIDUAL_POST -> enter(layer == top ? Receiver.LOGITS.layer() : layer,
                    input -> input == Input.LOGITS, this::enterLogits);
            default -> {}
        }
    }

    /** Fills the rows of edges that enter a layer: those from {@code start} of the block's rows on. */
    private interface Entrance {
        void enter(int layer, List<Edge> newcomers, int start);
    }

    private void enter(int layer, Predicate<Input> input, Entrance entrance) {
        int from = entered;
        int to = from;
        while (to < edges.size() && edges.get(to).receiver().layer() == layer
                && input.test(edges.get(to).receiver().input())) {
            to++;
        }
        if (to > from) {
            entered = to;
            entrance.enter(Math.min(layer, top), edges.subList(from, to), from * n);
        }
    }

    private void enterHeads(int layer, List<Edge> newcomers, int start) {
        int count = newcomers.size() * n;
        var present = rows(layer);
        gather(present.at(Site.RESIDUAL_MID).rows(start, count), Site.RESIDUAL_PRE, layer);
        var z = present.at(Site.Z).rows(start, count);
        gather(z, Site.Z, layer);
        var senders = senders(newcomers);
        int r = senders.length * changed;
        long d = z.columns();
        var weights = model.layer(layer);
        var normed = temporary.allocate(ElementType.F32, r, d);
        var x = temporary.allocate(ElementType.F32, r, d);
        gather(x, Site.RESIDUAL_PRE, layer, changed);
        changes.addTo(session, temporary, x, senders, changed);
        session.layerNorm(normed, x, weights.ln1Gain(), weights.ln1Bias(), model.config().epsilon());
        var projected = temporary.allocate(ElementType.F32, r, 3 * d);
        for (int from = 0; from < newcomers.size();) {
            var input = newcomers.get(from).receiver().input();
            int to = from;
            while (to < newcomers.size() && newcomers.get(to).receiver().input() == input) {
                to++;
            }
            var own = newcomers.subList(from, to);
            var mixed = mix(layer, input, senders.length, normed, projected, x);
            replaceHeads(z.rows((long) from * n, (long) own.size() * n), own, senders, mixed);
            from = to;
        }
    }

    /**
     * Returns the mixed values of all heads, [senders·n, d], where one of queries, keys and values is computed from the
     * shifted rows, and the others are the base run's. {@code projected} and {@code free} are overwritten.
     */
    private Tensor mix(int layer, Input input, int senders, Tensor normed, Tensor projected, Tensor free) {
        long d = normed.columns();
        var weights = model.layer(layer);
        var sites = List.of(Site.QUERY, Site.KEY, Site.VALUE);
        for (int s = 0; s < sites.size(); s++) {
            var part = projected.columns(s * d, d);
            if (s == input.ordinal()) {
                session.multiply(part, normed, weights.queryKeyValue().columns(s * d, d));
                session.addBias(part, weights.queryKeyValueBias().columns(s * d, d));
            } else {
                gather(part, sites.get(s), layer, changed);
            }
        }
        var queries = projected.columns(0, d);
        int first = length - changed;
        var z = free.rows(0, (long) senders * n);
        if (n < changed) { // the last row of each alone
            var last = temporary.vector(session,
                    IntStream.range(0, senders).map(s -> (s + 1) * changed - 1).toArray());
            var of = temporary.allocate(ElementType.F32, senders, d);
            session.gatherRows(of, queries, last);
            queries = of;
        }
        session.attention(z, queries, new AttentionContext(model.config().heads(), senders,
                base.keys(layer).rows(0, first), base.values(layer).rows(0, first), projected.columns(d, d),
                projected.columns(2 * d, d), temporary.vector(session, changed - n)),
                model.config().attentionDivisor(layer));
        return z;
    }

    /** Replaces the mixed values of each edge's head by those that its sender gives. */
    private void replaceHeads(Tensor z, List<Edge> own, Sender[] senders, Tensor mixed) {
        int count = own.size() * n;
        int width = (int) z.columns() / model.config().heads();
        var to = IntStream.range(0, count).toArray();
        var columns = IntStream.of(to).map(r -> own.get(r / n).receiver().head() * width).toArray();
        var from = IntStream.of(to).map(r -> Arrays.binarySearch(senders, own.get(r / n).sender()) * n + r % n)
                .toArray();
        RowSums.copyWindows(session, temporary, z, to, columns, mixed, from, width);
    }

    private void enterFfn(int layer, List<Edge> newcomers, int start) {
        int count = newcomers.size() * n;
        var present = rows(layer);
        gather(present.at(Site.RESIDUAL_MID).rows(start, count), Site.RESIDUAL_MID, layer);
        var x = temporary.allocate(ElementType.F32, count, model.config().width());
        gather(x, Site.RESIDUAL_MID, layer);
        changes.addTo(session, temporary, x, newcomers.stream().map(Edge::sender).toArray(Sender[]::new), n);
        var normed = temporary.allocate(ElementType.F32, count, x.columns());
        var weights = model.layer(layer);
        session.layerNorm(normed, x, weights.ln2Gain(), weights.ln2Bias(), model.config().epsilon());
        var coefficients = present.at(Site.COEFFICIENTS).rows(start, count);
        session.multiplyConsuming(coefficients, normed, weights.ffnIn());
        session.biasGelu(coefficients, weights.ffnInBias(), model.config().activation());
    }

    private void enterLogits(int layer, List<Edge> newcomers, int start) {
        var x = rows(layer).at(Site.RESIDUAL_POST).rows(start, newcomers.size());
        gather(x, Site.RESIDUAL_POST, layer);
        changes.addTo(session, temporary, x, newcomers.stream().map(Edge::sender).toArray(Sender[]::new), 1);
    }

    private static Sender[] senders(List<Edge> edges) {
        return edges.stream().map(Edge::sender).distinct().sorted().toArray(Sender[]::new);
    }

    /** Fills rows with those of the base run at the n last positions, over and over. */
    private void gather(Tensor to, Site site, int layer) {
        session.gatherRows(to, base.at(site, layer), buffers.rows().columns(0, to.rows()));
    }

    private void gather(Tensor to, Site site, int layer, int n) {
        if (n == this.n) {
            gather(to, site, layer);
        } else {
            session.gatherRows(to, base.at(site, layer),
                    temporary.vector(session, positions((int) to.rows() / n, n)));
        }
    }

    /** Returns the rows of the edges that have entered; in the top layer the last of each alone goes on. */
    private BlockRows rows(int layer) {
        return onlyLast(layer) ? buffers.entered(base, layer, entered, n, lastRows, ownBeforeLast)
                : buffers.entered(base, layer, entered, n, null, ownBeforeFirst);
    }
}
