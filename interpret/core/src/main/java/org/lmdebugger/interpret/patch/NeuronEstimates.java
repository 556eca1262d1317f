package org.lmdebugger.interpret.patch;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Backward;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/**
 * First-order estimates of the effects of patching neurons, each at one position, by attribution patching (Kramár et al.,
 * 2024, arXiv 2403.00745): the effect of a coefficient m on the logit difference M is about (m_S − m_B) · ∂M/∂m, of the
 * base run B and the source run S. Two forward passes and one backward pass give all of them.
 *
 * @param first   the first position at which the prompts differ; no neuron before it has an effect
 * @param effects in logits, as {@link Grid.Cell#effect}: of each layer, of each position from {@code first} on, of each
 *                neuron
 */
public record NeuronEstimates(Pair pair, Direction direction, int first, int positions, int width, double[] effects) {
    /** A neuron at a position. */
    public record Place(Neuron neuron, int position) {
    }

    /**
     * Estimates the effects of all neurons. The same pair gives the same bits.
     *
     * @throws IllegalArgumentException if the pair does not fit the model, its prompts are the same, or a number of the
     *     network is not finite
     */
    public static NeuronEstimates of(Gpt2 model, Pair pair, Direction direction) {
        var ids = pair.ids(model);
        int first = Arrays.mismatch(ids.clean(), ids.corrupted());
        if (first < 0) {
            throw new IllegalArgumentException("pair: the same prompt twice (expected: two that differ)");
        }
        int n = ids.length() - first;
        int width = model.config().feedForwardWidth();
        var effects = new double[model.config().layers() * n * width];
        boolean noise = direction == Direction.NOISE;
        try (var base = run(model, noise ? ids.clean() : ids.corrupted());
                var source = run(model, noise ? ids.corrupted() : ids.clean());
                var memory = new TensorScope(model.device())) {
            model.call(session -> {
                float[] gradient = new float[n * width], from = new float[n * width], to = new float[n * width];
                var logits = memory.vector(session, ids.gradient(model.config().vocabularySize()));
                Backward.run(model, session, base::at, logits, (site, layer, rows) -> {
                    if (site != Site.COEFFICIENTS) {
                        return;
                    }
                    session.download(gradient, rows.rows(first, n));
                    session.download(from, base.coefficients(layer).rows(first, n));
                    session.download(to, source.coefficients(layer).rows(first, n));
                    for (int i = 0; i < n * width; i++) {
                        effects[layer * n * width + i] = ((double) to[i] - from[i]) * gradient[i];
                    }
                });
                return null;
            });
        }
        var estimates = new NeuronEstimates(pair, direction, first, n, width, effects);
        for (int i = 0; i < effects.length; i++) {
            if (!Double.isFinite(effects[i])) {
                throw new IllegalArgumentException(
                        "neuron: %s: the estimate of its effect is %s (expected: a network whose numbers are finite)"
                                .formatted(estimates.place(i), effects[i]));
            }
        }
        return estimates;
    }

    private static Activations run(Gpt2 model, int[] prompt) {
        return Activations.forward(model, prompt, CompiledIntervention.NONE, Activations.Keep.ALL);
    }

    /** Returns the neuron and position of an index of the effects. */
    public Place place(int index) {
        return new Place(new Neuron(index / width / positions, index % width), first + index / width % positions);
    }

    /**
     * Returns the choice of effects that are to be computed exactly.
     *
     * @throws IllegalArgumentException as {@link Sieve#of}
     */
    public Sieve sieve(int best, int sample, long seed) {
        return Sieve.of(effects, best, sample, seed);
    }

    /**
     * Patches what a sieve has chosen, exactly.
     *
     * @param progress of the effects
     * @return by index of the effects, ascending
     */
    public Map<Integer, Grid.Cell> exact(Gpt2 model, Sieve sieve, Progress progress) {
        var byPosition = IntStream.of(sieve.chosen()).boxed()
                .collect(Collectors.groupingBy(index -> place(index).position(), TreeMap::new, Collectors.toList()));
        var cells = new TreeMap<Integer, Grid.Cell>();
        byPosition.forEach((position, indices) -> {
            var neurons = indices.stream().map(index -> place(index).neuron()).toArray(Neuron[]::new);
            var patching = new Patching(NeuronSelection.of(neurons), direction, Columns.ROLES);
            var grid = PatchPlan.of(model, References.NONE, pair.roles(Map.of("chosen", position)), List.of(patching),
                    Sweep.AS_SUITS).grids(
                            (done, all) -> progress.report(cells.size() + done, sieve.chosen().length))
                    .getFirst();
            for (int i = 0; i < neurons.length; i++) {
                cells.put(indices.get(i), grid.cells().get(grid.parts().indexOf(neurons[i])).getFirst());
            }
        });
        return cells;
    }
}
