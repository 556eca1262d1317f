package org.lmdebugger.interpret.corpus;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.lmdebugger.interpret.corpus.Corpus.Place;
import org.lmdebugger.interpret.corpus.Corpus.Window;

/**
 * Windows of one length that are computed together, R tokens in all.
 *
 * @param ids      of the tokens, [R]
 * @param frequent number of each token among the frequent ones, −1 for others, [R]
 * @param slots    the places of {@link Shape.Section#SAMPLES} that each row goes to, [R][any]
 */
record Batch(List<Window> windows, int length, int[] ids, int[] frequent, int[][] slots) {
    private static final int[] NO_SLOTS = {};

    int rows() {
        return ids.length;
    }

    /** The batches of a corpus. */
    static final class Source {
        private final Corpus corpus;
        private final Map<Integer, Integer> frequent = new HashMap<>(); // number of a token
        private final Map<Window, List<Integer>> drawn = new HashMap<>(); // numbers of the samples of a window
        private final List<Place> samples;

        Source(Corpus corpus) {
            this.corpus = corpus;
            for (int id : corpus.frequent(Shape.TOKENS)) {
                frequent.put(id, frequent.size());
            }
            samples = corpus.sample(Shape.SAMPLES);
            for (int i = 0; i < samples.size(); i++) {
                drawn.computeIfAbsent(corpus.window(samples.get(i)), w -> new ArrayList<>()).add(i);
            }
        }

        /**
         * Returns the batch that begins with window {@code from}. The windows of one length are divided evenly, so that no
         * batch is much smaller than the others: products of a few rows may be rounded otherwise.
         *
         * @param rows tokens of a batch, at most, unless a window has more
         */
        Batch at(int from, int rows) {
            var all = corpus.windows();
            int length = all.get(from).length();
            int first = from;
            while (first > 0 && all.get(first - 1).length() == length) {
                first--;
            }
            int end = from;
            while (end < all.size() && all.get(end).length() == length) {
                end++;
            }
            long count = end - first;
            long parts = Math.ceilDiv(count, Math.max(1, rows / length));
            int to = from;
            for (long part = 1; to <= from; part++) {
                to = (int) (first + count * part / parts);
            }
            return of(all.subList(from, to), length);
        }

        private Batch of(List<Window> windows, int length) {
            var ids = windows.stream().flatMapToInt(window -> Arrays.stream(corpus.ids(window))).toArray();
            var slots = new int[ids.length][];
            Arrays.fill(slots, NO_SLOTS);
            for (int w = 0; w < windows.size(); w++) {
                for (int sample : drawn.getOrDefault(windows.get(w), List.of())) {
                    keep(sample, windows.get(w), w * length, slots);
                }
            }
            return new Batch(windows, length, ids,
                    Arrays.stream(ids).map(id -> frequent.getOrDefault(id, -1)).toArray(), slots);
        }

        private void keep(int sample, Window window, int firstRow, int[][] slots) {
            int position = samples.get(sample).position() - window.start();
            for (int i = 0; i < Shape.SPAN; i++) {
                int token = position + i - Shape.CONTEXT;
                if (token >= 0 && token < window.length()) {
                    int row = firstRow + token;
                    slots[row] = Arrays.copyOf(slots[row], slots[row].length + 1);
                    slots[row][slots[row].length - 1] = sample * Shape.SPAN + i;
                }
            }
        }
    }
}
