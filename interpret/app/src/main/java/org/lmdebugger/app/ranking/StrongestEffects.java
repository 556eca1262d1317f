package org.lmdebugger.app.ranking;

import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;

/**
 * The effects of a sweep that move a measure farthest from the unedited prompt's. Those that are not finite have no
 * strength: they come last.
 */
public final class StrongestEffects {
    private final int most;
    private final Measure measure;
    private final Change change;
    private final PriorityQueue<Effect> effects = new PriorityQueue<>(Comparator.comparingDouble(Effect::strength)); // the weakest first
    private long notFinite;

    /** The changes that count: all, or those that raise or lower the measure. */
    public enum Change {
        ANY, RAISES, LOWERS;

        private boolean counts(double change) {
            return this == ANY || (this == RAISES ? change > 0 : change < 0);
        }
    }

    /** An effect, in the chunk that it came with. */
    public record Effect(Effects chunk, int index, double strength) {
        public int layer() {
            return chunk.layers()[index];
        }

        public int neuron() {
            return chunk.neurons()[index];
        }

        public float value(Measure measure) {
            return chunk.values(measure)[index];
        }
    }

    /** @param measure one of the sweep's, of one number */
    public StrongestEffects(int most, Measure measure, Change change) {
        this.change = change;
        this.most = most;
        this.measure = measure;
    }

    /** Returns how far a value is from the unedited prompt's; −1 if one of them is not finite. */
    private static double strength(double value, double clean) {
        double change = Math.abs(value - clean);
        return Double.isFinite(change) ? change : -1;
    }

    public void add(Effects chunk) {
        var values = chunk.values(measure);
        double clean = chunk.clean(measure);
        for (int i = 0; i < values.length; i++) {
            if (!change.counts(values[i] - clean)) {
                continue;
            }
            double strength = strength(values[i], clean);
            notFinite += strength < 0 ? 1 : 0;
            if (effects.size() < most || !effects.isEmpty() && strength > effects.peek().strength()) {
                effects.add(new Effect(chunk, i, strength));
                if (effects.size() > most) {
                    effects.remove();
                }
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
