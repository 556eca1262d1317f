package org.lmdebugger.app.ranking;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.PriorityQueue;
import java.util.function.IntPredicate;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.interpret.sweep.SampleMeans.Means;

/**
 * The effects of a sweep that move a measure farthest from the unedited prompt's; of interventions with samples, the
 * means over these. Those that are not finite have no strength: they come last.
 */
public final class StrongestEffects {
    private final int most;
    private final Measure measure;
    private final Change change;
    private final PriorityQueue<Effect> effects = new PriorityQueue<>(Comparator.comparingDouble(Effect::strength)); // the weakest first
    private final Optional<SampleMeans> samples;
    private long notFinite;

    /** The changes that count: all, or those that raise or lower the measure. */
    public enum Change {
        ANY, RAISES, LOWERS;

        private boolean counts(double change) {
            return this == ANY || (this == RAISES ? change > 0 : change < 0);
        }
    }

    /**
     * An effect, in the chunk that it came with.
     *
     * @param means of the samples, if the effect is of the last of several
     */
    public record Effect(Effects chunk, int index, double strength, Optional<Means> means) {
        /** Returns the intervention; of samples without their seeds. */
        public Intervention intervention() {
            return means.map(Means::intervention).orElseGet(() -> chunk.edits(index));
        }

        public int layer() {
            return chunk.layers()[index];
        }

        public int neuron() {
            return chunk.neurons()[index];
        }

        public float value(Measure measure) {
            return means.map(each -> (float) each.values().get(measure).mean())
                    .orElseGet(() -> chunk.values(measure)[index]);
        }

        /** Returns the standard error of a mean over samples. */
        public OptionalDouble standardError(Measure measure) {
            return means.stream().mapToDouble(each -> each.values().get(measure).standardError()).findFirst();
        }
    }

    /** @param measure one of the sweep's, of one number */
    public StrongestEffects(int most, Measure measure, Change change) {
        this(most, measure, change, Optional.empty());
    }

    /** @param samples averages interventions with samples, instead of taking each sample for itself */
    public StrongestEffects(int most, Measure measure, Change change, Optional<SampleMeans> samples) {
        this.change = change;
        this.most = most;
        this.measure = measure;
        this.samples = samples;
    }

    /** Returns how far a value is from the unedited prompt's; −1 if one of them is not finite. */
    private static double strength(double value, double clean) {
        double change = Math.abs(value - clean);
        return Double.isFinite(change) ? change : -1;
    }

    public void add(Effects chunk) {
        add(chunk, _ -> true);
    }

    /** Adds the effects of a chunk, those alone whose index {@code isMeant}. */
    public void add(Effects chunk, IntPredicate isMeant) {
        for (int i = 0; i < chunk.size(); i++) {
            if (!isMeant.test(i)) {
                continue;
            }
            if (samples.isPresent() && chunk.edits(i).isSampled()) {
                int last = i;
                samples.get().add(chunk, i).ifPresent(means -> add(chunk, last, Optional.of(means)));
            } else {
                add(chunk, i, Optional.empty());
            }
        }
    }

    private void add(Effects chunk, int index, Optional<Means> means) {
        double clean = chunk.clean(measure);
        double value = means.map(each -> each.values().get(measure).mean())
                .orElseGet(() -> (double) chunk.values(measure)[index]);
        if (!change.counts(value - clean)) {
            return;
        }
        double strength = strength(value, clean);
        notFinite += strength < 0 ? 1 : 0;
        if (effects.size() < most || !effects.isEmpty() && strength > effects.peek().strength()) {
            effects.add(new Effect(chunk, index, strength, means));
            if (effects.size() > most) {
                effects.remove();
            }
        }
    }

    /** Returns the strongest effects, the strongest first. */
    public List<Effect> effects() {
        return effects.stream().sorted(Comparator.comparingDouble(Effect::strength).reversed()).toList();
    }

    /** Returns the number of added effects that are not finite. */
    public long notFinite() {
        return notFinite;
    }
}
