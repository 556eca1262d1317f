package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.text.Shown;

/**
 * A choice of parts that a sweep edits one at a time: a {@link NeuronSelection}, a kind of part in all layers or in
 * some ({@link OfKind}), parts by name ({@link Named}), also several together as one intervention, or several such
 * choices ({@link Several}).
 */
public sealed interface PartSelection
        permits NeuronSelection, PartSelection.OfKind, PartSelection.Named, PartSelection.Several {
    /** A kind of part. */
    enum Kind {
        /** Every head's mixed values. */
        HEADS,
        /** Every head's queries. */
        Q,
        /** Every head's keys. */
        K,
        /** Every head's values. */
        V,
        /** Every head's attention weights. */
        PATTERN,
        /** Every head's attention to each position. */
        LINKS,
        /** The residual stream before each layer. */
        PRE,
        /** The residual stream of each layer between attention and feed-forward layer. */
        MID,
        /** The residual stream after each layer. */
        POST,
        /** The output of each layer's attention. */
        ATTENTION,
        /** The output of each feed-forward layer. */
        FFN;

        /** Returns the kind of a part; neurons have none. */
        public static Optional<Kind> of(Part part) {
            return switch (part) {
                case Neuron neuron -> Optional.empty();
                case Link link -> Optional.of(LINKS);
                case Residual residual -> Optional.of(valueOf(residual.point().name()));
                case Head head -> Optional.of(switch (head.vector()) {
                    case Z -> HEADS;
                    case QUERY -> Q;
                    case KEY -> K;
                    case VALUE -> V;
                    case PATTERN -> PATTERN;
                });
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** The parts of one kind in layers {@code firstLayer} to {@code lastLayer}, or as many of them as the model has. */
    record OfKind(Kind kind, int firstLayer, int lastLayer) implements PartSelection {
        private static final Pattern FORM = Pattern.compile("([a-z]+)(?::L(\\d{1,9})(?:-(\\d{1,9}))?)?");

        public OfKind {
            if (firstLayer < 0 || lastLayer < firstLayer) {
                throw new IllegalArgumentException("sites: layers %d to %d (expected: from 0 on, ascending)"
                        .formatted(firstLayer, lastLayer));
            }
        }

        /** All parts of a kind. */
        public OfKind(Kind kind) {
            this(kind, 0, Integer.MAX_VALUE);
        }

        @Override
        public String toString() {
            return kind + (firstLayer == 0 && lastLayer == Integer.MAX_VALUE ? ""
                    : ":L" + firstLayer + (lastLayer == firstLayer ? "" : "-" + lastLayer));
        }
    }

    /** Parts by name, each list one intervention. */
    record Named(List<List<Part>> groups) implements PartSelection {
        public Named {
            groups = groups.stream().map(List::copyOf).toList();
            if (groups.isEmpty() || groups.stream().anyMatch(List::isEmpty)) {
                throw new IllegalArgumentException("sites: none (expected: at least one)");
            }
        }

        @Override
        public String toString() {
            return groups.stream().map(group -> group.stream().map(Part::toString).collect(Collectors.joining("+")))
                    .collect(Collectors.joining(","));
        }
    }

    /** The parts of several choices, one choice after the other. */
    record Several(List<PartSelection> selections) implements PartSelection {
        public Several {
            selections = List.copyOf(selections);
            if (selections.isEmpty()) {
                throw new IllegalArgumentException("sites: none (expected: at least one)");
            }
        }

        @Override
        public String toString() {
            return selections.stream().map(PartSelection::toString).collect(Collectors.joining(","));
        }
    }

    /**
     * Reads the text form: {@code neurons}, {@code heads}, {@code q}, {@code k}, {@code v}, {@code pattern},
     * {@code links}, {@code pre}, {@code mid}, {@code post}, {@code attention} or {@code ffn}, also with layers as in
     * {@code heads:L2-4}; or parts by name, with + between the parts of one intervention: {@code L5D1+L5D7}. A comma
     * stands between several: {@code pre,mid}, {@code L5H3,L6H*}.
     *
     * @throws IllegalArgumentException if {@code text} is not one
     */
    static PartSelection parse(String text) {
        try {
            var selections = Arrays.stream(text.split(",", -1)).map(PartSelection::parseOne).toList();
            if (selections.stream().allMatch(Named.class::isInstance)) {
                return new Named(selections.stream().flatMap(each -> ((Named) each).groups().stream()).toList());
            }
            return selections.size() == 1 ? selections.getFirst() : new Several(selections);
        } catch (IllegalArgumentException failure) {
            throw new IllegalArgumentException("sites: " + Shown.of(text) + " (expected: neurons, heads, q, k, v, "
                    + "pattern, links, pre, mid, post, attention, ffn, heads:L2-4, or parts such as L5H3,L5D1+L5D7)",
                    failure);
        }
    }

    private static PartSelection parseOne(String text) {
        if (text.equals("neurons")) {
            return NeuronSelection.ALL;
        }
        var form = OfKind.FORM.matcher(text);
        if (form.matches()) {
            var kind = Arrays.stream(Kind.values()).filter(each -> each.toString().equals(form.group(1))).findFirst();
            if (kind.isPresent()) {
                int first = form.group(2) == null ? 0 : Integer.parseInt(form.group(2));
                int last = form.group(2) == null ? Integer.MAX_VALUE
                        : form.group(3) == null ? first : Integer.parseInt(form.group(3));
                return new OfKind(kind.get(), first, last);
            }
        }
        return new Named(List.of(Arrays.stream(text.split("\\+", -1)).map(Part::parse).toList()));
    }
}
