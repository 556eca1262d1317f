package org.lmdebugger.device;

/** The forms of the Gaussian error linear unit, z·Φ(z) (Hendrycks and Gimpel, 2016). */
public enum Gelu {
    /** 0.5·z·(1 + tanh(√(2/π)·(z + 0.044715·z³))), which GPT-2 was trained with. */
    TANH,
    /** 0.5·z·(1 + erf(z/√2)). */
    ERF
}
