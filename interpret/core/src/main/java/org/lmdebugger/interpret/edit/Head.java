package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.lmdebugger.model.Site;

/**
 * One vector of an attention head, or of all heads of a layer.
 *
 * @param head the head's index from 0, or {@link #ALL}
 */
public record Head(int layer, int head, Vector vector) implements Part {
    /** The index that means all heads of a layer. */
    public static final int ALL = -1;

    /** The vectors of a head. */
    public enum Vector {
        /** The values that the head mixes by its attention, before they are multiplied with its output weights. */
        Z(""),
        /** The head's queries. */
        QUERY(".q"),
        /** The head's keys. */
        KEY(".k"),
        /** The head's values. */
        VALUE(".v"),
        /** The attention weights of a position, over that position and those before it. */
        PATTERN(".pattern");

        private final String suffix;

        Vector(String suffix) {
            this.suffix = suffix;
        }

        static Vector of(@Nullable String name) {
            var suffix = name == null ? "" : "." + name;
            return Arrays.stream(values()).filter(each -> each.suffix.equals(suffix)).findFirst().orElseThrow();
        }
    }

    public Head {
        if (layer < 0 || head < ALL) {
            throw new IllegalArgumentException("head: L%dH%d (expected: numbers from 0 on)".formatted(layer, head));
        }
    }

    @Override
    public Site site() {
        return switch (vector) {
            case Z, PATTERN -> Site.Z;
            case QUERY -> Site.QUERY;
            case KEY -> Site.KEY;
            case VALUE -> Site.VALUE;
        };
    }

    /** Returns the text form. */
    @Override
    public String toString() {
        return "L" + layer + "H" + (head == ALL ? "*" : String.valueOf(head)) + vector.suffix;
    }
}
