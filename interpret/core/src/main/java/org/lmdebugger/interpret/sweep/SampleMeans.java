package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.lmdebugger.interpret.edit.Intervention;

/**
 * Means of effects over the samples of a sweep ({@link Sweep#samples}): effects are added in the order of the sweep, and
 * an intervention's mean is there when its last sample is added. One thread at a time.
 */
public final class SampleMeans {
    private final List<Measure> measures;
    private final int samples;
    private final Map<Key, Pending> pending = new HashMap<>();

    /**
     * Means over {@code samples} samples of each intervention.
     *
     * @param measures of the sweep, each of one number
     */
    public SampleMeans(List<Measure> measures, int samples) {
        this.measures = List.copyOf(measures);
        this.samples = samples;
    }

    /**
     * A mean over samples.
     *
     * @param standardError s ÷ √n, with s² = Σ(x − mean)² ÷ (n − 1), of n samples
     */
    public record Mean(double mean, double standardError) {
        /** Returns the mean of at least two numbers. */
        private static Mean of(List<Float> numbers) {
            double n = numbers.size();
            double mean = numbers.stream().mapToDouble(x -> x).sum() / n;
            double squares = numbers.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum();
            return new Mean(mean, Math.sqrt(squares / (n - 1) / n));
        }
    }

    /**
     * The means of an intervention.
     *
     * @param intervention with all seeds 0
     * @param values       by measure
     */
    public record Means(int prompt, Intervention intervention, Map<Measure, Mean> values) {
        public Means {
            values = Map.copyOf(values);
        }
    }

    private record Key(int prompt, Intervention intervention) {
    }

    /** The samples of an intervention so far. */
    private static final class Pending {
        private final Map<Measure, List<Float>> numbers = new HashMap<>(); // of each sample
        private int count;
    }

    /**
     * Adds effect {@code index} of a chunk.
     *
     * @return the intervention's means, if this was its last sample
     */
    public Optional<Means> add(Effects effects, int index) {
        var key = new Key(effects.prompt(), effects.edits(index).withoutSeeds());
        var own = pending.computeIfAbsent(key, _ -> new Pending());
        for (var measure : measures) {
            own.numbers.computeIfAbsent(measure, _ -> new ArrayList<>()).add(effects.values(measure)[index]);
        }
        if (++own.count < samples) {
            return Optional.empty();
        }
        pending.remove(key);
        var means = new HashMap<Measure, Mean>();
        own.numbers.forEach((measure, numbers) -> means.put(measure, Mean.of(numbers)));
        return Optional.of(new Means(key.prompt(), key.intervention(), means));
    }
}
