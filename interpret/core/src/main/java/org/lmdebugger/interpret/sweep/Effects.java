package org.lmdebugger.interpret.sweep;

import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.text.Shown;

/**
 * The effects of the interventions of one chunk of a sweep, as columns: element i of each belongs to intervention i.
 * Independent of the model's lifetime. The arrays are the effects' own: read them.
 */
public final class Effects {
    private final SweepPlan plan;
    private final int chunk;
    private final SweepItems items;
    private final int from; // in the items
    private final int[] layers;
    private final int[] neurons;
    private final float[][] values; // by measure
    private final int top;
    private final int[] topIds;
    private final float[] topProbabilities;
    private final Effects clean;

    /** The effect of one intervention, a view of its element in every column. */
    public record Row(Effects effects, int index) {
        /** Returns the index of the prompt in the sweep. */
        public int prompt() {
            return effects.prompt();
        }

        public Intervention intervention() {
            return effects.edits(index);
        }

        /** Returns the neuron that is edited; empty if the intervention is not exactly one edit, of a neuron. */
        public Optional<Neuron> neuron() {
            int layer = effects.layers[index];
            return layer < 0 ? Optional.empty() : Optional.of(new Neuron(layer, effects.neurons[index]));
        }

        /** Returns the measure under the intervention, as {@link Effects#values} has it. */
        public float value(Measure measure) {
            return effects.values(measure)[index];
        }
    }

    /** Takes the effects of a sweep, chunk by chunk, in the plan's order, on the thread that asked for the sweep. */
    public interface Listener {
        /** @return whether to go on */
        boolean take(Effects effects);
    }

    /**
     * Makes room for the effects of some interventions.
     *
     * @param from  the first of them
     * @param clean the unedited prompt's, as one row; null for that itself
     */
    Effects(SweepPlan plan, int chunk, SweepItems items, int from, int size, Effects clean) {
        this.plan = plan;
        this.chunk = chunk;
        this.items = items;
        this.from = from;
        this.clean = clean;
        layers = IntStream.range(from, from + size).map(items::layer).toArray();
        neurons = IntStream.range(from, from + size).map(items::neuron).toArray();
        values = new float[plan.sweep().measures().size()][size];
        top = plan.sweep().measures().stream().mapToInt(m -> m instanceof Measure.Top(int count) ? count : 0).max()
                .orElse(0);
        topIds = new int[size * top];
        topProbabilities = new float[size * top];
    }

    void put(int measure, int at, float[] from) {
        System.arraycopy(from, 0, values[measure], at, from.length);
    }

    void putTop(int at, int[] ids, float[] probabilities) {
        System.arraycopy(ids, 0, topIds, at * top, ids.length);
        System.arraycopy(probabilities, 0, topProbabilities, at * top, probabilities.length);
    }

    /** Gives each intervention from {@code at} on the numbers of the one that is the same, its own or one before it. */
    void repeat(int at, int[] same) {
        for (int i = same.length - 1; i >= 0; i--) {
            for (float[] measured : values) {
                measured[at + i] = measured[at + same[i]];
            }
            System.arraycopy(topIds, (at + same[i]) * top, topIds, (at + i) * top, top);
            System.arraycopy(topProbabilities, (at + same[i]) * top, topProbabilities, (at + i) * top, top);
        }
    }

    /** Gives every intervention the unedited prompt's numbers. */
    void putClean() {
        for (int m = 0; m < values.length; m++) {
            Arrays.fill(values[m], clean.values[m][0]);
        }
        for (int i = 0; i < size(); i++) {
            putTop(i, clean.topIds, clean.topProbabilities);
        }
    }

    /** Returns whether every number is finite. */
    boolean isFinite() {
        return Arrays.stream(values).noneMatch(Effects::hasOther) && !hasOther(topProbabilities);
    }

    private static boolean hasOther(float[] numbers) {
        for (float number : numbers) {
            if (!Float.isFinite(number)) {
                return true;
            }
        }
        return false;
    }

    public SweepPlan plan() {
        return plan;
    }

    /** Number of this chunk in {@link SweepPlan#chunks()}. */
    public int chunk() {
        return chunk;
    }

    /** Index of the prompt in the sweep. */
    public int prompt() {
        return plan.chunks().get(chunk).prompt();
    }

    /** Returns the tokens that measures of {@code target} and {@code against} are of, for this prompt. */
    public Target target() {
        return plan.sweep().targets().get(prompt());
    }

    /** Number of interventions. */
    public int size() {
        return layers.length;
    }

    /** Returns the effects one by one, for programs that do not want columns. */
    public Stream<Row> rows() {
        return IntStream.range(0, size()).mapToObj(i -> new Row(this, i));
    }

    /** Intervention {@code i}. */
    public Intervention edits(int i) {
        return items.edits(from + Objects.checkIndex(i, size()));
    }

    /** Returns the layer of each intervention's edit; −1 if it is not exactly one, of a neuron. */
    public int[] layers() {
        return layers;
    }

    /** Returns the neuron of each intervention's edit; −1 if it is not exactly one, of a neuron. */
    public int[] neurons() {
        return neurons;
    }

    /**
     * Returns a column; ranks are whole numbers from 0. NaN or infinite where an intervention makes the network
     * overflow; then a rank, too, is NaN. @throws IllegalArgumentException if it was not measured, or is a list
     */
    public float[] values(Measure measure) {
        return values[index(measure)];
    }

    /** Returns the value of a measure for the unedited prompt. */
    public float clean(Measure measure) {
        return clean.values[index(measure)][0];
    }

    private int index(Measure measure) {
        int index = plan.sweep().measures().indexOf(measure);
        if (index < 0 || measure instanceof Measure.Top) {
            throw new IllegalArgumentException("measure: %s (expected: one number that was measured: %s)"
                    .formatted(Shown.of(measure), Shown.of(plan.sweep().measures())));
        }
        return index;
    }

    /**
     * Ids of the likeliest tokens, k of each intervention, largest probability first; −1 where the network overflows.
     */
    public int[] topIds() {
        return topIds;
    }

    /** Returns the probabilities of {@link #topIds}; NaN where the network overflows. */
    public float[] topProbabilities() {
        return topProbabilities;
    }

    /** {@link #topIds} of the unedited prompt. */
    public int[] cleanTopIds() {
        return clean.topIds;
    }

    /** {@link #topProbabilities} of the unedited prompt. */
    public float[] cleanTopProbabilities() {
        return clean.topProbabilities;
    }
}
