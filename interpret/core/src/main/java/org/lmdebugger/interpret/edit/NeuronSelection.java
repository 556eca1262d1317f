package org.lmdebugger.interpret.edit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.text.Shown;

/**
 * A choice of value vectors. Text form: {@code all}; layers and neurons such as {@code L0-3}, {@code L2D5} and
 * {@code L2D5-99}, separated by commas (both ends included); or {@code dominant:20}, of each layer the 20 with the
 * largest scores |m|·‖v‖ at the last position of the clean prompt.
 */
public sealed interface NeuronSelection extends PartSelection {
    /** Every neuron of every layer. */
    NeuronSelection ALL = new Ranges(List.of(new Range(0, Range.END, 0, Range.END)));

    /** Neurons {@code first} to {@code last} of layers {@code firstLayer} to {@code lastLayer}. */
    record Range(int firstLayer, int lastLayer, int first, int last) {
        /** The end of a range that goes as far as the model does. */
        public static final int END = Integer.MAX_VALUE;

        public Range {
            if (firstLayer < 0 || lastLayer < firstLayer || first < 0 || last < first) {
                throw new IllegalArgumentException(
                        "neurons: layers %d to %d, neurons %d to %d (expected: from 0 on, ascending)"
                                .formatted(firstLayer, lastLayer, first, last));
            }
        }

        public Range within(Gpt2Config config) {
            int layers = config.layers();
            int width = config.feedForwardWidth();
            if (firstLayer >= layers || lastLayer != END && lastLayer >= layers || first >= width
                    || last != END && last >= width) {
                throw new IllegalArgumentException("neurons: %s (expected: L0 to L%d and D0 to D%d in this model)"
                        .formatted(this, layers - 1, width - 1));
            }
            return new Range(firstLayer, Math.min(lastLayer, layers - 1), first, Math.min(last, width - 1));
        }

        @Override
        public String toString() {
            if (lastLayer == END) {
                return "all";
            }
            return "L" + ends(firstLayer, lastLayer) + (last == END ? "" : "D" + ends(first, last));
        }

        private static String ends(int from, int to) {
            return from == to ? String.valueOf(from) : from + "-" + to;
        }
    }

    /** The neurons of some ranges, each once, by layer and number. */
    record Ranges(List<Range> ranges) implements NeuronSelection {
        private static final Pattern RANGE = Pattern
                .compile("\\s*L(\\d{1,9})(?:-(\\d{1,9}))?(?:D(\\d{1,9})(?:-(\\d{1,9}))?)?\\s*");

        public Ranges {
            ranges = List.copyOf(ranges);
            if (ranges.isEmpty()) {
                throw new IllegalArgumentException("neurons: none (expected: at least one)");
            }
        }

        @Override
        public String toString() {
            return ranges.stream().map(Range::toString).collect(Collectors.joining(","));
        }
    }

    /** The {@code count} neurons of each layer with the largest scores at the last position of the clean prompt. */
    record Dominant(int count) implements NeuronSelection {
        public Dominant {
            if (count < 1) {
                throw new IllegalArgumentException("neurons: dominant:%d (expected: at least 1)".formatted(count));
            }
        }

        @Override
        public String toString() {
            return "dominant:" + count;
        }
    }

    /** Returns all neurons of these layers. */
    static NeuronSelection layers(int... layers) {
        return new Ranges(Arrays.stream(layers).mapToObj(l -> new Range(l, l, 0, Range.END)).toList());
    }

    static NeuronSelection of(Neuron... neurons) {
        return new Ranges(
                Arrays.stream(neurons).map(n -> new Range(n.layer(), n.layer(), n.neuron(), n.neuron())).toList());
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of a choice */
    static NeuronSelection parse(String text) {
        if (text.equals("all")) {
            return ALL;
        }
        if (text.matches("dominant:\\d{1,9}")) {
            return new Dominant(Integer.parseInt(text.substring(text.indexOf(':') + 1)));
        }
        var ranges = new ArrayList<Range>();
        for (var part : text.split(",", -1)) {
            var match = Ranges.RANGE.matcher(part);
            if (!match.matches()) {
                throw new IllegalArgumentException(
                        "neurons: " + Shown.of(text) + " (expected: all, dominant:20, or L0-3, L2D5, "
                                + "L2D5-99, also L0,L2D5)");
            }
            int layer = Integer.parseInt(match.group(1));
            int first = match.group(3) == null ? 0 : Integer.parseInt(match.group(3));
            ranges.add(new Range(layer, end(match.group(2), layer), first,
                    match.group(3) == null ? Range.END : end(match.group(4), first)));
        }
        return new Ranges(ranges);
    }

    private static int end(String text, int start) {
        return text == null ? start : Integer.parseInt(text);
    }
}
