package org.lmdebugger.device;

/**
 * The sizes of work that suit a device, and how it rounds.
 *
 * @param chunkBytes        memory that a chunk of a sweep may take, unless its caller chooses
 * @param logitRows         rows of logits that are computed at a time
 * @param logitColumns      rows of logits are a multiple of so many numbers apart
 * @param sumsDependOnShape whether a row's product has other bits beside other rows ({@link Operations}), so that rows
 *                          that are compared closely should come from the same product
 * @param isQueued          whether operations are only queued when they return, so that work may be queued ahead of its use
 */
public record DeviceTraits(long chunkBytes, int logitRows, int logitColumns, boolean sumsDependOnShape,
        boolean isQueued) {
}
