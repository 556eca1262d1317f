package org.lmdebugger.model;

/** A token and its logit, or the dot product of a vector with its output embedding. */
public record TokenLogit(int id, String token, float logit) {
}
