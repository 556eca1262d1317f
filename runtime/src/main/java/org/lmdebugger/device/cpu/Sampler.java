package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.lmdebugger.device.Sampling;

/** A sampler of one token from a row of logits, as {@link Sampling} defines it. */
final class Sampler {
    /** Largest number of candidates that are selected in one pass; for more, sorting the row is faster. */
    private static final int FEW = 256;

    private int[] ids = new int[0];
    private float[] logits = new float[0];
    private long[] keys = new long[0];

    int choose(MemorySegment x, long x0, int n, Sampling sampling, float uniform) {
        if (sampling.greedy()) {
            return candidates(x, x0, n, 1)[0];
        }
        int drawn = drawn(x, x0, n, sampling, uniform);
        return drawn < 0 ? candidates(x, x0, n, 1)[0] : drawn;
    }

    /** Returns a token drawn by its probability; −1 if logits are not finite, so that there are no probabilities. */
    private int drawn(MemorySegment x, long x0, int n, Sampling sampling, float uniform) {
        float max = Statistics.max(x, x0, n);
        int count = sampling.topK() == 0 ? n : Math.min(n, sampling.topK());
        if (count == n && sampling.topP() == 1) {
            return draw(x, x0, n, max, sampling.temperature(), uniform);
        }
        count = count < n ? nucleus(x, x0, n, count, mass(x, x0, n, count, max, sampling), max, sampling)
                : nucleus(x, x0, n, n, mass(x, x0, n, max, sampling.temperature()), max, sampling);
        Arrays.sort(ids, 0, count);
        return drawCandidate(x, x0, count, max, sampling.temperature(), uniform);
    }

    /**
     * Returns how many of the likeliest tokens, at most {@code limit}, reach topP of {@code mass}; {@link #ids} holds
     * them.
     */
    private int nucleus(MemorySegment x, long x0, int n, int limit, double mass, float max, Sampling sampling) {
        for (int k = Math.min(limit, FEW);; k = limit) {
            candidates(x, x0, n, k);
            double sum = 0;
            for (int i = 0; i < k; i++) {
                sum += weight(logits[i], max, sampling.temperature());
                if (sum >= sampling.topP() * mass) {
                    return i + 1;
                }
            }
            if (k == limit) {
                return limit;
            }
        }
    }

    private double mass(MemorySegment x, long x0, int n, int count, float max, Sampling sampling) {
        candidates(x, x0, n, count);
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weight(logits[i], max, sampling.temperature());
        }
        return sum;
    }

    private static double mass(MemorySegment x, long x0, int n, float max, float temperature) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += weight(x.get(F32, x0 + 4L * i), max, temperature);
        }
        return sum;
    }

    private static int draw(MemorySegment x, long x0, int n, float max, float temperature, float uniform) {
        double target = uniform * mass(x, x0, n, max, temperature);
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += weight(x.get(F32, x0 + 4L * i), max, temperature);
            if (sum > target) {
                return i;
            }
        }
        return -1;
    }

    private int drawCandidate(MemorySegment x, long x0, int count, float max, float temperature, float uniform) {
        double total = 0;
        for (int i = 0; i < count; i++) {
            total += weight(x.get(F32, x0 + 4L * ids[i]), max, temperature);
        }
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weight(x.get(F32, x0 + 4L * ids[i]), max, temperature);
            if (sum > uniform * total) {
                return ids[i];
            }
        }
        return -1;
    }

    private int[] candidates(MemorySegment x, long x0, int n, int k) {
        if (ids.length < k) {
            ids = new int[k];
            logits = new float[k];
        }
        if (k <= FEW) {
            Selection.topK(ids, logits, k, x, x0, n);
        } else {
            sorted(x, x0, n, k);
        }
        return ids;
    }

    /** Sorts the whole row in the order of {@link Selection}: the key is −value, then the index. */
    private void sorted(MemorySegment x, long x0, int n, int k) {
        if (keys.length < n) {
            keys = new long[n];
        }
        for (int i = 0; i < n; i++) {
            int bits = Float.floatToIntBits(x.get(F32, x0 + 4L * i) + 0f); // −0 becomes 0
            keys[i] = (long) ~(bits ^ bits >> 31 & Integer.MAX_VALUE) << 32 | i;
        }
        Arrays.sort(keys, 0, n);
        for (int i = 0; i < k; i++) {
            ids[i] = (int) keys[i];
            logits[i] = x.get(F32, x0 + 4L * ids[i]);
        }
    }

    private static double weight(float logit, float max, float temperature) {
        return Math.exp((logit - max) / temperature);
    }
}
