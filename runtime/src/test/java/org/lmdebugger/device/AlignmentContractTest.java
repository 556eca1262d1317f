package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.lmdebugger.device.Matrix.assertClose;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Operations on rows that begin anywhere: a device may read several neighbours at once where they are aligned. */
@OnEveryDevice
class AlignmentContractTest extends ContractTest {
    private record Window(Tensor wide, int left, int columns) {
        Tensor tensor() {
            return wide.columns(left, columns);
        }
    }

    private int left;
    private int right;
    private final List<Window> windows = new ArrayList<>();

    AlignmentContractTest() {
        super(Precision.FP32);
    }

    /** The numbers between {@code left} and {@code right} columns of NaN, which nobody may read or write. */
    private Tensor window(Matrix numbers) {
        int width = left + numbers.columns() + right;
        var wide = new float[numbers.rows() * width];
        Arrays.fill(wide, Float.NaN);
        for (int r = 0; r < numbers.rows(); r++) {
            System.arraycopy(numbers.data(), r * numbers.columns(), wide, r * width + left, numbers.columns());
        }
        windows.add(new Window(new Matrix(numbers.rows(), width, wide).on(device, scope), left, numbers.columns()));
        return windows.getLast().tensor();
    }

    private void nothingElseIsWritten() {
        for (var window : windows) {
            var all = window.wide().toFloats();
            int width = (int) window.wide().columns();
            assertThat(IntStream.range(0, all.length)
                    .filter(i -> i % width < window.left() || i % width >= window.left() + window.columns())
                    .allMatch(i -> Float.isNaN(all[i]))).as("columns beside a window of %d", window.columns()).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource({
            // columns before and after
            "4, 8, 0, 0", "4, 8, 4, 4", "4, 8, 3, 1", "4, 8, 2, 6", "4, 8, 4, 1", "1, 8, 4, 1", "1, 8, 2, 0",
            "5, 6, 4, 2", "3, 1028, 0, 0", "3, 1028, 4, 8",
            "3, 1028, 4, 3", "2, 4100, 0, 4"})
    void rowsAnywhere(int rows, int n, int left, int right) {
        this.left = left;
        this.right = right;
        windows.clear();
        var x = Matrix.random(rows, n, 1);
        var y = Matrix.random(rows, n, 2);
        var bias = Matrix.random(1, n, 3);
        var gain = Matrix.random(1, n, 4);
        var table = Matrix.random(7, n, 5);
        var ids = IntStream.range(0, rows).map(r -> 6 - r).toArray();
        var at = IntStream.range(0, rows).map(r -> r + 2).toArray();
        var weights = new float[rows];
        Arrays.fill(weights, 1.5f);
        var added = window(x);
        var residual = window(x);
        var gelu = window(x);
        var embedded = window(x);
        var gathered = window(x);
        var copied = window(x);
        var scattered = window(table);
        var shifted = window(x);
        var normed = window(x);
        var norms = scope.allocate(ElementType.F32, 1, rows);
        run(s -> {
            s.addBias(added, window(bias));
            s.biasResidual(residual, window(y), window(bias));
            s.biasGelu(gelu, window(bias), Gelu.TANH);
            s.embed(embedded, window(table), window(table), ints(ids), ints(at));
            s.gatherRows(gathered, window(table), ints(ids));
            s.copy(copied, window(y));
            s.scatterRows(scattered, window(y), ints(ids));
            s.shiftResidual(shifted, scope.vector(s, weights), ints(ids), window(table));
            s.layerNorm(normed, window(x), window(gain), window(bias), 1e-5f);
            s.rowNorms(norms, window(x));
        });
        assertClose(added, FEW, 0, (r, i) -> x.at(r, i) + bias.at(0, i));
        assertClose(residual, FEW, 0, (r, i) -> x.at(r, i) + y.at(r, i) + bias.at(0, i));
        assertClose(gelu, FEW, FEW, (r, i) -> gelu((float) x.at(r, i) + (float) bias.at(0, i)));
        assertClose(embedded, FEW, 0, (r, i) -> table.at(ids[r], i) + table.at(at[r], i));
        assertClose(gathered, 1e-30, 0, (r, i) -> table.at(ids[r], i));
        assertClose(copied, 1e-30, 0, y::at);
        assertClose(scattered, 1e-30, 0, (r, i) -> r > 6 - rows ? y.at(6 - r, i) : table.at(r, i));
        assertClose(shifted, FEW, 0, (r, i) -> x.at(r, i) + 1.5 * table.at(ids[r], i));
        assertClose(norms, 0, 1e-5,
                (z, r) -> Math.sqrt(IntStream.range(0, n).mapToDouble(i -> x.at(r, i) * x.at(r, i)).sum()));
        var means = IntStream.range(0, rows)
                .mapToDouble(r -> IntStream.range(0, n).mapToDouble(i -> x.at(r, i)).average().orElseThrow()).toArray();
        var deviations = IntStream.range(0, rows)
                .mapToDouble(r -> Math.sqrt(IntStream.range(0, n).mapToDouble(i -> Math.pow(x.at(r, i) - means[r], 2))
                        .average().orElseThrow() + 1e-5))
                .toArray();
        assertClose(normed, 1e-5, 1e-5,
                (r, i) -> (x.at(r, i) - means[r]) / deviations[r] * gain.at(0, i) + bias.at(0, i));
        nothingElseIsWritten();
    }

    /** Rows that begin where a pack can be read need not end there: GPT-2's logits are 50,257 columns, 50,304 apart. */
    @ParameterizedTest
    @CsvSource({
            // columns before and after
            "3, 4, 0, 0", "1, 7, 4, 0", "3, 5, 4, 3", "3, 5, 3, 0", "2, 4099, 0, 1", "2, 4099, 4, 2", "2, 5123, 0, 5",
            "1, 3587, 0, 1", "1, 9002, 0, 2"})
    void rowsOfLogitsAnywhere(int rows, int n, int left, int right) {
        this.left = left;
        this.right = right;
        windows.clear();
        var x = Matrix.random(rows, n, 1);
        var clean = Matrix.random(1, n, 2);
        var norms = Matrix.of(1, n, (r, i) -> 1 + i % 3);
        int last = n - 1;
        var logSumExp = scope.allocate(ElementType.F32, 1, rows);
        var entropy = scope.allocate(ElementType.F32, 1, rows);
        var kl = scope.allocate(ElementType.F32, 1, rows);
        var ranks = scope.allocate(ElementType.I32, rows, 1);
        var top = scope.allocate(ElementType.I32, rows, 3);
        var bottom = scope.allocate(ElementType.I32, rows, 3);
        var dominant = scope.allocate(ElementType.I32, rows, 3);
        var chosen = scope.allocate(ElementType.I32, 1, rows);
        var logP = scope.allocate(ElementType.F32, 1, rows);
        run(s -> {
            var logits = window(x);
            var values = scope.allocate(ElementType.F32, rows, 3);
            s.measure(new LogitStatistics(ints(last), window(clean), logSumExp, entropy, kl, null, ranks), logits);
            s.topK(top, values, logits);
            s.bottomK(bottom, values, logits);
            s.dominant(dominant, values, scope.allocate(ElementType.F32, rows, 3), logits, window(norms));
            s.sample(chosen, logP, logits, Sampling.GREEDY, scope.allocate(ElementType.F32, 1, rows), ints(0));
        });
        assertClose(logSumExp, 1e-5, 1e-6, (z, r) -> logSumExp(x, r));
        assertClose(entropy, 1e-5, 1e-5, (z, r) -> {
            double normaliser = logSumExp(x, r);
            return -IntStream.range(0, n)
                    .mapToDouble(i -> Math.exp(x.at(r, i) - normaliser) * (x.at(r, i) - normaliser)).sum();
        });
        assertClose(kl, 1e-7, 1e-5, (z, r) -> kl(clean, x, r));
        for (int r = 0; r < rows; r++) {
            int row = r;
            assertThat(ranks.toInts()[r])
                    .isEqualTo((int) IntStream.range(0, n).filter(i -> x.at(row, i) > x.at(row, last)).count());
            assertThat(top.row(r).toInts()).isEqualTo(first(n, i -> -x.at(row, i)));
            assertThat(bottom.row(r).toInts()).isEqualTo(first(n, i -> x.at(row, i)));
            assertThat(dominant.row(r).toInts()).isEqualTo(first(n, i -> -Math.abs(x.at(row, i)) * norms.at(0, i)));
            assertThat(chosen.toInts()[r]).isEqualTo(first(n, i -> -x.at(row, i))[0]);
        }
        nothingElseIsWritten();
    }

    /** The three columns with the smallest of these numbers. */
    private static int[] first(int n, IntToDoubleFunction number) {
        return IntStream.range(0, n).boxed().sorted(Comparator.comparingDouble(number::applyAsDouble)).limit(3)
                .mapToInt(i -> i).toArray();
    }
}
