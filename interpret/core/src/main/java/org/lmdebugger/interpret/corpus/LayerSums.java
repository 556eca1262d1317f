package org.lmdebugger.interpret.corpus;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.corpus.Corpus.Window;
import org.lmdebugger.model.Site;

/**
 * What is added up of one layer, on the host: each number in F64, in the order of the windows and of the positions in
 * them. So the sums do not depend on how windows are put together in batches. Columns are independent, and shared out
 * among threads.
 */
final class LayerSums {
    private static final int CHUNK = 256; // columns that one thread takes at a time

    private final Shape shape;
    private final double[] positions;
    private final double[] sums;
    private final double[] squares;
    private final double[] tokens;
    private final float[] min;
    private final float[] max;
    private final int[] histograms;
    private final Extremes extremes;
    private final float[] samples;

    LayerSums(Shape shape) {
        this.shape = shape;
        positions = new double[shape.size(Shape.Section.POSITIONS)];
        sums = new double[shape.units()];
        squares = new double[shape.units()];
        tokens = new double[shape.size(Shape.Section.TOKENS)];
        min = new float[shape.units()];
        max = new float[shape.units()];
        Arrays.fill(min, Float.POSITIVE_INFINITY);
        Arrays.fill(max, Float.NEGATIVE_INFINITY);
        histograms = new int[shape.size(Shape.Section.HISTOGRAMS)];
        extremes = new Extremes(shape.neurons());
        samples = new float[shape.size(Shape.Section.SAMPLES)];
    }

    /** Returns the memory of all tables, in the order of {@link Shape.Section}. */
    List<MemorySegment> memory() {
        return List.of(MemorySegment.ofArray(positions), MemorySegment.ofArray(sums), MemorySegment.ofArray(squares),
                MemorySegment.ofArray(tokens), MemorySegment.ofArray(min), MemorySegment.ofArray(max),
                MemorySegment.ofArray(histograms), MemorySegment.ofArray(extremes.values),
                MemorySegment.ofArray(extremes.documents), MemorySegment.ofArray(extremes.places),
                MemorySegment.ofArray(extremes.contexts), MemorySegment.ofArray(samples));
    }

    /**
     * Adds the rows of a site.
     *
     * @param rows [R, n], as {@link Site} has them
     */
    void add(Site site, Batch batch, float[] rows) {
        if (site == Site.COEFFICIENTS) {
            int columns = shape.neurons();
            IntStream.range(0, (columns + CHUNK - 1) / CHUNK).parallel().forEach(chunk -> new NeuronChunk(batch, rows,
                    chunk * CHUNK, Math.min(columns, (chunk + 1) * CHUNK)).add());
        } else {
            IntStream.range(0, batch.length()).parallel().forEach(position -> addPosition(site, batch, rows, position));
        }
    }

    private void addPosition(Site site, Batch batch, float[] rows, int position) {
        int columns = shape.columns(site);
        int sum = position * shape.columns() + shape.firstColumn(site);
        for (int w = 0; w < batch.windows().size(); w++) {
            int row = (w * batch.length() + position) * columns;
            for (int c = 0; c < columns; c++) {
                positions[sum + c] += rows[row + c];
            }
        }
    }

    /**
     * Adds the numbers of a head or of an output.
     *
     * @param unit  0 to H−1 for a head, H for attention, H+1 for the feed-forward layer
     * @param norms of each row
     */
    void addNorms(int unit, float[] norms) {
        int u = shape.neurons() + unit;
        for (float norm : norms) {
            sums[u] += norm;
            squares[u] += (double) norm * norm;
            min[u] = Math.min(min[u], norm);
            max[u] = Math.max(max[u], norm);
            histograms[u * Histogram.BINS + Histogram.bin(norm)]++;
        }
    }

    /** Some neurons' coefficients in one batch. */
    private final class NeuronChunk {
        private final Batch batch;
        private final float[] rows;
        private final int from;
        private final int to;
        private final float[] high; // each neuron's largest coefficient in a window
        private final float[] low;
        private final int[] open; // columns whose extreme was not found yet

        NeuronChunk(Batch batch, float[] rows, int from, int to) {
            this.batch = batch;
            this.rows = rows;
            this.from = from;
            this.to = to;
            high = new float[to - from];
            low = new float[to - from];
            open = new int[to - from];
        }

        void add() {
            for (int w = 0; w < batch.windows().size(); w++) {
                int first = w * batch.length();
                Arrays.fill(high, Float.NEGATIVE_INFINITY);
                Arrays.fill(low, Float.POSITIVE_INFINITY);
                for (int row = first; row < first + batch.length(); row++) {
                    addRow(row, row - first);
                }
                keepExamples(batch.windows().get(w), first);
            }
        }

        private void addRow(int row, int position) {
            int f = shape.neurons();
            int at = row * f;
            int sum = position * shape.columns() + shape.firstColumn(Site.COEFFICIENTS);
            int token = batch.frequent()[row] * f; // negative for none
            for (int c = from; c < to; c++) {
                double x = rows[at + c];
                positions[sum + c] += x;
                sums[c] += x;
                squares[c] += x * x;
            }
            for (int c = from; token >= 0 && c < to; c++) {
                tokens[token + c] += rows[at + c];
            }
            for (int c = from; c < to; c++) {
                high[c - from] = Math.max(high[c - from], rows[at + c]);
                low[c - from] = Math.min(low[c - from], rows[at + c]);
            }
            for (int c = from; c < to; c++) {
                histograms[c * Histogram.BINS + Histogram.bin(rows[at + c])]++;
            }
            for (int slot : batch.slots()[row]) {
                System.arraycopy(rows, at + from, samples, slot * f + from, to - from);
            }
        }

        private void keepExamples(Window window, int first) {
            for (int c = from; c < to; c++) {
                max[c] = Math.max(max[c], high[c - from]);
                min[c] = Math.min(min[c], low[c - from]);
            }
            offer(Extremes.LARGEST, high, window, first);
            offer(Extremes.SMALLEST, low, window, first);
        }

        /** Offers a window's extremes that may belong to the examples, row by row, as columns lie far apart in memory. */
        private void offer(int side, float[] values, Window window, int first) {
            int f = shape.neurons();
            int count = 0;
            for (int c = from; c < to; c++) {
                if (extremes.mayTake(side, c, values[c - from])) {
                    open[count++] = c;
                }
            }
            for (int position = 0; count > 0 && position < window.length(); position++) {
                int row = (first + position) * f;
                int left = 0;
                for (int i = 0; i < count; i++) {
                    int c = open[i];
                    float value = values[c - from];
                    if (rows[row + c] == value) {
                        extremes.offer(side, c, value, window, position, rows, first * f, f);
                    } else {
                        open[left++] = c;
                    }
                }
                count = left;
            }
        }
    }
}
