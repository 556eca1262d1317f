package org.lmdebugger.interpret.corpus;

import java.util.stream.IntStream;
import org.lmdebugger.model.Gpt2;

/**
 * Small matrices that have the norms of the heads' outputs: with the rows W of the output weights that belong to a head,
 * and W·Wᵀ = L·Lᵀ by Cholesky's method, ‖z·L‖ = ‖z·W‖. So a head's norm takes d/H columns instead of d.
 */
final class HeadFactors {
    private HeadFactors() {
    }

    /** Returns L of each head of a layer, one below the other, [d, d/H]; computed in F64. */
    static float[] of(Gpt2 model, int l) {
        int d = model.config().width();
        int width = d / model.config().heads();
        var weights = model.layer(l).attentionOut().toFloats();
        var factors = new float[d * width];
        IntStream.range(0, model.config().heads()).parallel()
                .forEach(h -> factor(weights, d, h * width, width, factors));
        return factors;
    }

    private static void factor(float[] weights, int d, int first, int width, float[] factors) {
        var lower = new double[width][width];
        for (int i = 0; i < width; i++) {
            for (int j = 0; j <= i; j++) {
                double sum = product(weights, (first + i) * d, (first + j) * d, d);
                for (int k = 0; k < j; k++) {
                    sum -= lower[i][k] * lower[j][k];
                }
                // a row that depends on those before it has nothing of its own
                lower[i][j] = i == j ? Math.sqrt(Math.max(0, sum)) : lower[j][j] == 0 ? 0 : sum / lower[j][j];
                factors[(first + i) * width + j] = (float) lower[i][j];
            }
        }
    }

    private static double product(float[] numbers, int a, int b, int count) {
        double sum0 = 0; // four sums, as one would wait for itself
        double sum1 = 0;
        double sum2 = 0;
        double sum3 = 0;
        for (int i = 0; i < count / 4 * 4; i += 4) {
            sum0 += (double) numbers[a + i] * numbers[b + i];
            sum1 += (double) numbers[a + i + 1] * numbers[b + i + 1];
            sum2 += (double) numbers[a + i + 2] * numbers[b + i + 2];
            sum3 += (double) numbers[a + i + 3] * numbers[b + i + 3];
        }
        double rest = 0;
        for (int i = count / 4 * 4; i < count; i++) {
            rest += (double) numbers[a + i] * numbers[b + i];
        }
        return (sum0 + sum1) + (sum2 + sum3) + rest;
    }
}
