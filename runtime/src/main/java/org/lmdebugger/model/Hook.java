package org.lmdebugger.model;

import org.lmdebugger.device.Tensor;

/**
 * A reader or editor of a forward pass ({@link Gpt2#forward}). It is called at every {@link Site} of every block, in
 * order, on the thread of the pass, and queues its own operations in the same session. It may change the rows in place.
 * The pass overwrites them later, so a hook that keeps them copies them.
 */
@FunctionalInterface
public interface Hook {
    /** Leaves everything as it is. */
    Hook NONE = (site, layer, rows) -> {};

    /** @param rows the rows at this site, of the shape that {@link Site} gives */
    void at(Site site, int layer, Tensor rows);
}
