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
        this.from = from;
        columns = (int) (to - from);
        length = x.rows() / windows.rows();
        high = new float[columns];
        low = new float[columns];
        open = new int[columns];
    }

    void merge() {
        var numbers = RowBuffers.ofThread().x;
        for (long w = 0; w < windows.rows(); w++) {
            Arrays.fill(high, Float.NEGATIVE_INFINITY);
            Arrays.fill(low, Float.POSITIVE_INFINITY);
            for (long r = w * length; r < (w + 1) * length; r++) {
                RowBuffers.load(numbers, CpuMemory.of(x), row(x, r) + 4 * from, columns);
                Columns.bound(numbers, low, high, columns);
            }
            offer(w, high, true);
            offer(w, low, false);
        }
    }

    /** Offers a window's extremes that may be taken, row by row, as columns lie far apart in memory. */
    private void offer(long w, float[] values, boolean largest) {
        int count = 0;
        for (int c = 0; c < columns; c++) {
            if (new List(from + c, largest).mayTake(values[c])) {
                open[count++] = c;
            }
        }
        for (long position = 0; count > 0 && position < length; position++) {
            long at = row(x, w * length + position) + 4 * from;
            int left = 0;
            for (int i = 0; i < count; i++) {
                int c = open[i];
                if (CpuMemory.of(x).get(F32, at + 4L * c) == values[c]) {
                    new List(from + c, largest).offer(values[c], w, position);
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
            return CpuMemory.of(lists.values()).get(F32, at(lists.values(), i));
        }

        private int document(int i) {
            return CpuMemory.of(lists.documents()).get(I32, at(lists.documents(), i));
        }

        private int place(int i) {
            return CpuMemory.of(lists.places()).get(I32, at(lists.places(), i));
        }

        /** Returns whether {@link #offer} may take a number. */
        boolean mayTake(float value) {
            return document(last) == ColumnExtremes.NONE || (largest ? value >= value(last) : value <= value(last));
        }

        /** Takes the best number of a window, if it belongs to the best of all documents. */
        void offer(float value, long w, long position) {
            int document = CpuMemory.of(windows).get(I32, row(windows, w));
            int place = (int) (CpuMemory.of(windows).get(I32, row(windows, w) + 4) + position);
            if (document(last) != ColumnExtremes.NONE && !isBefore(value, document, place, last)) {
                return;
            }
            int i = 0;
            while (i < last && document(i) != document) {
                i++;
            }
            if (document(i) == document && !isBefore(value, document, place, i)) {
                return;
            }
            for (; i > 0 && (document(i - 1) == ColumnExtremes.NONE
                    || isBefore(value, document, place, i - 1)); i--) {
                move(lists.values(), 1, i);
                move(lists.documents(), 1, i);
                move(lists.places(), 1, i);
                move(lists.contexts(), span, i);
            }
            CpuMemory.of(lists.values()).set(F32, at(lists.values(), i), value);
            CpuMemory.of(lists.documents()).set(I32, at(lists.documents(), i), document);
            CpuMemory.of(lists.places()).set(I32, at(lists.places(), i), place);
            copyContext(i, w, position);
        }

        /** Returns whether a number comes before entry {@code i}, which there is. */
        private boolean isBefore(float value, int document, int place, int i) {
            if (value != value(i)) {
                return largest ? value > value(i) : value < value(i);
            }
            return document != document(i) ? document < document(i) : place < place(i);
        }

        /** Moves entry i−1 to i. */
        private void move(Tensor tensor, int width, int i) {
            var memory = CpuMemory.of(tensor);
            MemorySegment.copy(memory, at(tensor, (i - 1L) * width), memory, at(tensor, (long) i * width), 4L * width);
        }

        private void copyContext(int i, long w, long position) {
            for (int j = 0; j < span; j++) {
                long token = position + j - span / 2;
                float number = token >= 0 && token < length
                        ? CpuMemory.of(x).get(F32, row(x, w * length + token) + 4 * column)
                        : 0;
                CpuMemory.of(lists.contexts()).set(F32, at(lists.contexts(), (long) i * span + j), number);
            }
        }
    }
}
