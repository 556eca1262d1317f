package org.lmdebugger.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/**
 * Seeded trials of something with spoilt input. {@code -Dtest.fuzz=N} sets their number, {@code -Dtest.seed=S} the
 * seed; what came of them is printed.
 */
public final class Fuzz {
    private static final byte[] LIKELY = "\"[]{},:-0123456789eE. \n\\u\0\u007f".getBytes(StandardCharsets.US_ASCII);

    private Fuzz() {
    }

    /** One trial; returns what came of it, in a word. */
    public interface Trial {
        String run(RandomGenerator random) throws Exception;
    }

    /** Returns how often what came of it. A trial that throws fails the test, with the seed that repeats it. */
    public static Map<String, Integer> run(String what, int usually, Trial trial) {
        long seed = Long.getLong("test.seed", 1);
        int trials = Integer.getInteger("test.fuzz", usually);
        var outcomes = new TreeMap<String, Integer>();
        for (int i = 0; i < trials; i++) {
            try {
                outcomes.merge(trial.run(new SplittableRandom(seed + i)), 1, Integer::sum);
            } catch (Throwable failure) {
                throw new AssertionError("%s: -Dtest.seed=%d -Dtest.fuzz=1 repeats it".formatted(what, seed + i),
                        failure);
            }
        }
        System.out.printf("fuzz: %s, %d times: %s%n", what, trials, outcomes);
        return outcomes;
    }

    /** Returns {@code bytes} with one or two changes: bits, bytes, and stretches that are lost, repeated or moved. */
    public static byte[] spoilt(byte[] bytes, RandomGenerator random) {
        var spoilt = bytes.clone();
        for (int changes = 1 + random.nextInt(4) / 3; changes > 0 && spoilt.length > 0; changes--) {
            boolean whole = random.nextBoolean(); // lines or items, so that what is left may look right
            int at = start(spoilt, random.nextInt(spoilt.length), whole);
            int most = Math.min(spoilt.length - at, random.nextInt(8) == 0 ? spoilt.length : 16);
            int length = start(spoilt, at + 1 + random.nextInt(most), whole) - at;
            switch (random.nextInt(7)) {
                case 0, 1 -> spoilt[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> spoilt[at] = LIKELY[random.nextInt(LIKELY.length)];
                case 3 -> spoilt = Arrays.copyOf(spoilt, at);
                case 4 -> spoilt = spliced(spoilt, at, length, at, 0);
                case 5 -> spoilt = spliced(spoilt, at, 0, at, length);
                default -> spoilt = spliced(spoilt, at, length,
                        start(spoilt, random.nextInt(spoilt.length - length + 1), whole), length);
            }
        }
        return spoilt;
    }

    /** Where the line or item begins that {@code at} is in, if {@code whole}; else {@code at}. */
    private static int start(byte[] bytes, int at, boolean whole) {
        int start = at;
        while (whole && start > 0 && bytes[start - 1] != '\n' && bytes[start - 1] != ',') {
            start--;
        }
        return start;
    }

    /** {@code lost} bytes at {@code at} replaced by {@code length} from {@code from}. */
    private static byte[] spliced(byte[] bytes, int at, int lost, int from, int length) {
        var spliced = Arrays.copyOf(bytes, bytes.length - lost + length);
        System.arraycopy(bytes, from, spliced, at, length);
        System.arraycopy(bytes, at + lost, spliced, at + length, bytes.length - at - lost);
        return spliced;
    }
}
