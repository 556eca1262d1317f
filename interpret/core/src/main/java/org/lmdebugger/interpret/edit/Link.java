package org.lmdebugger.interpret.edit;

import org.lmdebugger.model.Site;

/**
 * The attention of a head, at the position of an edit (the query), to one position (the key). Switching it off takes
 * the score before the softmax to −∞, so that the other weights grow.
 */
public record Link(int layer, int head, int key) implements Part {
    public Link {
        if (layer < 0 || head < 0 || key < 0) {
            throw new IllegalArgumentException(
                    "link: L%dH%d to %d (expected: numbers from 0 on)".formatted(layer, head, key));
        }
    }

    @Override
    public Site site() {
        return Site.Z;
    }

    /** Returns the text form but for the positions. */
    @Override
    public String toString() {
        return "L" + layer + "H" + head + ".link";
    }
}
