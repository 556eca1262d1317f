package org.lmdebugger.interpret;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A change of one coefficient: that of neuron {@code neuron} of layer {@code layer}, after the activation, at some
 * positions. What is set is what the network uses.
 *
 * <p>Text form: {@code L12D345} and one of {@code =0} (set), {@code *=2} (scale), {@code +=1.5} (add),
 * {@code =from:"other prompt"} (the coefficient at the same position of another prompt's run), then, unless all
 * positions are meant, {@code @} and {@link Positions}: {@code L12D345*=2@last}.
 */
public record Edit(int layer, int neuron, Operation operation, Positions positions) {
    private static final Pattern TEXT = Pattern.compile(
            "\\s*L(\\d{1,9})D(\\d{1,9})\\s*(?:=\\s*from:\"(.*)\"|(=|\\*=|\\+=)\\s*([^@\\s]+))\\s*(?:@(\\S+))?\\s*", Pattern.DOTALL);
    private static final String FORM = "(expected: L12D345=0, L12D345*=2, L12D345+=1.5 or L12D345=from:\"other prompt\", "
            + "then @last, @generated, @3, @1,4 or @2..5 if not all positions are meant)";

    public Edit {
        if (layer < 0 || neuron < 0) {
            throw new IllegalArgumentException("edit: L%dD%d (expected: numbers from 0 on)".formatted(layer, neuron));
        }
    }

    /** What happens to a coefficient m. */
    public sealed interface Operation {
        /** m becomes {@code value}. */
        record Set(float value) implements Operation {
            public Set {
                finite(value);
            }
        }

        /** m becomes {@code factor}·m. */
        record Scale(float factor) implements Operation {
            public Scale {
                finite(factor);
            }
        }

        /** m becomes m + {@code amount}. */
        record Add(float amount) implements Operation {
            public Add {
                finite(amount);
            }
        }

        /** m becomes what it is at the same position of {@code prompt}, unedited; that prompt must have the position. */
        record From(String prompt) implements Operation {
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
        var parts = TEXT.matcher(text);
        if (!parts.matches()) {
            throw new IllegalArgumentException("edit: " + text + " " + FORM);
        }
        var positions = parts.group(6) == null ? Positions.ALL : Positions.parse(parts.group(6));
        return new Edit(Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2)), operation(text, parts), positions);
    }

    private static Operation operation(String text, Matcher parts) {
        if (parts.group(3) != null) {
            return new Operation.From(parts.group(3));
        }
        float value;
        try {
            value = Float.parseFloat(parts.group(5));
        } catch (NumberFormatException failure) {
            throw new IllegalArgumentException("edit: %s: %s is not a number %s".formatted(text, parts.group(5), FORM), failure);
        }
        if (!Float.isFinite(value)) {
            throw new IllegalArgumentException("edit: %s: %s (expected: a finite number)".formatted(text, parts.group(5)));
        }
        return switch (parts.group(4)) {
            case "*=" -> new Operation.Scale(value);
            case "+=" -> new Operation.Add(value);
            default -> new Operation.Set(value);
        };
    }

    /** The text form. */
    @Override
    public String toString() {
        var change = switch (operation) {
            case Operation.Set set -> "=" + number(set.value());
            case Operation.Scale scale -> "*=" + number(scale.factor());
            case Operation.Add add -> "+=" + number(add.amount());
            case Operation.From from -> "=from:\"" + from.prompt() + "\"";
        };
        return "L" + layer + "D" + neuron + change + (positions.equals(Positions.ALL) ? "" : "@" + positions);
    }

    private static String number(float value) {
        return value == (int) value ? String.valueOf((int) value) : String.valueOf(value);
    }
}
