package org.lmdebugger.interpret.edge;

import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.TreeSet;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.patch.Sieve;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * First-order estimates of the effects of edges, by edge attribution patching (Syed et al., 2023, arXiv 2310.10348): the
 * effect of u → v on the logit difference M is about Σ (out_S(u) − out_B(u)) · ∂M/∂x over the positions, where x is what v
 * reads before its LayerNorm, in the base run B. Two forward passes and one backward pass give those of all edges. They may
 * be far off where the network is not linear, as in attention that moves; a {@link Sieve} says how far.
 *
 * @param edges   each once, in order
 * @param effects of each edge, in logits, as {@link org.lmdebugger.interpret.patch.Grid.Cell#effect}
 */
public record EdgeEstimates(Direction direction, List<Edge> edges, List<Double> effects) {
    /**
     * Estimates the effects of edges of a pair. The same pair gives the same bits.
     *
     * @param edges all of the model's if there is none
     * @throws IllegalArgumentException if the pair or an edge does not fit the model, or a number of the network is not finite
     */
    public static EdgeEstimates of(Gpt2 model, Pair pair, Direction direction, Collection<Edge> edges) {
        return of(model, List.of(pair), direction, edges, Progress.NONE);
    }

    /**
     * Estimates the mean effects of edges over a data set of pairs.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the pairs
     * @throws IllegalArgumentException if there is no pair, a pair or an edge does not fit the model, or a number of the
     *     network is not finite
     */
    public static EdgeEstimates of(Gpt2 model, List<Pair> pairs, Direction direction, Collection<Edge> edges,
            Progress progress) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("pairs: none (expected: at least one)");
        }
        edges.forEach(edge -> edge.check(model.config()));
        var all = edges.isEmpty() ? Edge.all(model.config()) : List.copyOf(new TreeSet<>(edges));
        var sums = new double[all.size()];
        for (int p = 0; p < pairs.size(); p++) {
            add(sums, model, pairs.get(p), direction, all);
            progress.report(p + 1, pairs.size());
        }
        return new EdgeEstimates(direction, all, Arrays.stream(sums).mapToObj(sum -> sum / pairs.size()).toList());
    }

    private static void add(double[] sums, Gpt2 model, Pair pair, Direction direction, List<Edge> edges) {
        var ids = pair.ids(model);
        int first = Arrays.mismatch(ids.clean(), ids.corrupted());
        if (first < 0) { // nothing changes
            return;
        }
        boolean noise = direction == Direction.NOISE;
        try (var base = run(model, noise ? ids.clean() : ids.corrupted());
                var source = run(model, noise ? ids.corrupted() : ids.clean());
                var memory = new TensorScope(model.device())) {
            var attribution = model.call(session -> {
                var pass = new EdgeAttribution(session, memory, base, source, ids.length() - first);
                pass.run(memory, ids.gradient(model.config().vocabularySize()));
                return pass;
            });
            for (int e = 0; e < sums.length; e++) {
                double effect = attribution.effect(edges.get(e));
                if (!Double.isFinite(effect)) {
                    throw new IllegalArgumentException(
                            "edge: %s: the estimate of its effect is %s (expected: a network whose numbers are finite)"
                                    .formatted(edges.get(e), effect));
                }
                sums[e] += effect;
            }
        }
    }

    private static Activations run(Gpt2 model, int[] prompt) {
        return Activations.forward(model, prompt, CompiledIntervention.NONE, Activations.Keep.ALL);
    }

    /**
     * Returns the choice of edges whose effects are to be computed exactly.
     *
     * @throws IllegalArgumentException as {@link Sieve#of}
     */
    public Sieve sieve(int best, int sample, long seed) {
        return Sieve.of(effects.stream().mapToDouble(effect -> effect).toArray(), best, sample, seed);
    }

    /** Returns the edges that a sieve has chosen, in order. */
    public List<Edge> chosen(Sieve sieve) {
        return IntStream.of(sieve.chosen()).mapToObj(edges::get).toList();
    }

    /**
     * Judges a sieve by exact effects.
     *
     * @param exact   edges, all that it has chosen among them
     * @param effects of these, by index
     */
    public Sieve.Quality quality(Sieve sieve, List<Edge> exact, IntToDoubleFunction effects) {
        var index = new HashMap<Edge, Integer>();
        exact.forEach(edge -> index.put(edge, index.size()));
        return sieve.quality(e -> effects.applyAsDouble(index.get(edges.get(e))));
    }
}
