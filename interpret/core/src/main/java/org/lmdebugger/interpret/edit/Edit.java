package org.lmdebugger.interpret.edit;

import java.util.regex.Pattern;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.text.Shown;

/**
 * A change of one coefficient: that of neuron {@code neuron} of layer {@code layer}, after the activation, at some
 * positions. What is set is what the network uses.
 *
 * <p>Text form: {@code L12D345} and one of {@code =0} (set), {@code *=2} (scale), {@code +=1.5} (add),
 * {@code =from:"other prompt"} (the coefficient at the same position of another prompt's run), {@code =on} or
 * {@code =off} (LM-Debugger's switch), then, unless all positions are meant, {@code @} and {@link Positions}:
 * {@code L12D345*=2@last}.
 */
public record Edit(int layer, int neuron, Operation operation, Positions positions) {
    private static final Pattern HEAD = Pattern.compile("L(\\d{1,9})D(\\d{1,9})\\s*+(=|\\*=|\\+=)\\s*+");
    private static final Pattern NUMBER = Pattern
            .compile("NaN|[-+]?(?:Infinity|(?:\\d++(?:\\.\\d*+)?|\\.\\d++)(?:[eE][-+]?\\d++)?)");
    private static final String FROM = "from:\"";
    private static final String FORM = "(expected: L12D345=0, L12D345*=2, L12D345+=1.5, L12D345=from:\"other prompt\", "
            + "L12D345=on or L12D345=off, then @last, @generated, @3, @1,4 or @2..5 if not all positions are meant)";

    public Edit {
        if (layer < 0 || neuron < 0) {
            throw new IllegalArgumentException("edit: L%dD%d (expected: numbers from 0 on)".formatted(layer, neuron));
        }
    }

    /** A change of a coefficient m. */
    public sealed interface Operation {
        /** Sets m to {@code value}. */
        record Set(float value) implements Operation {
            public Set {
                finite(value);
            }
        }

        /** Multiplies m by {@code factor}. */
        record Scale(float factor) implements Operation {
            public Scale {
                finite(factor);
            }
        }

        /** Adds {@code amount} to m. */
        record Add(float amount) implements Operation {
            public Add {
                finite(amount);
            }
        }

        /**
         * m becomes what it is at the same position of {@code prompt}, unedited; that prompt must have the position.
         * One of ids is shown as {@code from:#464,582}, which is not read as text.
         */
        record From(Prompt prompt) implements Operation {
            public From(String prompt) {
                this(Prompt.of(prompt));
            }
        }

        /**
         * LM-Debugger's (Geva et al., 2022) switch to on: before the activation the neuron becomes the largest score of
         * its layer at the last position of the unedited prompt, plus 0.01.
         */
        record On() implements Operation {
        }

        /** LM-Debugger's switch to off: before the activation the neuron becomes 0. */
        record Off() implements Operation {
        }

        /** Returns whether this is LM-Debugger's switch, {@link On} or {@link Off}. */
        default boolean isSwitch() {
            return this instanceof On || this instanceof Off;
        }

        private static void finite(float value) {
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException("edit: " + value + " (expected: a finite number)");
            }
        }
    }

    /** Switches a value vector off: its coefficient becomes 0 at all positions. */
    public static Edit off(int layer, int neuron) {
        return new Edit(layer, neuron, new Operation.Set(0), Positions.ALL);
    }

    /** @throws IllegalArgumentException if {@code text} is not an edit in its text form */
    public static Edit parse(String text) {
        var head = HEAD.matcher(text.strip());
        if (!head.lookingAt()) {
            throw wrong(text, "");
        }
        var rest = text.strip().substring(head.end());
        boolean from = head.group(3).equals("=") && rest.startsWith(FROM);
        int end = from ? rest.lastIndexOf('"') : rest.indexOf('@'); // of what is written
        if (from && end < FROM.length()) {
            throw wrong(text, "");
        }
        var operation = from ? new Operation.From(rest.substring(FROM.length(), end))
                : operation(text, head.group(3), (end < 0 ? rest : rest.substring(0, end)).strip());
        var where = from ? rest.substring(end + 1).strip() : end < 0 ? "" : rest.substring(end);
        if (!where.isEmpty() && !where.startsWith("@")) {
            throw wrong(text, "");
        }
        var positions = where.isEmpty() ? Positions.ALL : Positions.parse(where.substring(1));
        return new Edit(Integer.parseInt(head.group(1)), Integer.parseInt(head.group(2)), operation, positions);
    }

    private static Operation operation(String text, String sign, String number) {
        if (sign.equals("=") && number.equals("on")) {
            return new Operation.On();
        } else if (sign.equals("=") && number.equals("off")) {
            return new Operation.Off();
        }
        if (!NUMBER.matcher(number).matches()) { // Java's own numbers, such as 1f and 0x1p3, are not meant
            throw wrong(text, number.isEmpty() ? "" : ": " + Shown.of(number) + " is not a number");
        }
        float value = Float.parseFloat(number);
        if (!Float.isFinite(value)) {
            throw new IllegalArgumentException(
                    "edit: %s: %s (expected: a finite number)".formatted(Shown.of(text), Shown.of(number)));
        }
        return switch (sign) {
            case "*=" -> new Operation.Scale(value);
            case "+=" -> new Operation.Add(value);
            default -> new Operation.Set(value);
        };
    }

    private static IllegalArgumentException wrong(String text, String why) {
        return new IllegalArgumentException("edit: " + Shown.of(text) + why + " " + FORM);
    }

    /** Returns the text form. */
    @Override
    public String toString() {
        var change = switch (operation) {
            case Operation.Set set -> "=" + number(set.value());
            case Operation.Scale scale -> "*=" + number(scale.factor());
            case Operation.Add add -> "+=" + number(add.amount());
            case Operation.From from -> "=from:" + from.prompt();
            case Operation.On _ -> "=on";
            case Operation.Off _ -> "=off";
        };
        return "L" + layer + "D" + neuron + change + (positions.equals(Positions.ALL) ? "" : "@" + positions);
    }

    private static String number(float value) {
        return Float.compare(value, (int) value) == 0 ? String.valueOf((int) value) : String.valueOf(value);
    }
}
