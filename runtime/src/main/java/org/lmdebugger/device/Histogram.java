package org.lmdebugger.device;

import java.util.stream.IntStream;

/**
 * Bins that need no range in advance: two for each octave, the same on either side of zero. Numbers below 2⁻⁸ in size,
 * and those from 2⁷ on, share a bin on each side; zero is in the bin below it.
 */
public final class Histogram {
    /** The number of bins. */
    public static final int BINS = 64;

    private static final int SIDE = BINS / 2;
    private static final int HALF_OCTAVE = 22; // bits of a float below its exponent and the first of its mantissa
    private static final int FIRST = Float.floatToRawIntBits(0x1p-8f) >>> HALF_OCTAVE;

    private Histogram() {
    }

    /** Returns the bin of a number that is not NaN. */
    public static int bin(float x) {
        int bits = Float.floatToRawIntBits(x);
        int size = ((bits & Integer.MAX_VALUE) >>> HALF_OCTAVE) - FIRST + 1;
        int bin = Math.min(Math.max(size, 0), SIDE - 1);
        int notPositive = (bits | bits - 1) >> 31; // all bits or none: a branch would often be mispredicted
        return SIDE + (bin ^ notPositive); // the bin, or −1 − bin
    }

    /**
     * Returns the 63 numbers between the bins, ascending: bin i holds the numbers above edge i−1 up to edge i where they are
     * not positive, and from edge i−1 to below edge i where they are.
     */
    public static float[] edges() {
        var edges = new float[BINS - 1];
        IntStream.range(1, SIDE).forEach(i -> {
            float edge = Float.intBitsToFloat(FIRST + i - 1 << HALF_OCTAVE);
            edges[SIDE - 1 + i] = edge;
            edges[SIDE - 1 - i] = -edge;
        });
        return edges;
    }
}
