package org.lmdebugger.device;

/** The arithmetic of the products in a GEMM. Sums, the residual stream, LayerNorm and softmax are FP32 in each. */
public enum Precision {
    /** IEEE 754 single precision throughout: the default. */
    FP32
}
