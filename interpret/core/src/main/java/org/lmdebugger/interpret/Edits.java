package org.lmdebugger.interpret;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/**
 * An intervention: edits that hold together, in the order given, as an immutable value. In mode
 * {@link Mode#LM_DEBUGGER} there are {@link #switches() switches} instead of edits.
 *
 * @param mode     what the edits write
 * @param list     the edits, in {@link Mode#EXACT}
 * @param switches value vectors that are on (true) or off, in {@link Mode#LM_DEBUGGER}
 */
public record Edits(Mode mode, List<Edit> list, Map<Neuron, Boolean> switches) {
    /** No intervention. */
    public static final Edits NONE = new Edits(Mode.EXACT, List.of(), Map.of());

    private static final Pattern SWITCH = Pattern.compile("\\s*L(\\d{1,9})D(\\d{1,9})\\s*=\\s*(on|off)\\s*");

    /** One value vector of the model. */
    public record Neuron(int layer, int neuron) {
        private static final Pattern NEURON = Pattern.compile("L(\\d{1,9})D(\\d{1,9})");

        /** From its text form, L12D345. */
        public static Neuron parse(String text) {
            var parts = NEURON.matcher(text.strip());
            if (!parts.matches()) {
                throw new IllegalArgumentException("value vector: " + Shown.of(text) + " (expected: a layer and a neuron, as in L12D345)");
            }
            return new Neuron(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2)));
        }

        @Override
        public String toString() {
            return "L" + layer + "D" + neuron;
        }
    }

    public Edits {
        list = List.copyOf(list);
        switches = Collections.unmodifiableMap(new LinkedHashMap<>(switches));
    }

    public static Edits of(Edit... edits) {
        return new Edits(Mode.EXACT, List.of(edits), Map.of());
    }

    /** Edits in their text form. @throws IllegalArgumentException naming the first that is not one */
    public static Edits parse(String... texts) {
        return parse(Mode.EXACT, Arrays.asList(texts));
    }

    /** Edits in the text form of {@code mode}; in {@link Mode#LM_DEBUGGER} the last switch of a neuron counts. */
    public static Edits parse(Mode mode, List<String> texts) {
        return switch (mode) {
            case EXACT -> new Edits(mode, texts.stream().map(Edit::parse).toList(), Map.of());
            case LM_DEBUGGER -> lmDebugger(texts);
        };
    }

    private static Edits lmDebugger(List<String> texts) {
        var switches = new LinkedHashMap<Neuron, Boolean>();
        for (var text : texts) {
            var parts = SWITCH.matcher(text);
            if (!parts.matches()) {
                throw new IllegalArgumentException("edit: " + Shown.of(text) + " (expected: L12D345=on or L12D345=off in this mode)");
            }
            switches.put(new Neuron(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2))), parts.group(3).equals("on"));
        }
        return new Edits(Mode.LM_DEBUGGER, List.of(), switches);
    }

    public boolean isEmpty() {
        return list.isEmpty() && switches.isEmpty();
    }

    /** The edits in their text form. */
    public List<String> texts() {
        return switch (mode) {
            case EXACT -> list.stream().map(Edit::toString).toList();
            case LM_DEBUGGER -> switches.entrySet().stream().map(e -> e.getKey() + (e.getValue() ? "=on" : "=off")).toList();
        };
    }

    /** The neurons that are edited, each once. */
    List<Neuron> neurons() {
        var neurons = new ArrayList<>(switches.keySet());
        list.forEach(edit -> neurons.add(new Neuron(edit.layer(), edit.neuron())));
        return neurons.stream().distinct().toList();
    }
}
