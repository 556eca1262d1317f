package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.device.Matrix.assertClose;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sums over rows, statistics of columns and their extremes, against plain loops: equal bits, however rows are shared out. */
@OnEveryDevice
class ColumnsContractTest extends ContractTest {
    ColumnsContractTest() {
        super(Precision.FP32);
    }

    private double[] doubles(Tensor tensor) {
        var numbers = new double[Math.toIntExact(tensor.rows() * tensor.columns())];
        tensor.copyTo(MemorySegment.ofArray(numbers));
        return numbers;
    }

    /** Returns a window of a wider F64 matrix. */
    private Tensor wide(int rows, int columns, double... numbers) {
        var window = scope.allocate(ElementType.F64, rows, columns + 3).columns(2, columns);
        run(s -> s.upload(window, MemorySegment.ofArray(numbers)));
        return window;
    }

    @Test
    void tensorsOfAnyTypeGoToTheDeviceAndBack() {
        var numbers = new double[] {1.0 / 3, -0.0, Double.MAX_VALUE, Double.NEGATIVE_INFINITY, 5, 6};
        assertThat(doubles(wide(2, 3, numbers))).isEqualTo(numbers);
        var ints = scope.allocate(ElementType.I32, 1, 3);
        run(s -> s.upload(ints, MemorySegment.ofArray(new int[] {1, -2, 3})));
        assertThat(ints.toInts()).containsExactly(1, -2, 3);
        assertThatThrownBy(() -> run(s -> s.upload(ints, MemorySegment.ofArray(new int[2]))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("2 elements (expected: 3)");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 31, 32, 33, 300})
    void rowsAreAddedToTheirTargetsInOrder(int n) {
        var x = Matrix.random(9, n, 1);
        var rows = new int[] {3, 8, 0, 5, 5, 1, 7};
        var starts = new int[] {0, 4, 4, 7}; // none for the second
        int width = n + 2; // a column more on each side, which stays as it is
        var before = Matrix.random(3, width, 2).data();
        var expected = IntStream.range(0, before.length).mapToDouble(i -> before[i]).toArray();
        var whole = wide(3, width, expected);
        var sums = whole.columns(1, n);
        run(s -> s.addRows(sums, x.windowOn(device, scope), ints(starts), ints(rows)));
        for (int t = 0; t < 3; t++) {
            for (int j = starts[t]; j < starts[t + 1]; j++) {
                for (int c = 0; c < n; c++) {
                    expected[t * width + 1 + c] += x.at(rows[j], c);
                }
            }
        }
        assertThat(doubles(whole)).isEqualTo(expected);

        var empty = scope.allocate(ElementType.I32, 1, 0);
        run(s -> s.addRows(sums, x.on(device, scope), ints(0, 0, 0, 0), empty));
        assertThat(doubles(whole)).isEqualTo(expected);
    }

    private ColumnStatistics statistics(int n) {
        var zeros = new double[n];
        var min = new float[n];
        Arrays.fill(min, Float.POSITIVE_INFINITY);
        var max = new float[n];
        Arrays.fill(max, Float.NEGATIVE_INFINITY);
        var histograms = scope.allocate(ElementType.I32, n, Histogram.BINS + 1).columns(1, Histogram.BINS);
        run(s -> s.upload(histograms, new int[n * Histogram.BINS]));
        return new ColumnStatistics(wide(1, n, zeros), wide(1, n, zeros),
                new Matrix(1, n, min).on(device, scope), new Matrix(1, n, max).on(device, scope), histograms);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "15, 31", "16, 32", "17, 33", "50, 300"})
    void statisticsOfColumnsAreThoseOfTheirNumbersInOrder(int rows, int n) {
        var random = Matrix.random(rows, n, 3);
        var x = Matrix.of(rows, n, (r, c) -> r == 3 ? 0 : random.at(r, c) * Math.scalb(1, r % 30 - 15));
        var statistics = statistics(n);
        var on = x.windowOn(device, scope);
        run(s -> {
            s.accumulate(statistics, on.rows(0, rows / 3));
            s.accumulate(statistics, on.rows(rows / 3, rows - rows / 3));
        });
        var sums = new double[n];
        var squares = new double[n];
        var histograms = new int[n * Histogram.BINS];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < n; c++) {
                sums[c] += x.at(r, c);
                squares[c] += x.at(r, c) * x.at(r, c);
                histograms[c * Histogram.BINS + Histogram.bin((float) x.at(r, c))]++;
            }
        }
        assertThat(doubles(statistics.sums())).isEqualTo(sums);
        assertThat(doubles(statistics.squares())).isEqualTo(squares);
        assertThat(statistics.histograms().toInts()).isEqualTo(histograms);
        assertClose(statistics.min(), 0, 0x1p-60,
                (i, c) -> IntStream.range(0, rows).mapToDouble(r -> x.at(r, c)).min().getAsDouble());
        assertClose(statistics.max(), 0, 0x1p-60,
                (i, c) -> IntStream.range(0, rows).mapToDouble(r -> x.at(r, c)).max().getAsDouble());
    }

    @Test
    void statisticsOfAColumnWithNanAreNan() {
        var statistics = statistics(2);
        run(s -> s.accumulate(statistics, new Matrix(3, 2, new float[] {1, 1, Float.NaN, 2, -1, 3})
                .on(device, scope)));
        assertThat(doubles(statistics.sums())).containsExactly(Double.NaN, 6);
        assertThat(statistics.min().toFloats()).containsExactly(Float.NaN, 1);
        assertThat(statistics.max().toFloats()).containsExactly(Float.NaN, 3);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 64, 1030})
    void normsGoToARowOrToAColumn(int d) {
        var x = Matrix.random(5, d, 4);
        var bias = Matrix.random(1, d, 5);
        var norms = new Matrix(5, 4, new float[20]).on(device, scope);
        var row = empty(1, 5);
        run(s -> {
            s.rowNorms(norms.columns(0, 1), x.windowOn(device, scope));
            s.biasNorms(norms.columns(2, 1), x.on(device, scope), bias.on(device, scope));
            s.biasNorms(row, x.windowOn(device, scope), bias.windowOn(device, scope));
        });
        assertClose(norms, 1e-30, 1e-6, (r, column) -> column % 2 == 1 ? 0 : norm(x, column == 0 ? null : bias, r));
        assertClose(row, 0, 0x1p-23, (zero, r) -> norm(x, bias, r));
        assertThat(norms.columns(2, 1).toFloats()).isEqualTo(row.toFloats());
        assertThatThrownBy(() -> run(s -> s.biasNorms(empty(5, 2), x.on(device, scope), bias.on(device, scope))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("norms: F32[5, 2]");
    }

    private static double norm(Matrix x, Matrix bias, int r) {
        return Math.sqrt(IntStream.range(0, x.columns())
                .mapToDouble(c -> Math.pow(x.at(r, c) + (bias == null ? 0 : bias.at(0, c)), 2)).sum());
    }

    private ColumnExtremes extremes(int n, int k, int span) {
        var documents = scope.allocate(ElementType.I32, 2L * n, k);
        run(s -> s.upload(documents, IntStream.range(0, 2 * n * k).map(i -> ColumnExtremes.NONE).toArray()));
        return new ColumnExtremes(empty(2 * n, k + 1).columns(1, k), documents,
                scope.allocate(ElementType.I32, 2L * n, k), empty(2 * n, k * span));
    }

    /** @param row the first of its rows */
    private record Window(int document, int place, int row) {
    }

    private record Found(int document, int place, float value, List<Float> context) {
    }

    /** Returns the best of each document, the best first. */
    private static List<Found> best(Matrix x, List<Window> windows, int length, int c, int sign, int k, int span) {
        var all = windows.stream().flatMap(window -> IntStream.range(0, length).mapToObj(p -> new Found(
                window.document(), window.place() + p, (float) x.at(window.row() + p, c),
                IntStream.range(p - span / 2, p + span / 2 + 1)
                        .mapToObj(i -> i >= 0 && i < length ? (float) x.at(window.row() + i, c) : 0f).toList())));
        var order = Comparator.comparingDouble((Found each) -> -sign * each.value()).thenComparingInt(Found::document)
                .thenComparingInt(Found::place);
        return all.sorted(order).collect(Collectors.toMap(Found::document, each -> each, (first, second) -> first))
                .values().stream().sorted(order).limit(k).toList();
    }

    private static List<Found> list(ColumnExtremes extremes, int row) {
        int k = extremes.count();
        int span = extremes.span();
        var values = extremes.values().row(row).toFloats();
        var documents = extremes.documents().row(row).toInts();
        var places = extremes.places().row(row).toInts();
        var contexts = extremes.contexts().row(row).toFloats();
        return IntStream.range(0, k).filter(i -> documents[i] >= 0).mapToObj(i -> new Found(documents[i], places[i],
                values[i], IntStream.range(i * span, (i + 1) * span).mapToObj(j -> contexts[j]).toList())).toList();
    }

    @ParameterizedTest
    @CsvSource({"1, 4, 20, 41, 3", "5, 9, 20, 41, 40", "33, 40, 3, 5, 3", "17, 33, 1, 1, 1000", "3, 1, 32, 3, 2"})
    void extremesAreTheBestOfEachDocumentInWhateverOrderWindowsCome(int n, int length, int k, int span, int numbers) {
        int documents = 30;
        int each = 3; // windows of a document
        var random = Matrix.random(documents * each * length, n, 6);
        var x = Matrix.of(random.rows(), n, (r, c) -> Math.rint(random.at(r, c) * numbers) / 4 + 0.125); // with ties
        var windows = IntStream.range(0, documents * each)
                .mapToObj(w -> new Window(w / each, w % each * length, w * length)).collect(Collectors.toList());
        var on = x.windowOn(device, scope);
        var shuffle = new Random(7);
        for (int batch : new int[] {1, 7, windows.size()}) {
            Collections.shuffle(windows, shuffle);
            var extremes = extremes(n, k, span);
            for (int w = 0; w < windows.size(); w += batch) {
                merge(extremes, on, windows.subList(w, Math.min(windows.size(), w + batch)), length);
            }
            for (int c = 0; c < n; c++) {
                assertThat(list(extremes, c)).isEqualTo(best(x, windows, length, c, 1, k, span));
                assertThat(list(extremes, n + c)).isEqualTo(best(x, windows, length, c, -1, k, span));
            }
        }
    }

    private void merge(ColumnExtremes extremes, Tensor x, List<Window> windows, int length) {
        int n = (int) x.columns();
        var batch = empty(windows.size() * length, n);
        var places = scope.allocate(ElementType.I32, windows.size(), 2);
        run(s -> {
            for (int w = 0; w < windows.size(); w++) {
                s.copy(batch.rows((long) w * length, length), x.rows(windows.get(w).row(), length));
            }
            s.upload(places, windows.stream().flatMapToInt(w -> IntStream.of(w.document(), w.place())).toArray());
            s.mergeExtremes(extremes, batch, places);
        });
    }

    @Test
    void aWindowWithNanIsLeftOutInItsColumn() {
        var x = new Matrix(4, 2, new float[] {1, 2, Float.NaN, 3, 5, 6, 7, -8}).on(device, scope);
        var extremes = extremes(2, 2, 1);
        merge(extremes, x, new ArrayList<>(List.of(new Window(0, 0, 0), new Window(1, 10, 2))), 2);
        assertThat(list(extremes, 0)).containsExactly(new Found(1, 11, 7, List.of(7f)));
        assertThat(list(extremes, 2)).containsExactly(new Found(1, 10, 5, List.of(5f)));
        assertThat(list(extremes, 1)).extracting(Found::value).containsExactly(6f, 3f);
        assertThat(list(extremes, 3)).extracting(Found::value).containsExactly(-8f, 2f);
    }

    @Test
    void tablesThatDoNotFitAreRefused() {
        var x = empty(6, 2);
        var narrow = empty(1, 2);
        assertThatThrownBy(() -> run(s -> s.addRows(narrow, x, ints(0, 0), ints(0))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("sums: F32[1, 2]");
        assertThatThrownBy(() -> run(s -> s.addRows(wide(1, 2, 0, 0), x, ints(0), ints(0))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("starts: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.accumulate(statistics(3), x)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("expected: shape [1, 2]");
        assertThatThrownBy(() -> run(s -> s.mergeExtremes(extremes(2, 33, 1), x, ints(0, 0))))
                .isInstanceOf(IllegalArgumentException.class).hasMessage("k: 33 (expected: 1 to 32)");
        assertThatThrownBy(() -> run(s -> s.mergeExtremes(extremes(2, 2, 4), x, ints(0, 0))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("an odd multiple of 2 columns");
        var four = scope.allocate(ElementType.I32, 4, 2);
        assertThatThrownBy(() -> run(s -> s.mergeExtremes(extremes(2, 2, 3), x, four)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("windows: 4 (expected: a divisor");
    }

    @Test
    void binsLieBetweenTheirEdges() {
        var edges = Histogram.edges();
        assertThat(edges).hasSize(63).isSorted().contains(0, 0x1p-8f, 0x1.8p-8f, 1, 1.5f, 2, 0x1p7f, -0x1p7f);
        for (float x : new float[] {0, -0f, 1e-30f, -1e-30f, 0.004f, -0.17f, 1, 1.49f, 1.5f, 127, 128, 1e30f, -1e30f}) {
            int bin = Histogram.bin(x);
            assertThat(bin == 0 || (x > 0 ? edges[bin - 1] <= x : edges[bin - 1] < x)).as("%s in %d", x, bin).isTrue();
            assertThat(bin == 63 || (x > 0 ? x < edges[bin] : x <= edges[bin])).as("%s in %d", x, bin).isTrue();
        }
    }
}
