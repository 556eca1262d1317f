package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.lmdebugger.device.ColumnExtremes;
import org.lmdebugger.device.Tensor;

/** A merge of some columns' largest and smallest numbers, window by window. */
final class Extremes {
    private final ColumnExtremes lists;
    private final Tensor x;
    private final Tensor windows;
    private final MemorySegment values; // of the lists
    private final MemorySegment documents;
    private final MemorySegment places;
    private final MemorySegment contexts;
    private final MemorySegment numbers; // of x
    private final MemorySegment starts; // of the windows
    private final long from;
    private final int columns;
    private final long length; // of a window
    private final float[] high; // each column's largest number in a window
    private final float[] low;
    private final int[] open; // columns whose extreme was not found yet

    /** @param to at most {@link Columns#CHUNK} more than {@code from} */
    Extremes(ColumnExtremes lists, Tensor x, Tensor windows, long from, long to) {
        this.lists = lists;
        this.x = x;
        this.windows = windows;
        values = CpuMemory.of(lists.values());
        documents = CpuMemory.of(lists.documents());
        places = CpuMemory.of(lists.places());
        contexts = CpuMemory.of(lists.contexts());
        numbers = CpuMemory.of(x);
        starts = CpuMemory.of(windows);
        this.from = from;
        columns = (int) (to - from);
        length = x.rows() / windows.rows();
        high = new float[columns];
        low = new float[columns];
        open = new int[columns];
    }

    void merge() {
        var row = RowBuffers.ofThread().x;
        for (long w = 0; w < windows.rows(); w++) {
            Arrays.fill(high, Float.NEGATIVE_INFINITY);
            Arrays.fill(low, Float.POSITIVE_INFINITY);
            for (long r = w * length; r < (w + 1) * length; r++) {
                RowBuffers.load(row, numbers, row(x, r) + 4 * from, columns);
                Columns.bound(row, low, high, columns);
            }
            offer(w, high, true);
            offer(w, low, false);
        }
    }

    /** Offers a window's extremes that may be taken, row by row, as columns lie far apart in memory. */
    private void offer(long w, float[] best, boolean largest) {
        int count = 0;
        for (int c = 0; c < columns; c++) {
            if (new List(from + c, largest).mayTake(best[c])) {
                open[count++] = c;
            }
        }
        for (long position = 0; count > 0 && position < length; position++) {
            long at = row(x, w * length + position) + 4 * from;
            int left = 0;
            for (int i = 0; i < count; i++) {
                int c = open[i];
                if (numbers.get(F32, at + 4L * c) == best[c]) {
                    new List(from + c, largest).offer(best[c], w, position);
                } else {
                    open[left++] = c;
                }
            }
            count = left;
        }
    }

    /** The largest or the smallest numbers of a column, best first. */
    private final class List {
        private final long column;
        private final boolean largest;
        private final long row; // of the tensors
        private final int last = lists.count() - 1;
        private final int span = lists.span();

        List(long column, boolean largest) {
            this.column = column;
            this.largest = largest;
            row = largest ? column : x.columns() + column;
        }

        private long at(Tensor tensor, long element) {
            return row(tensor, row) + 4 * element;
        }

        private float value(int i) {
            return values.get(F32, at(lists.values(), i));
        }

        private int document(int i) {
            return documents.get(I32, at(lists.documents(), i));
        }

        private int place(int i) {
            return places.get(I32, at(lists.places(), i));
        }

        /** Returns whether {@link #offer} may take a number. */
        boolean mayTake(float value) {
            return document(last) == ColumnExtremes.NONE || (largest ? value >= value(last) : value <= value(last));
        }

        /** Takes the best number of a window, if it belongs to the best of all documents. */
        void offer(float value, long w, long position) {
            int document = starts.get(I32, row(windows, w));
            int place = (int) (starts.get(I32, row(windows, w) + 4) + position);
            if (!isBefore(value, document, place, last)) {
                return;
            }
            int old = 0;
            while (old < last && document(old) != document) {
                old++;
            }
            if (!isBefore(value, document, place, old)) {
                return;
            }
            int i = old;
            while (i > 0 && isBefore(value, document, place, i - 1)) {
                i--;
            }
            shift(values, lists.values(), 1, i, old);
            shift(documents, lists.documents(), 1, i, old);
            shift(places, lists.places(), 1, i, old);
            shift(contexts, lists.contexts(), span, i, old);
            values.set(F32, at(lists.values(), i), value);
            documents.set(I32, at(lists.documents(), i), document);
            places.set(I32, at(lists.places(), i), place);
            copyContext(i, w, position);
        }

        /** Returns whether a number comes before entry {@code i}, as each does before none. */
        private boolean isBefore(float value, int document, int place, int i) {
            int other = document(i);
            if (other == ColumnExtremes.NONE) {
                return true;
            }
            if (value != value(i)) {
                return largest ? value > value(i) : value < value(i);
            }
            return document != other ? document < other : place < place(i);
        }

        /** Moves entries {@code from} to {@code to − 1} to the next place. */
        private void shift(MemorySegment memory, Tensor tensor, int width, int from, int to) {
            long start = at(tensor, (long) from * width);
            MemorySegment.copy(memory, start, memory, start + 4L * width, 4L * width * (to - from));
        }

        private void copyContext(int i, long w, long position) {
            long to = at(lists.contexts(), (long) i * span);
            for (int j = 0; j < span; j++) {
                long token = position + j - span / 2;
                contexts.set(F32, to + 4L * j, token >= 0 && token < length
                        ? numbers.get(F32, row(x, w * length + token) + 4 * column)
                        : 0);
            }
        }
    }
}
