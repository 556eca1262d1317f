package org.lmdebugger.interpret.activations;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Site;

/**
 * The activations of one forward pass of a prompt, kept on the device: read them with {@link Tensor#toFloats()} or
 * {@link Tensor#copyTo}, or use it in further device operations ({@link org.lmdebugger.device.Device#call}). T is the
 * number of the prompt's tokens. The tensors are the run's own and read-only; they end with {@link #close()},
 * and the run with its model. A run may be read from any thread.
 */
public final class Activations implements AutoCloseable {
    private final Gpt2 model;
    private final int[] ids;
    private final CompiledIntervention intervention;
    private final TensorScope scope;
    private final Set<Site> sites; // that are kept
    private final List<Tensor> queryKeyValue = new ArrayList<>(); // [T, 3d] a layer; none if nothing of it is kept
    private final Map<Site, List<Tensor>> kept = new EnumMap<>(Site.class); // by layer

    /** The part of a forward pass that is kept. */
    public enum Keep {
        /** Every site. */
        ALL(EnumSet.allOf(Site.class)),
        /** The sites that traces and edits of neurons read. */
        NEURONS(EnumSet.of(Site.KEY, Site.VALUE, Site.RESIDUAL_MID, Site.COEFFICIENTS, Site.RESIDUAL_POST)),
        /** Keys, values and the residual stream after the last layer: what generation goes on from. */
        KEYS_AND_VALUES(EnumSet.of(Site.KEY, Site.VALUE));

        private final Set<Site> sites;

        Keep(Set<Site> sites) {
            this.sites = Collections.unmodifiableSet(sites);
        }

        public Set<Site> sites() {
            return sites;
        }
    }

    private Activations(Gpt2 model, int[] ids, CompiledIntervention intervention, TensorScope scope,
            Set<Site> sites) {
        this.model = model;
        this.ids = ids;
        this.intervention = intervention;
        this.scope = scope;
        this.sites = sites;
    }

    public static Activations forward(Gpt2 model, int[] ids, CompiledIntervention intervention, Keep keep) {
        return forward(model, ids, intervention, keep.sites());
    }

    /** @param sites that are kept, beside the residual stream after the last layer */
    public static Activations forward(Gpt2 model, int[] ids, CompiledIntervention intervention, Set<Site> sites) {
        var kept = EnumSet.noneOf(Site.class);
        kept.addAll(sites);
        var scope = new TensorScope(model.device());
        try {
            var run = new Activations(model, ids, intervention, scope, kept);
            model.call(session -> {
                run.compute(session);
                return null;
            });
            return run;
        } catch (Throwable failure) {
            scope.close();
            throw failure;
        }
    }

    /** Returns the device memory that a run keeps, in bytes. @param length of the prompt */
    public static long bytes(Gpt2Config config, int length, Set<Site> sites) {
        long d = config.width();
        long row = keepsAttention(sites) ? 3 * d : 0; // numbers of a position in a layer
        for (var site : sites) {
            row += switch (site) {
                case QUERY, KEY, VALUE -> 0;
                case COEFFICIENTS -> config.feedForwardWidth();
                default -> d;
            };
        }
        return length * (config.layers() * row + d) * Float.BYTES;
    }

    private void compute(Operations session) {
        int length = ids.length;
        long d = model.config().width();
        int width = model.config().feedForwardWidth();
        try (var temporary = new TensorScope(model.device())) {
            var x = (keeps(Site.RESIDUAL_POST) ? temporary : scope).allocate(ElementType.F32, length, d);
            var normed = temporary.allocate(ElementType.F32, length, d);
            var out = temporary.allocate(ElementType.F32, length, d);
            var none = temporary.allocate(ElementType.F32, 0, d);
            var zero = temporary.vector(session, 0);
            var coefficients = rows(temporary, keeps(Site.COEFFICIENTS), width);
            var attention = rows(temporary, keepsAttention(), 3 * d);
            model.embed(session, x, temporary.vector(session, ids),
                    temporary.vector(session, IntStream.range(0, length).toArray()));
            var edits = new SiteEdits(model, session, temporary);
            var rows = new ArrayList<BlockRows>();
            model.forward(session, 0, l -> {
                if (rows.size() == l) {
                    var projected = attention.get();
                    if (keepsAttention()) {
                        queryKeyValue.add(projected);
                    }
                    var block = BlockRows.of(x, projected, normed, out, coefficients.get(), new AttentionContext(
                            model.config().heads(), 1, none, none, projected.columns(d, d),
                            projected.columns(2 * d, d), zero));
                    rows.add(keeps(Site.COEFFICIENTS) ? block.keepingCoefficients() : block);
                }
                return rows.get(l);
            }, (site, l, at) -> {
                if (site == Site.Z) {
                    edits.applyToAttention(l, rows.get(l), List.of(intervention), 0, length);
                }
                edits.apply(site, l, at, List.of(intervention), 0);
                if (keeps(site)) {
                    kept.computeIfAbsent(site, s -> new ArrayList<>()).add(kept(session, site, l, at));
                }
            });
            kept.computeIfAbsent(Site.RESIDUAL_POST, s -> {
                var last = new ArrayList<Tensor>(Collections.nCopies(model.config().layers() - 1, null));
                last.add(x);
                return last;
            });
        }
    }

    /** Returns what gives each layer a row for each position: rows of its own that are kept, or the same for all. */
    private Supplier<Tensor> rows(TensorScope temporary, boolean kept, long columns) {
        if (kept) {
            return () -> scope.allocate(ElementType.F32, ids.length, columns);
        }
        var shared = temporary.allocate(ElementType.F32, ids.length, columns);
        return () -> shared;
    }

    private boolean keepsAttention() {
        return keepsAttention(sites);
    }

    private static boolean keepsAttention(Set<Site> sites) {
        return sites.contains(Site.QUERY) || sites.contains(Site.KEY) || sites.contains(Site.VALUE);
    }

    private boolean keeps(Site site) {
        return sites.contains(site);
    }

    /** Returns whether it has kept all of these sites. */
    boolean keeps(Set<Site> wanted) {
        return sites.containsAll(wanted);
    }

    /** Returns a tensor that keeps what is at a site: the block's own, where it is not overwritten. */
    private Tensor kept(Operations session, Site site, int layer, Tensor rows) {
        if (site == Site.QUERY || site == Site.KEY || site == Site.VALUE || site == Site.COEFFICIENTS) {
            return rows;
        }
        if (site == Site.RESIDUAL_PRE && layer > 0 && keeps(Site.RESIDUAL_POST)
                && intervention.rows(site, layer).isEmpty()) {
            return residualPost(layer - 1);
        }
        var copy = scope.allocate(ElementType.F32, rows.rows(), rows.columns());
        session.copy(copy, rows);
        return copy;
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

    /**
     * Returns what is at a site of a layer, after the edits, of the shape that the site gives.
     *
     * @throws IllegalStateException if the run has not kept it
     */
    public Tensor at(Site site, int layer) {
        var layers = kept.get(site);
        var rows = layers == null ? null : layers.get(layer);
        if (rows == null) {
            throw notKept(site);
        }
        return rows.asReadOnly();
    }

    private IllegalStateException notKept(Site site) {
        return new IllegalStateException("%s: not kept (expected: one of %s)".formatted(site, sites));
    }

    /** Returns the residual stream before a layer, [T, d]. */
    public Tensor residualPre(int layer) {
        return at(Site.RESIDUAL_PRE, layer);
    }

    /** Returns the residual stream before the FFN of a layer, after its attention, [T, d]. */
    public Tensor residualMid(int layer) {
        return at(Site.RESIDUAL_MID, layer);
    }

    /** Returns the residual stream after the FFN of a layer, [T, d]. */
    public Tensor residualPost(int layer) {
        return at(Site.RESIDUAL_POST, layer);
    }

    /** Returns the coefficients of a layer's value vectors, after the activation and the edits, [T, f]. */
    public Tensor coefficients(int layer) {
        return at(Site.COEFFICIENTS, layer);
    }

    /** Returns the values that the heads of a layer have mixed, side by side, [T, d]. */
    public Tensor z(int layer) {
        return at(Site.Z, layer);
    }

    /** Returns the queries of a layer's attention, heads side by side, [T, d]. */
    public Tensor queries(int layer) {
        return attention(Site.QUERY, layer);
    }

    /** Returns the keys of a layer's attention, heads side by side, [T, d]. */
    public Tensor keys(int layer) {
        return attention(Site.KEY, layer);
    }

    /** Returns the values of a layer's attention, heads side by side, [T, d]. */
    public Tensor values(int layer) {
        return attention(Site.VALUE, layer);
    }

    /** Returns one of the three: where one is kept, all are. */
    private Tensor attention(Site site, int layer) {
        if (!keepsAttention()) {
            throw notKept(site);
        }
        long d = model.config().width();
        return queryKeyValue.get(layer).columns((site.ordinal() - Site.QUERY.ordinal()) * d, d).asReadOnly();
    }

    /**
     * Returns the attention weights of a layer, [H·T, T]: row h·T + p are those of head h at position p, after the
     * edits. They are computed anew from queries and keys, and closed by the caller.
     */
    public Tensor pattern(int layer) {
        return pattern(layer, IntStream.range(0, ids.length).toArray());
    }

    /** Returns the attention weights of a layer at n positions, [H·n, T], as {@link #pattern(int)} has them. */
    public Tensor pattern(int layer, int... positions) {
        int heads = model.config().heads();
        int length = ids.length;
        int n = positions.length;
        var pattern = model.device().allocate(ElementType.F32, (long) heads * n, length);
        try (var temporary = new TensorScope(model.device())) {
            model.call(session -> {
                var none = temporary.allocate(ElementType.F32, 0, model.config().width());
                var off = new float[heads * n * length];
                for (int e = 0; e < heads * n; e++) {
                    intervention.takeAway(off, e * length, layer, e / n, positions[e % n]);
                }
                var bias = temporary.allocate(ElementType.F32, pattern.rows(), length);
                session.upload(bias, off);
                session.attentionWeights(pattern, queries(layer),
                        new AttentionContext(heads, 1, none, none, keys(layer), values(layer),
                                temporary.vector(session, 0)),
                        model.config().attentionDivisor(layer),
                        temporary.vector(session,
                                IntStream.range(0, heads * n).map(e -> positions[e % n]).toArray()),
                        temporary.vector(session, IntStream.range(0, heads * n).map(e -> e / n).toArray()), bias);
                for (int e = 0; e < heads * n; e++) {
                    var row = pattern.row(e);
                    intervention.weights(layer, e / n, positions[e % n])
                            .ifPresent(weights -> session.upload(row, Arrays.copyOf(weights, length)));
                }
                return null;
            });
            return pattern;
        } catch (Throwable failure) {
            pattern.close();
            throw failure;
        }
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
