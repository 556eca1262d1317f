package org.lmdebugger.device;

/** The arithmetic of the products in a GEMM. Sums, the residual stream, LayerNorm and softmax are FP32 in each. */
public enum Precision {
    /** IEEE 754 single precision throughout: the default. */
    FP32,
    /**
     * Weights are kept in single precision. Products of 256 rows and more are computed on the tensor cores of a GPU, from
     * operands that are split into two numbers of TF32 each: an element is within 2⁻²¹·Σ|a·b| of the exact one, beside the
     * rounding of its sum. A row with an infinite number becomes infinite or NaN. Other products are those of FP32.
     */
    TF32X3,
    /**
     * Weights are kept, and both operands of a product with them multiplied, with 10 bits of mantissa, on the tensor cores
     * of a GPU.
     */
    TF32,
    /**
     * Weights are kept, and both operands of a product with them multiplied, with 7 bits of mantissa (bfloat16), on the
     * tensor cores of a GPU: half the memory, too.
     */
    BF16
}
