package org.lmdebugger.device;

/** The type of an element of a {@link Tensor}, or of a tensor in a file. Multi-byte values are little-endian. */
public enum ElementType {
    /** IEEE 754 single precision: activations, and weights unless a faster precision was chosen. */
    F32(4),
    /** IEEE 754 half precision: weights in files only; a device widens them to {@link #F32} when it loads them. */
    F16(2),
    /** The upper half of an {@link #F32}: weights in files, and GEMM operands where that precision was chosen. */
    BF16(2),
    /** Signed 32-bit integer: token ids, positions, row and neuron numbers. */
    I32(4),
    /** IEEE 754 double precision: sums over many rows. */
    F64(8);

    private final int bytes;

    ElementType(int bytes) {
        this.bytes = bytes;
    }

    /** Returns the size of one element in bytes. */
    public int bytes() {
        return bytes;
    }
}
