package org.lmdebugger.interpret.edit;

import java.util.regex.Pattern;
import org.lmdebugger.model.Site;
import org.lmdebugger.text.Shown;

/** One neuron of the model, and so one value vector. Text form: {@code L12D345}. */
public record Neuron(int layer, int neuron) implements Part {
    private static final Pattern FORM = Pattern.compile("L(\\d{1,9})D(\\d{1,9})");

    /**
     * Reads the text form.
     *
     * @throws IllegalArgumentException if {@code text} is not one
     */
    public static Neuron parse(String text) {
        var parts = FORM.matcher(text.strip());
        if (!parts.matches()) {
            throw new IllegalArgumentException(
                    "value vector: " + Shown.of(text) + " (expected: a layer and a neuron, as in L12D345)");
        }
        return new Neuron(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2)));
    }

    @Override
    public Site site() {
        return Site.COEFFICIENTS;
    }

    /** Returns the text form. */
    @Override
    public String toString() {
        return "L" + layer + "D" + neuron;
    }

    /** Spreads neurons of neighbouring layers: a sweep has tens of thousands in a table. */
    @Override
    public int hashCode() {
        return layer * 0x9e3779b9 + neuron;
    }
}
