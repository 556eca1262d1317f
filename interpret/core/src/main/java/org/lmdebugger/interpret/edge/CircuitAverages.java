package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.lmdebugger.interpret.patch.Averages.Statistic;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Moments;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;

/**
 * Scores of circuits over a data set of pairs, each averaged; pairs may differ in length. The activations of all pairs stay
 * in the device's memory, so that circuits are computed again and again. It is for one thread.
 */
public final class CircuitAverages implements AutoCloseable {
    private final List<CircuitEngine> engines = new ArrayList<>();

    /**
     * What is left of the behaviour in a circuit, on average; {@link CircuitEngine.Score} defines the numbers.
     *
     * @param edges        how many are kept
     * @param faithfulness the mean of each pair's own, over the pairs that have one
     */
    public record Score(int edges, Statistic difference, Statistic faithfulness, Statistic kl) {
    }

    /**
     * Runs the prompts of all pairs, at least one.
     *
     * @param measure the number that is measured in place of the logit difference, as of {@link EdgePlan#of}
     * @throws IllegalArgumentException if a pair or the measure does not fit the model
     */
    public CircuitAverages(Gpt2 model, List<Pair> pairs, Direction direction, Optional<Measure> measure) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("pairs: none (expected: at least one)");
        }
        try {
            pairs.forEach(pair -> engines.add(new CircuitEngine(model, pair, direction, measure)));
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    /** Returns the pairs without patching. */
    public List<Baseline> baselines() {
        return engines.stream().map(CircuitEngine::baseline).toList();
    }

    /** Returns how many circuits are computed together at most. */
    public int batch() {
        return engines.stream().mapToInt(CircuitEngine::batch).min().orElseThrow();
    }

    /** Runs circuits; the same one gives the same score beside any others, but for rounding on a GPU. */
    public List<Score> scores(List<Circuit> circuits) {
        var all = engines.stream().map(engine -> engine.scores(circuits)).toList();
        var averages = new ArrayList<Score>();
        for (int c = 0; c < circuits.size(); c++) {
            int circuit = c;
            var scores = all.stream().map(ofPair -> ofPair.get(circuit)).toList();
            averages.add(new Score(circuits.get(c).edges().size(), mean(scores, CircuitEngine.Score::difference),
                    mean(scores, CircuitEngine.Score::faithfulness), mean(scores, CircuitEngine.Score::kl)));
        }
        return averages;
    }

    private static Statistic mean(List<CircuitEngine.Score> scores, ToDoubleFunction<CircuitEngine.Score> number) {
        var moments = new Moments();
        scores.forEach(score -> moments.add(number.applyAsDouble(score)));
        return moments.statistic();
    }

    @Override
    public void close() {
        engines.forEach(CircuitEngine::close);
    }
}
