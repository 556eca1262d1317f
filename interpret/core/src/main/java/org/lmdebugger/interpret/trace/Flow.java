package org.lmdebugger.interpret.trace;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.Site;

/**
 * The routes by which information reaches the residual stream of one position, after the last layer: what enters the
 * stream there in the last layer, and so on down to the embeddings (information flow routes, Ferrando and Voita 2024,
 * §2). Attention from one position to another weighs ‖Σ_h A_h·v_h·W_O‖₂, the norm of what all heads of the layer
 * together bring (Kobayashi et al. 2020, §3). These are norms, no effects: {@link TotalEffects} and sweeps measure those.
 * Immutable, and independent of the model's lifetime.
 *
 * @param position the position, from 0
 * @param least    the smallest share of a link that is followed
 * @param nodes    the reached positions of each layer, the last layer first, then by position
 * @param links    attention between them, likewise
 */
public record Flow(int position, double least, List<Node> nodes, List<Link> links) {

    /**
     * The residual stream at a position through one layer.
     *
     * @param stream   ‖x‖₂ before the layer
     * @param ffn      ‖FFN(x)‖₂, without the bias
     * @param ffnShare its share: ffn ÷ (‖x‖₂ between attention and feed-forward layer + ffn)
     */
    public record Node(int layer, int position, double stream, double ffn, double ffnShare) {
    }

    /**
     * The attention of a layer from one position to another or to itself. A head whose mixed values are edited there
     * takes no part in it.
     *
     * @param query    the position that reads
     * @param key      the position that is read
     * @param norm     ‖Σ_h A_h·v_h·W_O‖₂ over the heads h
     * @param share    norm ÷ (‖x‖₂ before the layer + the norms of all of the query's links)
     * @param head     the head with the largest ‖A·v·W_O‖₂
     * @param headNorm that norm
     */
    public record Link(int layer, int query, int key, double norm, double share, int head, double headNorm) {
    }

    /**
     * Returns the routes to a position of a run.
     *
     * @param run   of a prompt under {@code edits}, with every site kept
     * @param least the smallest share of a link that is followed, above 0 and at most 1
     * @throws IllegalArgumentException if {@code least} is another number
     */
    public static Flow of(Activations run, Intervention edits, int position, double least) {
        if (!(least > 0 && least <= 1)) {
            throw new IllegalArgumentException("least: " + least + " (expected: above 0, at most 1)");
        }
        var nodes = new ArrayList<Node>();
        var links = new ArrayList<Link>();
        var reached = new TreeSet<>(List.of(position));
        for (int layer = run.model().config().layers() - 1; layer >= 0; layer--) {
            var reader = new LayerReader(run, layer, position + 1);
            var keys = new TreeSet<>(reached);
            for (int query : reached) {
                nodes.add(reader.node(query));
                for (var link : reader.links(query, isMixed(edits, layer, query, run.length()))) {
                    if (link.share() >= least) {
                        links.add(link);
                        keys.add(link.key());
                    }
                }
            }
            reached = keys;
        }
        return new Flow(position, least, List.copyOf(nodes), List.copyOf(links));
    }

    /** Returns the heads of a layer whose mixed values are as attention computes them. */
    private static IntPredicate isMixed(Intervention edits, int layer, int position, int length) {
        return head -> edits.list().stream().noneMatch(edit -> edit.positions().contains(position, length)
                && edit.part() instanceof Head(int l, int h, Head.Vector vector) && l == layer
                && (h == Head.ALL || h == head) && vector == Head.Vector.Z);
    }

    /** The norms of one layer. */
    private static final class LayerReader {
        private final Activations run;
        private final int layer;
        private final int length;
        private final int heads;
        private final float[] pattern; // [H·T, T]
        private final double[][] products; // by key, [H, H]: (v_h·W_O)·(v_g·W_O)

        /** @param length the number of positions that may be read */
        LayerReader(Activations run, int layer, int length) {
            this.run = run;
            this.layer = layer;
            this.length = length;
            heads = run.model().config().heads();
            try (var all = run.pattern(layer)) {
                pattern = all.toFloats();
            }
            products = products();
        }

        /** Returns the products of what the heads would bring from each position at a weight of 1. */
        private double[][] products() {
            var model = run.model();
            int width = model.config().width() / heads;
            var brought = new float[heads][length * model.config().width()];
            try (var scope = new TensorScope(model.device())) {
                var values = run.values(layer).rows(0, length);
                var out = scope.allocate(ElementType.F32, length, values.columns());
                model.call(session -> {
                    for (int h = 0; h < heads; h++) {
                        session.multiply(out, values.columns((long) h * width, width),
                                model.layer(layer).attentionOut().rows((long) h * width, width));
                        session.download(brought[h], out);
                    }
                    return null;
                });
            }
            var products = new double[length][heads * heads];
            for (int key = 0; key < length; key++) {
                for (int h = 0; h < heads; h++) {
                    for (int g = 0; g <= h; g++) {
                        double product = dot(brought[h], brought[g], key * model.config().width(),
                                model.config().width());
                        products[key][h * heads + g] = product;
                        products[key][g * heads + h] = product;
                    }
                }
            }
            return products;
        }

        private static double dot(float[] a, float[] b, int from, int count) {
            double sum = 0;
            for (int i = from; i < from + count; i++) {
                sum += (double) a[i] * b[i];
            }
            return sum;
        }

        Node node(int position) {
            double ffn = norm(Site.FFN_OUT, position);
            double mid = norm(Site.RESIDUAL_MID, position);
            return new Node(layer, position, stream(position), ffn, ffn / (mid + ffn));
        }

        private double stream(int position) {
            return norm(run.residualPre(layer).row(position).toFloats());
        }

        private double norm(Site site, int position) {
            return norm(run.at(site, layer).row(position).toFloats());
        }

        private static double norm(float[] row) {
            return Math.sqrt(dot(row, row, 0, row.length));
        }

        /** @param takesPart whether a head does */
        List<Link> links(int query, IntPredicate takesPart) {
            var norms = new double[query + 1];
            double sum = stream(query);
            for (int key = 0; key <= query; key++) {
                norms[key] = norm(query, key, takesPart);
                sum += norms[key];
            }
            var links = new ArrayList<Link>();
            for (int key = 0; key <= query; key++) {
                int head = strongest(query, key, takesPart);
                links.add(new Link(layer, query, key, norms[key], norms[key] / sum, head,
                        weight(head, query, key) * Math.sqrt(products[key][head * heads + head])));
            }
            return links;
        }

        private float weight(int head, int query, int key) {
            return pattern[(head * run.length() + query) * run.length() + key];
        }

        /** Returns ‖Σ_h A_h·v_h·W_O‖₂ = √(Σ_h Σ_g A_h·A_g·(v_h·W_O)·(v_g·W_O)). */
        private double norm(int query, int key, IntPredicate takesPart) {
            double sum = 0;
            for (int h = 0; h < heads; h++) {
                for (int g = 0; g < heads && takesPart.test(h); g++) {
                    if (takesPart.test(g)) {
                        sum += (double) weight(h, query, key) * weight(g, query, key) * products[key][h * heads + g];
                    }
                }
            }
            return Math.sqrt(Math.max(0, sum)); // rounding may take a sum of nothing below it
        }

        private int strongest(int query, int key, IntPredicate takesPart) {
            return IntStream.range(0, heads).boxed()
                    .max(Comparator.comparingDouble(head -> takesPart.test(head)
                            ? weight(head, query, key) * Math.sqrt(products[key][head * heads + head])
                            : -1))
                    .orElseThrow();
        }
    }
}
