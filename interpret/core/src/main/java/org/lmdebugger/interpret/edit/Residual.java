package org.lmdebugger.interpret.edit;

import java.util.Arrays;
import java.util.Locale;
import org.lmdebugger.model.Site;

/** The residual stream at one point of a layer, or an output that is added to it there: vectors of the model's width. */
public record Residual(int layer, Point point) implements Part {
    /** The points of a layer, in the order of the computation. */
    public enum Point {
        /** The residual stream before the layer. */
        PRE,
        /** The output of attention, its bias included. */
        ATTENTION,
        /** The residual stream between attention and the feed-forward layer. */
        MID,
        /** The output of the feed-forward layer, its bias included. */
        FFN,
        /** The residual stream after the layer. */
        POST;

        static Point of(String name) {
            return Arrays.stream(values()).filter(each -> each.toString().equals(name)).findFirst().orElseThrow();
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public Residual {
        if (layer < 0) {
            throw new IllegalArgumentException("layer: %d (expected: a number from 0 on)".formatted(layer));
        }
    }

    /** Returns whether this is the residual stream itself, and not an output that is added to it. */
    public boolean isStream() {
        return point == Point.PRE || point == Point.MID || point == Point.POST;
    }

    @Override
    public Site site() {
        return switch (point) {
            case PRE -> Site.RESIDUAL_PRE;
            case ATTENTION -> Site.ATTENTION_OUT;
            case MID -> Site.RESIDUAL_MID;
            case FFN -> Site.FFN_OUT;
            case POST -> Site.RESIDUAL_POST;
        };
    }

    /** Returns the text form. */
    @Override
    public String toString() {
        return "L" + layer + "." + point;
    }
}
