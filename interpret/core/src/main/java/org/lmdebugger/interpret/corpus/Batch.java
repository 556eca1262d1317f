package org.lmdebugger.interpret.corpus;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.corpus.Corpus.Place;
import org.lmdebugger.interpret.corpus.Corpus.Window;

/**
 * Windows of one length that are computed together, R tokens in all.
 *
 * @param ids      of the tokens, [R]
 * @param frequent number of each token among the {@code tokens} frequent ones, −1 for others, [R]
 */
record Batch(List<Window> windows, int length, int[] ids, int tokens, int[] frequent, List<Sample> samples) {
    /** Consecutive rows around a token that was drawn, from {@code row} on. @param slot the first one's row in the samples */
    record Sample(int row, int slot, int count) {
    }

    /**
     * A batch in a device's memory. The rows of a position, or of a frequent token, are listed one position or token after
     * the other, as {@link Operations#addRows} takes them.
     *
     * @param windows document and start of each, [W, 2]
     */
    record OnDevice(int length, Tensor ids, Tensor positions, Tensor windows, Tensor positionStarts,
            Tensor positionRows, Tensor tokenStarts, Tensor tokenRows, List<Sample> samples) {
    }

    int rows() {
        return ids.length;
    }

    OnDevice upload(Operations session, TensorScope scope) {
        int count = windows.size();
        var places = scope.allocate(ElementType.I32, count, 2);
        session.upload(places,
                windows.stream().flatMapToInt(window -> IntStream.of(window.document(), window.start())).toArray());
        var positions = IntStream.range(0, rows()).map(row -> row % length).toArray();
        return new OnDevice(length, scope.vector(session, ids), scope.vector(session, positions), places,
                scope.vector(session, starts(positions, length)), scope.vector(session, byGroup(positions)),
                scope.vector(session, starts(frequent, tokens)), scope.vector(session, byGroup(frequent)), samples);
    }

    /** Returns where the rows of each group begin in {@link #byGroup}, and where those of the last end. */
    private static int[] starts(int[] groups, int count) {
        var starts = new int[count + 1];
        IntStream.of(groups).filter(group -> group >= 0).forEach(group -> starts[group + 1]++);
        Arrays.parallelPrefix(starts, Integer::sum);
        return starts;
    }

    /** Returns the rows that belong to a group, by group, in ascending order within each. */
    private static int[] byGroup(int[] groups) {
        return IntStream.range(0, groups.length).filter(row -> groups[row] >= 0).boxed()
                .sorted(Comparator.comparingInt(row -> groups[row])).mapToInt(row -> row).toArray();
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
            var kept = new ArrayList<Sample>();
            for (int w = 0; w < windows.size(); w++) {
                for (int sample : drawn.getOrDefault(windows.get(w), List.of())) {
                    kept.add(sample(sample, windows.get(w), w * length));
                }
            }
            return new Batch(windows, length, ids, frequent.size(),
                    Arrays.stream(ids).map(id -> frequent.getOrDefault(id, -1)).toArray(), kept);
        }

        private Sample sample(int sample, Window window, int firstRow) {
            int first = samples.get(sample).position() - window.start() - Shape.CONTEXT;
            int from = Math.max(0, first);
            int to = Math.min(window.length(), first + Shape.SPAN);
            return new Sample(firstRow + from, sample * Shape.SPAN + from - first, to - from);
        }
    }
}
