package org.lmdebugger.interpret.trace;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.model.Gpt2;

/**
 * A logit, or the difference of two, as a function of a row x of the residual stream, in double precision:
 * LN_f(x)·u = (x − mean x)·w ÷ σ + b·u, where w = γ ⊙ u with γ and b of the final LayerNorm.
 */
final class LogitReadout {
    private final double[] w;
    private final double biasLogit;
    private final double epsilon;

    private LogitReadout(double[] w, double biasLogit, double epsilon) {
        this.w = w;
        this.biasLogit = biasLogit;
        this.epsilon = epsilon;
    }

    /** @param against the token whose logit is subtracted, if any */
    static LogitReadout of(Gpt2 model, Trace.Token target, Optional<Trace.Token> against) {
        var u = doubles(model.head().row(target.id()));
        if (against.isPresent()) {
            var other = doubles(model.head().row(against.get().id()));
            Arrays.setAll(u, j -> u[j] - other[j]);
        }
        var gain = doubles(model.finalGain());
        var bias = doubles(model.finalBias());
        return new LogitReadout(IntStream.range(0, u.length).mapToDouble(j -> gain[j] * u[j]).toArray(),
                IntStream.range(0, u.length).mapToDouble(j -> bias[j] * u[j]).sum(), model.config().epsilon());
    }

    static double[] doubles(Tensor row) {
        var floats = row.toFloats();
        return IntStream.range(0, floats.length).mapToDouble(j -> floats[j]).toArray();
    }

    /** Returns the share of the final bias, b·u. */
    double biasLogit() {
        return biasLogit;
    }

    /** Returns g = (w − mean w) ÷ σ(x): LN_f(x)·u = x·g + b·u. */
    double[] reader(double[] x) {
        double mean = mean(w);
        double sigma = sigma(x);
        return Arrays.stream(w).map(each -> (each - mean) / sigma).toArray();
    }

    /** Returns LN_f(x)·u. */
    double logit(double[] x) {
        var reader = reader(x);
        return IntStream.range(0, x.length).mapToDouble(j -> x[j] * reader[j]).sum() + biasLogit;
    }

    private double sigma(double[] x) {
        double mean = mean(x);
        return Math.sqrt(Arrays.stream(x).map(each -> (each - mean) * (each - mean)).sum() / x.length + epsilon);
    }

    private static double mean(double[] x) {
        return Arrays.stream(x).sum() / x.length;
    }
}
