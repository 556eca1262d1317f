package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.LongUnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.edit.Edit.Operation.Resample;
import org.lmdebugger.text.Shown;

/** An intervention: edits that hold together, in the order given, as an immutable value. */
public record Intervention(List<Edit> list) {
    /** No intervention. */
    public static final Intervention NONE = of();

    private static final int MOST_SAMPLES = 10_000;
    private static final Pattern SWITCH = Pattern.compile("\\s*L\\d{1,9}D\\d{1,9}\\s*=\\s*(on|off)\\s*");

    public Intervention {
        list = List.copyOf(list);
    }

    public static Intervention of(Edit... edits) {
        return new Intervention(List.of(edits));
    }

    /** Edits in their text form. @throws IllegalArgumentException naming the first that is not one */
    public static Intervention parse(String... texts) {
        return parse(Mode.EXACT, Arrays.asList(texts));
    }

    /**
     * Edits in the text form of {@code mode}; in {@link Mode#LM_DEBUGGER} the last switch of a neuron counts.
     *
     * @throws IllegalArgumentException naming the first text that is not one
     */
    public static Intervention parse(Mode mode, List<String> texts) {
        return switch (mode) {
            case EXACT -> new Intervention(texts.stream().map(Edit::parse).toList());
            case LM_DEBUGGER -> switches(texts);
        };
    }

    private static Intervention switches(List<String> texts) {
        var switches = new LinkedHashMap<Neuron, Edit>();
        for (var text : texts) {
            if (!SWITCH.matcher(text).matches()) {
                throw new IllegalArgumentException(
                        "edit: " + Shown.of(text) + " (expected: L12D345=on or L12D345=off in this mode)");
            }
            var edit = Edit.parse(text);
            switches.put((Neuron) edit.part(), edit);
        }
        return new Intervention(List.copyOf(switches.values()));
    }

    public boolean isEmpty() {
        return list.isEmpty();
    }

    /** Returns the edits in their text form. */
    public List<String> texts() {
        return list.stream().map(Edit::toString).toList();
    }

    /** Returns the names of the corpora that edits take means or texts from. */
    public SortedSet<String> corpora() {
        return list.stream().flatMap(edit -> edit.operation().fromCorpus().stream())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /**
     * Returns samples of an intervention that takes texts from corpora: the same edits with other seeds, sample i with i
     * added to the seed of each {@link Edit.Operation.Resample}.
     *
     * @throws IllegalArgumentException if {@code count} is not 2 to 10,000
     */
    public List<Intervention> samples(int count) {
        checkSamples(count);
        return IntStream.range(0, count).mapToObj(i -> withSeeds(seed -> seed + i)).toList();
    }

    /** @throws IllegalArgumentException if a number of samples is not 2 to 10,000 */
    public static void checkSamples(int count) {
        if (count < 2 || count > MOST_SAMPLES) {
            throw new IllegalArgumentException("samples: %d (expected: 2 to %,d)".formatted(count, MOST_SAMPLES));
        }
    }

    /** Returns the same edits with all seeds 0: equal for all samples of one intervention. */
    public Intervention withoutSeeds() {
        return withSeeds(_ -> 0);
    }

    private Intervention withSeeds(LongUnaryOperator change) {
        return new Intervention(list.stream().map(edit -> edit.operation() instanceof Resample(var corpus, long seed)
                ? new Edit(edit.part(), new Resample(corpus, change.applyAsLong(seed)), edit.positions())
                : edit).toList());
    }

    /** Returns whether an edit takes a text from a corpus. */
    public boolean isSampled() {
        return list.stream().anyMatch(edit -> edit.operation() instanceof Resample);
    }

    /** Returns these edits, and after them those of {@code more}. */
    public Intervention and(Intervention more) {
        return new Intervention(Stream.concat(list.stream(), more.list.stream()).toList());
    }

    /** Returns the neurons that are edited, each once. */
    public List<Neuron> neurons() {
        return list.stream().map(Edit::part).filter(Neuron.class::isInstance).map(Neuron.class::cast).distinct()
                .toList();
    }
}
