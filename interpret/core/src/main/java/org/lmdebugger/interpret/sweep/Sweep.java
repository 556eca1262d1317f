package org.lmdebugger.interpret.sweep;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceTraits;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation.Resample;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.model.Prompt;

/**
 * Many interventions, each alone, and what they do to the prediction after the prompt: prompts × neurons × operations,
 * and interventions of your own. An immutable value that is built fluently:
 * {@snippet :
 * var sweep = Sweep.of("The man is a").allNeurons().off().atLast().measure(Measure.kl(), Measure.logit(" king"));
 * debugger.sweep(sweep, effects -> {
 *     float[] kl = effects.values(Measure.kl());
 *     return true; // go on
 * });
 * }
 *
 * @param prompts       each is measured by itself, at its last position
 * @param targets       the tokens of each prompt that measures of {@code target} and {@code against} are of
 * @param parts         those that the operations are done to, one at a time; null for none
 * @param operations    what is done to each of them; LM-Debugger's on and off at all positions
 * @param interventions further interventions, of any number of edits
 * @param base          edits that hold in the clean run and under every intervention, before its own
 * @param positions     where the other operations are done; without effect on {@code interventions}
 * @param measures      what is measured: only that is computed
 * @param memory        bytes of device memory that a chunk may take, beside the weights and the prompt's clean run;
 *                      {@link #AS_SUITS} for as many as suit the device. The runs of texts that edits take from corpora
 *                      may take four times as many; of more texts, a chunk's runs are computed for it alone
 */
public record Sweep(List<Prompt> prompts, List<Target> targets, PartSelection parts,
        List<Edit.Operation> operations,
        List<Intervention> interventions, Intervention base, Positions positions, List<Measure> measures, long memory) {
    /** The memory of chunks that suit the device ({@link DeviceTraits#chunkBytes}): unless another number is chosen. */
    public static final long AS_SUITS = Long.MAX_VALUE;

    public Sweep {
        prompts = List.copyOf(prompts);
        targets = List.copyOf(targets);
        operations = List.copyOf(operations);
        interventions = List.copyOf(interventions);
        measures = List.copyOf(measures);
        if (targets.size() != prompts.size()) {
            throw new IllegalArgumentException("targets: %d for %d prompt%s (expected: one for each)"
                    .formatted(targets.size(), prompts.size(), prompts.size() == 1 ? "" : "s"));
        }
        if (memory < 1) {
            throw new IllegalArgumentException("memory: %d bytes (expected: at least 1)".formatted(memory));
        }
    }

    /** Returns a sweep of these prompts, so far without anything else, at the last position. */
    public static Sweep of(List<Prompt> prompts) {
        return new Sweep(prompts, Collections.nCopies(prompts.size(), Target.NONE), null, List.of(), List.of(),
                Intervention.NONE, Positions.LAST, List.of(), AS_SUITS);
    }

    /** Returns a sweep of these texts. */
    public static Sweep of(String... prompts) {
        return of(Arrays.stream(prompts).map(Prompt::of).toList());
    }

    /** Returns a sweep of these prompts, given as ids of tokens. */
    public static Sweep ofIds(int[]... prompts) {
        return of(Arrays.stream(prompts).map(Prompt::ofIds).toList());
    }

    /**
     * Gives each prompt its own target token, for measures such as {@code logit:target}.
     *
     * @param each in the order of the prompts; {@link Target#NONE} for a prompt without one
     * @throws IllegalArgumentException if they are not as many as the prompts
     */
    public Sweep targets(List<Target> each) {
        return new Sweep(prompts, each, parts, operations, interventions, base, positions, measures, memory);
    }

    /** Gives each prompt its own target token. */
    public Sweep targets(Target... each) {
        return targets(List.of(each));
    }

    public Sweep neurons(NeuronSelection choice) {
        return parts(choice);
    }

    /** Chooses the parts that the operations are done to, one at a time. */
    public Sweep parts(PartSelection choice) {
        return new Sweep(prompts, targets, choice, operations, interventions, base, positions, measures, memory);
    }

    /** Holds these edits in the clean run and under every intervention, before its own. */
    public Sweep base(Intervention edits) {
        return new Sweep(prompts, targets, parts, operations, interventions, edits, positions, measures, memory);
    }

    public Sweep allNeurons() {
        return neurons(NeuronSelection.ALL);
    }

    /** Chooses all neurons of these layers. */
    public Sweep layers(int... layers) {
        return neurons(NeuronSelection.layers(layers));
    }

    /** Chooses the {@code count} neurons of each layer with the largest scores at the prompt's last position. */
    public Sweep dominant(int count) {
        return neurons(new NeuronSelection.Dominant(count));
    }

    /** Does this, too, to each neuron, by itself. */
    public Sweep operation(Edit.Operation operation) {
        return new Sweep(prompts, targets, parts, append(operations, Stream.of(operation)), interventions, base,
                positions,
                measures,
                memory);
    }

    public Sweep off() {
        return set(0);
    }

    public Sweep set(float value) {
        return operation(new Edit.Operation.Set(value));
    }

    public Sweep scale(float factor) {
        return operation(new Edit.Operation.Scale(factor));
    }

    public Sweep add(float amount) {
        return operation(new Edit.Operation.Add(amount));
    }

    /** Sets the coefficient to its value at the same position of {@code prompt}. */
    public Sweep from(String prompt) {
        return operation(new Edit.Operation.From(prompt));
    }

    /** On or off as LM-Debugger does it, at all positions. */
    public Sweep lmDebugger(boolean on) {
        return operation(on ? new Edit.Operation.On() : new Edit.Operation.Off());
    }

    /**
     * Does each operation that takes a text from a corpus {@code count} times, with as many seeds, from the operation's
     * own on. {@link SampleMeans} averages the effects.
     *
     * @throws IllegalArgumentException if there is no such operation, or there are two of one corpus, or the count is not 2
     *                                  to 10,000
     */
    public Sweep samples(int count) {
        Intervention.checkSamples(count);
        var sampled = operations.stream().filter(Resample.class::isInstance).map(Resample.class::cast).toList();
        if (sampled.isEmpty() || sampled.stream().map(Resample::corpus).distinct().count() < sampled.size()) {
            throw new IllegalArgumentException(
                    "samples: %d of %s (expected: one operation resample:NAME of each corpus)".formatted(count,
                            sampled.isEmpty() ? "no operation" : sampled));
        }
        var repeated = operations.stream().flatMap(operation -> operation instanceof Resample(var corpus, long seed)
                ? LongStream.range(seed, seed + count).mapToObj(each -> new Resample(corpus, each))
                : Stream.of(operation)).toList();
        return new Sweep(prompts, targets, parts, repeated, interventions, base, positions, measures, memory);
    }

    /** Returns the names of the corpora that means and texts are taken from. */
    public SortedSet<String> corpora() {
        var all = new TreeSet<>(base.corpora());
        operations.forEach(operation -> operation.fromCorpus().ifPresent(all::add));
        interventions.forEach(each -> all.addAll(each.corpora()));
        return all;
    }

    /** Adds interventions, each of one or more edits that hold together. */
    public Sweep interventions(List<Intervention> more) {
        return new Sweep(prompts, targets, parts, operations, append(interventions, more.stream()), base, positions,
                measures,
                memory);
    }

    public Sweep at(Positions where) {
        return new Sweep(prompts, targets, parts, operations, interventions, base, where, measures, memory);
    }

    /** At the prompt's last position: the default, and much the fastest. */
    public Sweep atLast() {
        return at(Positions.LAST);
    }

    public Sweep atAll() {
        return at(Positions.ALL);
    }

    /** Measures this, too. */
    public Sweep measure(Measure... more) {
        return new Sweep(prompts, targets, parts, operations, interventions, base, positions,
                append(measures, Arrays.stream(more)), memory);
    }

    public Sweep memory(long bytes) {
        return new Sweep(prompts, targets, parts, operations, interventions, base, positions, measures, bytes);
    }

    /** Returns the bytes that a chunk may take on a device. */
    public long memoryOn(Device device) {
        return memory == AS_SUITS ? device.traits().chunkBytes() : memory;
    }

    /** Returns where {@code operation} is done. */
    Positions positions(Edit.Operation operation) {
        return operation.isSwitch() ? Positions.ALL : positions;
    }

    private static <T> List<T> append(List<T> list, Stream<T> more) {
        return Stream.concat(list.stream(), more).toList();
    }
}
