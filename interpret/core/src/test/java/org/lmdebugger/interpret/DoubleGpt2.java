package org.lmdebugger.interpret;

import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/** GPT-2 in plain loops and double precision, slow, for central differences. */
final class DoubleGpt2 {
    private final Gpt2 model;
    private final int d;
    private final int heads;
    private final Map<Tensor, float[]> weights = new IdentityHashMap<>(); // that were read

    /** Changes rows, [T][n], at a site of a layer. */
    @FunctionalInterface
    interface Change {
        void at(Site site, int layer, double[][] rows);
    }

    DoubleGpt2(Gpt2 model) {
        if (model.config().activation() != Gelu.TANH) {
            throw new IllegalArgumentException("activation: " + model.config().activation());
        }
        this.model = model;
        d = model.config().width();
        heads = model.config().heads();
    }

    /** Returns the logits of some tokens after a prompt, in whose forward pass rows are changed. */
    double[] logits(int[] ids, int[] tokens, Change change) {
        var x = new double[ids.length][];
        for (int t = 0; t < ids.length; t++) {
            x[t] = sum(row(model.tokenEmbedding(), ids[t]), row(model.positionEmbedding(), t));
        }
        for (int l = 0; l < model.config().layers(); l++) {
            block(l, x, change);
        }
        var last = norm(x[ids.length - 1], model.finalGain(), model.finalBias());
        return IntStream.of(tokens).mapToDouble(token -> dot(last, row(model.head(), token))).toArray();
    }

    private void block(int l, double[][] x, Change change) {
        var layer = model.layer(l);
        int length = x.length;
        change.at(Site.RESIDUAL_PRE, l, x);
        var parts = new double[3][length][];
        for (int t = 0; t < length; t++) {
            var all = queryKeyValue(l, x[t]);
            for (int s = 0; s < 3; s++) {
                parts[s][t] = Arrays.copyOfRange(all, s * d, (s + 1) * d);
            }
        }
        change.at(Site.QUERY, l, parts[0]);
        change.at(Site.KEY, l, parts[1]);
        change.at(Site.VALUE, l, parts[2]);
        var z = new double[length][d];
        for (int h = 0; h < heads; h++) {
            for (int t = 0; t < length; t++) {
                mix(z[t], parts, t, h * d / heads, (h + 1) * d / heads, model.config().attentionDivisor(l));
            }
        }
        change.at(Site.Z, l, z);
        add(x, z, layer.attentionOut(), layer.attentionBias(), Site.ATTENTION_OUT, l, change);
        change.at(Site.RESIDUAL_MID, l, x);
        var m = new double[length][];
        for (int t = 0; t < length; t++) {
            m[t] = coefficients(l, x[t]);
        }
        change.at(Site.COEFFICIENTS, l, m);
        add(x, m, layer.ffnOut(), layer.ffnOutBias(), Site.FFN_OUT, l, change);
        change.at(Site.RESIDUAL_POST, l, x);
    }

    /** Returns queries, keys and values of a row that a block's attention reads. */
    double[] queryKeyValue(int l, double[] x) {
        var layer = model.layer(l);
        return affine(norm(x, layer.ln1Gain(), layer.ln1Bias()), layer.queryKeyValue(), layer.queryKeyValueBias());
    }

    /** Returns the coefficients of a row that a block's FFN reads. */
    double[] coefficients(int l, double[] x) {
        var layer = model.layer(l);
        var m = affine(norm(x, layer.ln2Gain(), layer.ln2Bias()), layer.ffnIn(), layer.ffnInBias());
        for (int i = 0; i < m.length; i++) {
            m[i] *= 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (m[i] + 0.044715 * Math.pow(m[i], 3))));
        }
        return m;
    }

    private static void mix(double[] z, double[][][] parts, int t, int from, int to, double divisor) {
        var weights = new double[t + 1];
        double sum = 0;
        for (int j = 0; j <= t; j++) {
            double score = 0;
            for (int i = from; i < to; i++) {
                score += parts[0][t][i] * parts[1][j][i];
            }
            sum += weights[j] = Math.exp(score / divisor);
        }
        for (int j = 0; j <= t; j++) {
            for (int i = from; i < to; i++) {
                z[i] += weights[j] / sum * parts[2][j][i];
            }
        }
    }

    private void add(double[][] x, double[][] in, Tensor matrix, Tensor bias, Site site, int l, Change change) {
        var out = new double[x.length][];
        var none = new double[(int) matrix.columns()];
        for (int t = 0; t < x.length; t++) {
            out[t] = affine(in[t], read(matrix), none);
        }
        change.at(site, l, out);
        for (int t = 0; t < x.length; t++) {
            x[t] = sum(sum(x[t], out[t]), vector(bias));
        }
    }

    private double[] norm(double[] x, Tensor gain, Tensor bias) {
        double mean = IntStream.range(0, d).mapToDouble(i -> x[i]).average().orElseThrow();
        double variance = IntStream.range(0, d).mapToDouble(i -> Math.pow(x[i] - mean, 2)).average().orElseThrow();
        double scale = 1 / Math.sqrt(variance + model.config().epsilon());
        double[] g = vector(gain), b = vector(bias);
        return IntStream.range(0, d).mapToDouble(i -> (x[i] - mean) * scale * g[i] + b[i]).toArray();
    }

    private float[] read(Tensor tensor) {
        return weights.computeIfAbsent(tensor, Tensor::toFloats);
    }

    private double[] affine(double[] x, Tensor matrix, Tensor bias) {
        return affine(x, read(matrix), vector(bias));
    }

    private static double[] affine(double[] x, float[] matrix, double[] bias) {
        var y = bias.clone();
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < y.length; j++) {
                y[j] += x[i] * matrix[i * y.length + j];
            }
        }
        return y;
    }

    private static double dot(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
    }

    private static double[] sum(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] + b[i]).toArray();
    }

    private double[] vector(Tensor bias) {
        return doubles(read(bias));
    }

    private static double[] row(Tensor matrix, int row) {
        return doubles(matrix.row(row).toFloats());
    }

    private static double[] doubles(float[] floats) {
        return IntStream.range(0, floats.length).mapToDouble(i -> floats[i]).toArray();
    }
}
