package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/** A way to read the texts of edits and of a sweep's operations. */
public enum Mode {
    /** Every text form of an {@link Edit}. */
    EXACT,
    /**
     * LM-Debugger's switches alone, at all positions: {@code L12D345=on} or {@code L12D345=off}. The last switch of a
     * neuron counts.
     */
    LM_DEBUGGER;

    private static final Pattern OPERATION = Pattern
            .compile("(set|scale|add|project-out):(.+)|from:\"(.+)\"", Pattern.DOTALL);

    /** Reads a mode's name, as {@link #toString} writes it. @throws IllegalArgumentException if {@code name} is none */
    public static Mode parse(String name) {
        return Arrays.stream(values()).filter(mode -> mode.toString().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "mode: " + Shown.of(name) + " (expected: exact or lm-debugger)"));
    }

    /**
     * Reads an operation of a sweep: {@code off} (set to 0; a link's score to −∞), {@code set:3}, {@code scale:2},
     * {@code add:1.5}, {@code add:4*DIRECTION}, {@code project-out:DIRECTION}, {@code from:"other prompt"},
     * {@code mean:NAME}, {@code mean-at:NAME} or {@code resample:NAME#SEED}; in {@link #LM_DEBUGGER} its switches {@code on} and {@code off}.
     *
     * @throws IllegalArgumentException if {@code text} is none of these
     */
    public Edit.Operation operation(String text) {
        return this == LM_DEBUGGER ? switchTo(text) : change(text);
    }

    /** Returns the text form of an operation, which its mode's {@link #operation} reads. */
    public static String text(Edit.Operation operation) {
        return switch (operation) {
            case Edit.Operation.Set(float value) -> "set:" + value;
            case Edit.Operation.Scale(float factor) -> "scale:" + factor;
            case Edit.Operation.Add(float amount) -> "add:" + amount;
            case Edit.Operation.AddDirection(float factor, boolean timesNorm, var direction) ->
                    "add:" + factor + "*" + (timesNorm ? "norm*" : "") + direction;
            case Edit.Operation.ProjectOut(var direction) -> "project-out:" + direction;
            case Edit.Operation.From _,Edit.Operation.Mean _,Edit.Operation.Resample _ -> operation.toString();
            case Edit.Operation.On _ -> "on";
            case Edit.Operation.Off _ -> "off";
        };
    }

    private static Edit.Operation switchTo(String text) {
        return switch (text) {
            case "on" -> new Edit.Operation.On();
            case "off" -> new Edit.Operation.Off();
            default -> throw new IllegalArgumentException(
                    "operation: " + Shown.of(text) + " (expected: on or off in this mode)");
        };
    }

    private static Edit.Operation change(String text) {
        if (text.equals("off")) {
            return new Edit.Operation.Set(0);
        }
        var ofCorpus = Edit.ofCorpus(text);
        if (ofCorpus.isPresent()) {
            return ofCorpus.get();
        }
        var parts = OPERATION.matcher(text);
        if (!parts.matches()) {
            throw new IllegalArgumentException("operation: " + Shown.of(text)
                    + " (expected: off, set:3, scale:2, add:1.5, add:4*L3D42, project-out:L3D42, from:\"other prompt\", "
                    + "mean:NAME, mean-at:NAME or resample:NAME)");
        }
        if (parts.group(3) != null) {
            return new Edit.Operation.From(parts.group(3));
        }
        if (parts.group(1).equals("project-out")) {
            return new Edit.Operation.ProjectOut(Direction.parse(parts.group(2)));
        } else if (parts.group(1).equals("add") && Edit.isDirection(parts.group(2))) {
            return Edit.steer(text, parts.group(2));
        }
        float value = number(text, parts.group(2));
        return switch (parts.group(1)) {
            case "set" -> new Edit.Operation.Set(value);
            case "scale" -> new Edit.Operation.Scale(value);
            default -> new Edit.Operation.Add(value);
        };
    }

    private static float number(String operation, String text) {
        try {
            return Float.parseFloat(text);
        } catch (NumberFormatException failure) {
            throw new IllegalArgumentException("operation: %s: %s is not a number"
                    .formatted(Shown.of(operation), Shown.of(text)), failure);
        }
    }

    /** Returns the name on the command line: {@code exact}, {@code lm-debugger}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
