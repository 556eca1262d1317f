package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.lmdebugger.device.Matrix.assertClose;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Edits of coefficients, rows and attention weights, against plain loops in double precision. */
@OnEveryDevice
class EditContractTest extends ContractTest {
    private static final float CUT = Float.NEGATIVE_INFINITY;

    EditContractTest() {
        super(Precision.FP32);
    }

    private Tensor places(int[]... entries) {
        var tensor = scope.allocate(ElementType.I32, 4, entries.length);
        run(s -> s.upload(tensor, IntStream.range(0, 4 * entries.length)
                .map(i -> entries[i % entries.length][i / entries.length]).toArray()));
        return tensor;
    }

    private Tensor factors(float[]... entries) {
        return Matrix.of(4, entries.length, (kind, e) -> entries[e][kind]).windowOn(device, scope);
    }

    // ---- coefficients

    @Test
    void editsAreExact() {
        var m = Matrix.random(3, 40, 1);
        var edited = m.on(device, scope);
        run(s -> s.editCoefficients(edited, ints(0, 2, 2), ints(39, 0, 5), scope.vector(s, 0f, 2f, 1f),
                scope.vector(s, 7f, 0f, 1.5f)));
        var expected = m.data().clone();
        expected[39] = 7;
        expected[80] = 2 * expected[80];
        expected[85] = expected[85] + 1.5f;
        assertThat(edited.toFloats()).isEqualTo(expected);
    }

    @Test
    void aSetCoefficientIsSetWhateverItWas() {
        var m = Matrix.of(1, 2, (r, i) -> i == 0 ? Double.NaN : Double.POSITIVE_INFINITY).on(device, scope);
        run(s -> s.editCoefficients(m, ints(0, 0), ints(0, 1), scope.vector(s, 0f, 0f), scope.vector(s, 3f, 4f)));
        assertThat(m.toFloats()).containsExactly(3, 4);
    }

    @Test
    void shifts() {
        var x = Matrix.random(4, 33, 1);
        var values = Matrix.random(9, 33, 2);
        float[] shift = {1, -2, 0.5f, 0};
        int[] neurons = {8, 0, 3, 3};
        var shifted = x.on(device, scope);
        run(s -> s.shiftResidual(shifted, scope.vector(s, shift), ints(neurons), values.on(device, scope)));
        assertClose(shifted, FEW, 0, (r, i) -> x.at(r, i) + shift[r] * values.at(neurons[r], i));
    }

    // ---- rows

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 31, 32, 33, 64, 255, 256, 257, 1030})
    void windowsOfRowsAreEdited(int width) {
        int n = 2 * width + 3;
        var x = Matrix.random(5, n, 1);
        var vectors = Matrix.random(3, width + 2, 2);
        // two windows in row 4, and one that ends with it
        int[][] at = {{2, 1, 0, 0}, {4, 0, 2, 2}, {-1, 0, 0, 0}, {4, width + 3, 1, 1}, {0, 2, 2, 2}, {3, 3, 0, 0}};
        float[][] by = {{1, 2.5f, 0, 0}, {0.5f, 0, 0.25f, 0}, {3, 3, 3, 3}, {1, 0, 0, -0.125f}, {-2, 0.5f, -1, 0.25f},
                {2, 0, 0, 0}};
        var expected = Arrays.copyOf(x.data(), x.data().length);
        for (int e = 0; e < at.length; e++) {
            int r = at[e][0], c = at[e][1], f = at[e][2], g = at[e][3];
            if (r >= 0) {
                double norm = Math.sqrt(sum(width, i -> x.at(r, c + i) * x.at(r, c + i)));
                double product = sum(width, i -> x.at(r, c + i) * vectors.at(f, g + i));
                double amount = by[e][1] + by[e][2] * norm + by[e][3] * product;
                for (int i = 0; i < width; i++) {
                    expected[r * n + c + i] = (float) (by[e][0] * x.at(r, c + i) + amount * vectors.at(f, g + i));
                }
            }
        }
        var dense = x.on(device, scope); // memory that ends with the last row, so that reading on shows
        var window = x.windowOn(device, scope);
        run(s -> {
            s.editRows(dense, vectors.on(device, scope), places(at), factors(by), width);
            s.editRows(window, vectors.windowOn(device, scope), places(at), factors(by), width);
        });
        // the sums of `width` products of size 1 lose as much as a random walk: √width·√width·2⁻²⁴, thrice at the tail
        double tolerance = FEW + 3 * width * 0x1p-24;
        assertClose(dense, tolerance, 1e-5, (r, i) -> expected[r * n + i]);
        assertThat(window.toFloats()).isEqualTo(dense.toFloats());
    }

    @Test
    void anEditWithoutATermDoesNotComputeIt() {
        int d = 70, nowhere = 1 << 29;
        var x = Matrix.of(6, d, (r, i) -> r < 3 && i == 5 ? Double.NaN
                : r < 3 && i == 6 ? Double.POSITIVE_INFINITY
                        : Math.cos(r * d + i));
        var vectors = Matrix.of(2, d, (r, i) -> r == 1 ? Double.NaN : i == 3 ? -0.0 : Math.sin(i));
        var edited = x.on(device, scope);
        run(s -> s.editRows(edited, vectors.on(device, scope),
                places(new int[] {0, 0, 0, 0}, new int[] {1, 0, 1, 0}, new int[] {2, 0, nowhere, 0},
                        new int[] {3, 0, nowhere, 0}, new int[] {4, 0, 0, 0}, new int[] {5, 0, 1, 0}),
                factors(new float[] {0, 1, 0, 0}, new float[] {0, 0, 0, 0}, new float[] {0, 0, 0, 0},
                        new float[] {1, 0, 0, 0}, new float[] {1, 0.5f, 0, 0}, new float[] {3, 0, 0, 0}),
                d));
        assertThat(edited.row(0).toFloats()).isEqualTo(Arrays.copyOf(vectors.data(), d));
        assertThat(edited.rows(1, 2).toFloats()).isEqualTo(new float[2 * d]);
        assertThat(edited.row(3).toFloats()).isEqualTo(Arrays.copyOfRange(x.data(), 3 * d, 4 * d));
        assertClose(edited.row(4), 1e-7, 1e-7, (r, i) -> x.at(4, i) + 0.5 * vectors.at(0, i));
        assertClose(edited.row(5), 0, 1e-7, (r, i) -> 3 * x.at(5, i));
    }

    /** A NaN of a row is in the norm and in the product, and an infinity of a vector in the sum. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void anEditWithATermShowsWhatIsNoNumber(int term) {
        var x = Matrix.of(2, 40, (r, i) -> r == 0 && i == 33 ? Double.NaN : 1);
        var vectors = Matrix.of(1, 40, (r, i) -> i == 33 ? Double.POSITIVE_INFINITY : 1);
        var factors = new float[4];
        factors[term] = 1;
        var edited = x.on(device, scope);
        run(s -> s.editRows(edited, vectors.on(device, scope), places(new int[] {0, 0, 0, 0}, new int[] {1, 0, 0, 0}),
                factors(factors, factors), 40));
        var values = edited.toFloats();
        assertThat(values[33]).satisfies(value -> assertThat(Float.isFinite(value)).isFalse());
        assertThat(Float.isFinite(values[73])).isFalse();
        assertThat(Float.isNaN(values[0])).isEqualTo(term > 1);
    }

    /** Single precision cannot hold the squares of 1e25. */
    @Test
    void theNormOfAHugeRowIsANumber() {
        var noise = Matrix.random(1, 70, 1);
        var x = Matrix.of(1, 70, (r, i) -> 1e25 * noise.at(0, i));
        var vectors = Matrix.of(1, 70, (r, i) -> 1);
        var edited = x.on(device, scope);
        run(s -> s.editRows(edited, vectors.on(device, scope), places(new int[] {0, 0, 0, 0}),
                factors(new float[] {0, 0, 0.5f, 0}), 70));
        assertClose(edited, 0, 1e-5, (r, i) -> 0.5 * Math.sqrt(sum(70, c -> x.at(0, c) * x.at(0, c))));
    }

    @Test
    void rowsStayWithoutEdits() {
        var x = Matrix.random(2, 8, 1);
        var tensor = x.on(device, scope);
        run(s -> {
            s.editRows(tensor, empty(0, 8), places(), empty(4, 0), 8);
            s.editRows(tensor, empty(1, 8), places(new int[] {1, 8, 0, 0}), factors(new float[4]), 0);
        });
        assertThat(tensor.toFloats()).isEqualTo(x.data());
    }

    @Test
    void editsOfRowsThatDoNotFitAreRefused() {
        var x = empty(3, 8);
        assertThatThrownBy(() -> run(s -> s.editRows(x.asReadOnly(), x, places(), empty(4, 0), 1)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith("x: F32[3, 8]");
        assertThatThrownBy(() -> run(s -> s.editRows(ints(1), x, places(), empty(4, 0), 1)))
                .hasMessageStartingWith("x: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.editRows(x, ints(1), places(), empty(4, 0), 1)))
                .hasMessageStartingWith("vectors: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.editRows(x, x, ints(1, 2), empty(4, 2), 1)))
                .hasMessageStartingWith("places: I32[1, 2]").hasMessageEndingWith("(expected: shape [4, 2])");
        assertThatThrownBy(() -> run(s -> s.editRows(x, x, empty(4, 2), empty(4, 2), 1)))
                .hasMessageStartingWith("places: F32[4, 2]");
        assertThatThrownBy(() -> run(s -> s.editRows(x, x, places(), empty(4, 2), 1)))
                .hasMessageStartingWith("factors: F32[4, 2]");
        assertThatThrownBy(() -> run(s -> s.editRows(x, x, places(), empty(4, 0), 9)))
                .hasMessage("width: 9 (expected: 0 to 8)");
        assertThatThrownBy(() -> run(s -> s.editRows(x, x, places(), empty(4, 0), -1)))
                .hasMessage("width: -1 (expected: 0 to 8)");
    }

    // ---- attention weights

    /** Queries, keys and values of an attention, and one entry for each head of each query, after one without a row. */
    private final class Case {
        final int heads, size, sequences, queries, prefix, length, capacity, n;
        final Matrix q, prefixKeys, prefixValues, keys, values;
        final int[] rows, head;

        Case(int heads, int size, int sequences, int queries, int prefix, int length, int capacity) {
            this.heads = heads;
            this.size = size;
            this.sequences = sequences;
            this.queries = queries;
            this.prefix = prefix;
            this.length = length;
            this.capacity = capacity;
            n = prefix + capacity;
            q = Matrix.random(sequences * queries, heads * size, 1);
            prefixKeys = Matrix.random(prefix, heads * size, 2);
            prefixValues = Matrix.random(prefix, heads * size, 3);
            keys = Matrix.random(sequences * capacity, heads * size, 4);
            values = Matrix.random(sequences * capacity, heads * size, 5);
            rows = IntStream.range(-1, q.rows() * heads).map(e -> e < 0 ? -1 : e / heads).toArray();
            head = IntStream.range(-1, q.rows() * heads).map(e -> e < 0 ? 0 : e % heads).toArray();
        }

        double divisor() {
            return 1.5 * size;
        }

        int visible(int e) {
            return prefix + length + rows[e] % queries + 1;
        }

        /** Returns column i of the e-th entry's head in the key, or value, j that its row attends to. */
        double at(Matrix ofPrefix, Matrix own, int e, int j, int i) {
            return j < prefix ? ofPrefix.at(j, head[e] * size + i)
                    : own.at(rows[e] / queries * capacity + j - prefix, head[e] * size + i);
        }

        /** Returns the weights of all entries, with those of {@code before} for entries without a row. */
        Matrix weights(Matrix before, Matrix bias) {
            var weights = Matrix.of(rows.length, n, before::at);
            for (int entry = 1; entry < rows.length; entry++) {
                int e = entry;
                var scores = IntStream.range(0, visible(e)).mapToDouble(j -> bias.at(e, j) == CUT ? CUT
                        : sum(size, i -> q.at(rows[e], head[e] * size + i) * at(prefixKeys, keys, e, j, i)) / divisor())
                        .toArray();
                double total = sum(scores.length, j -> Math.exp(scores[j]));
                for (int j = 0; j < n; j++) {
                    weights.data()[e * n + j] = j >= scores.length || scores[j] == CUT ? 0
                            : (float) (Math.exp(scores[j]) / total);
                }
            }
            return weights;
        }

        /** Returns x in memory that ends with its last row, so that reading on shows, or in a window of a larger one. */
        Tensor place(Matrix x, boolean window) {
            return window ? x.windowOn(device, scope) : x.on(device, scope);
        }

        AttentionContext context(boolean window) {
            return new AttentionContext(heads, sequences, place(prefixKeys, window), place(prefixValues, window),
                    place(keys, window), place(values, window), ints(length));
        }

        Tensor weights(Matrix before, Matrix bias, boolean window) {
            var weights = place(before, window);
            run(s -> s.attentionWeights(weights, place(q, window), context(window), divisor(), ints(rows), ints(head),
                    place(bias, window)));
            return weights;
        }
    }

    @ParameterizedTest
    @CsvSource({
            // heads, size, sequences, queries, prefix, length, capacity
            "1, 1, 1, 1, 0, 0, 1", "2, 33, 1, 7, 0, 0, 7", "3, 32, 1, 40, 0, 0, 40", "2, 64, 1, 30, 5, 0, 50",
            "4, 16, 5, 1, 9, 3, 4", "2, 31, 3, 4, 17, 2, 8", "1, 1100, 2, 2, 3, 1, 3", "2, 40, 2, 2, 600, 1, 3"})
    void attentionInTwoStepsIsAttention(int heads, int size, int sequences, int queries, int prefix, int length,
            int capacity) {
        var c = new Case(heads, size, sequences, queries, prefix, length, capacity);
        var before = Matrix.random(c.rows.length, c.n, 6);
        var bias = Matrix.of(c.rows.length, c.n, (e, j) -> 0);
        var expected = c.weights(before, bias);
        for (boolean window : new boolean[] {true, false}) {
            var weights = c.weights(before, bias, window);
            assertClose(weights, FEW, 5e-6, expected::at);
            assertThat(weights.row(0).toFloats()).isEqualTo(Arrays.copyOf(before.data(), c.n));
            var once = c.place(c.q, window);
            var mixed = c.place(c.q, window);
            run(s -> {
                s.attention(once, c.place(c.q, window), c.context(window), c.divisor());
                s.attentionMix(mixed, weights, c.context(window), ints(c.rows), ints(c.head));
            });
            var attended = new Matrix(c.q.rows(), c.q.columns(), once.toFloats());
            assertClose(mixed, 5e-6, 5e-6, attended::at);
        }
    }

    @Test
    void linksAreTakenAwayBeforeTheSoftmax() {
        var c = new Case(2, 33, 2, 3, 5, 1, 4);
        // all links but one, all, and every third
        var bias = Matrix.of(c.rows.length, c.n, (e, j) -> switch (e % 4) {
            case 1 -> j != 2;
            case 2 -> true;
            case 3 -> j % 3 == 0;
            default -> false;
        } ? CUT : 0);
        var before = Matrix.random(c.rows.length, c.n, 6);
        var expected = c.weights(before, bias);
        for (boolean window : new boolean[] {true, false}) {
            var weights = c.weights(before, bias, window);
            assertClose(weights, FEW, 5e-6, expected::at);
            assertThat(weights.row(1).toFloats()).isEqualTo(new float[] {0, 0, 1, 0, 0, 0, 0, 0, 0});
            assertThat(weights.row(2).toFloats()).isEqualTo(new float[c.n]);
            assertThat(weights.row(3).toFloats()[3]).isZero();
        }
    }

    /** −∞ is the score of a key with an infinity that has no weight by itself. */
    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 3e38f})
    void aKeyThatIsNoNumberShowsUnlessItIsTakenAway(float broken) {
        var c = new Case(1, 4, 1, 3, 2, 0, 3);
        Arrays.fill(c.q.data(), 8f); // so that the largest numbers overflow
        c.keys.data()[4 + 1] = broken; // the own position 1
        var free = Matrix.of(4, 5, (e, j) -> 0);
        var cut = Matrix.of(4, 5, (e, j) -> j == 3 ? CUT : 0);
        var before = Matrix.random(4, 5, 6);
        var weights = new Matrix(4, 5, c.weights(before, free, false).toFloats());
        for (int e = 1; e < 4; e++) {
            for (int j = 0; j < 5; j++) {
                assertThat(Double.isNaN(weights.at(e, j))).as("weight %d of entry %d", j, e)
                        .isEqualTo(e > 1 && j < c.visible(e));
            }
        }
        assertClose(c.weights(before, cut, false), FEW, 5e-6, c.weights(before, cut)::at);
    }

    @ParameterizedTest
    @CsvSource({"2, 33, 1, 7, 0, 0, 7", "3, 32, 2, 2, 5, 3, 5", "1, 1, 1, 1, 0, 0, 1", "1, 1100, 1, 2, 3, 0, 2",
            "2, 40, 2, 2, 300, 1, 3"})
    void anyWeightsOfAttentionAreMixed(int heads, int size, int sequences, int queries, int prefix, int length,
            int capacity) {
        var c = new Case(heads, size, sequences, queries, prefix, length, capacity);
        var noise = Matrix.random(c.rows.length, c.n, 6);
        var weights = Matrix.of(c.rows.length, c.n, (e, j) -> j % 5 == 1 ? 0 : noise.at(e, j)); // beyond its keys, too
        if (prefix > 1) {
            c.prefixValues.data()[heads * size] = 3e38f; // of key 1, which has no weight
        }
        for (int left = 0; left < c.rows.length; left += 3) {
            c.rows[left] = -1;
        }
        var expected = Matrix.of(c.q.rows(), c.q.columns(), c.q::at);
        for (int entry = 0; entry < c.rows.length; entry++) {
            int e = entry;
            for (int column = 0; c.rows[e] >= 0 && column < size; column++) {
                int i = column;
                expected.data()[c.rows[e] * heads * size + c.head[e] * size + i] = (float) sum(c.visible(e),
                        j -> weights.at(e, j) * c.at(c.prefixValues, c.values, e, j, i));
            }
        }
        // as for the sum of a product
        double tolerance = FEW + 3 * c.n * 0x1p-24;
        for (boolean window : new boolean[] {true, false}) {
            var out = c.place(c.q, window);
            run(s -> s.attentionMix(out, c.place(weights, window), c.context(window), ints(c.rows), ints(c.head)));
            assertClose(out, tolerance, 1e-6, expected::at);
        }
    }

    @Test
    void attentionToAValueThatIsNoNumberShows() {
        var c = new Case(1, 4, 1, 3, 0, 0, 3);
        c.values.data()[4 + 1] = Float.NaN;
        c.values.data()[4 + 2] = Float.POSITIVE_INFINITY;
        var weights = Matrix.of(4, 3, (e, j) -> 0);
        var out = empty(3, 4);
        run(s -> s.attentionMix(out, weights.on(device, scope), c.context(false), ints(c.rows), ints(c.head)));
        var values = out.toFloats();
        for (int i = 0; i < values.length; i++) {
            assertThat(Float.isFinite(values[i])).as("element %d", i).isEqualTo(i < 4 || i % 4 == 0 || i % 4 == 3);
        }
    }

    @Test
    void attentionWithoutEntriesWritesNothing() {
        var c = new Case(1, 4, 1, 3, 0, 0, 3);
        var out = c.q.on(device, scope);
        run(s -> {
            s.attentionWeights(empty(0, 3), out, c.context(false), 1, ints(), ints(), empty(0, 3));
            s.attentionMix(out, empty(0, 3), c.context(false), ints(), ints());
        });
        assertThat(out.toFloats()).isEqualTo(c.q.data());
    }

    @Test
    void entriesOfAttentionThatDoNotFitAreRefused() {
        var c = new Case(2, 4, 1, 3, 2, 0, 3);
        var context = c.context(false);
        var x = empty(3, 8);
        var one = ints(1);
        var weights = empty(1, 5);
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights.asReadOnly(), x, context, 1, one, one, weights)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith("weights: F32[1, 5]");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights, ints(1), context, 1, one, one, weights)))
                .hasMessageStartingWith("queries: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights, empty(3, 7), context, 1, one, one, weights)))
                .hasMessageStartingWith("heads: 2 (expected: a divisor of the 7 columns)");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(empty(1, 4), x, context, 1, one, one, empty(1, 4))))
                .hasMessageStartingWith("weights: F32[1, 4]").hasMessageEndingWith("(expected: at least 5 columns)");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights, x, context, 1, ints(1, 2), one, weights)))
                .hasMessageStartingWith("rows: I32[1, 2]");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights, x, context, 1, one, empty(1, 1), weights)))
                .hasMessageStartingWith("heads: F32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.attentionWeights(weights, x, context, 1, one, one, empty(1, 6))))
                .hasMessageStartingWith("bias: F32[1, 6]");
        assertThatThrownBy(() -> run(s -> s.attentionMix(x.asReadOnly(), weights, context, one, one)))
                .hasMessageStartingWith("out: F32[3, 8]");
        assertThatThrownBy(() -> run(s -> s.attentionMix(ints(1), weights, context, one, one)))
                .hasMessageStartingWith("out: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.attentionMix(empty(3, 6), weights, context, one, one)))
                .hasMessageStartingWith("prefixKeys: F32[2, 8]");
        assertThatThrownBy(() -> run(s -> s.attentionMix(x, empty(2, 5), context, one, one)))
                .hasMessageStartingWith("rows: I32[1, 1]");
        assertThatThrownBy(() -> run(s -> s.attentionMix(x, one, context, one, one)))
                .hasMessageStartingWith("weights: I32[1, 1]");
    }
}
