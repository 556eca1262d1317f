package org.lmdebugger.device;

import static org.lmdebugger.device.ElementType.F32;
import static org.lmdebugger.device.ElementType.F64;
import static org.lmdebugger.device.ElementType.I32;

/** The argument rules of {@link Operations}, which every device applies before it touches memory. */
public final class Arguments {
    private Arguments() {
    }

    public static void upload(Tensor to, ElementType type, long count) {
        writable("to", to);
        expect("to", to, type, to.rows(), to.columns());
        size("from", count, to.rows() * to.columns());
    }

    public static void download(Tensor from, ElementType type, long count) {
        expect("from", from, type, from.rows(), from.columns());
        size("to", count, from.rows() * from.columns());
    }

    /** Of numbers, which BF16 are too. */
    public static void downloadNumbers(Tensor from, long count) {
        download(from, from.type() == ElementType.BF16 ? ElementType.BF16 : F32, count);
    }

    public static void copy(Tensor to, Tensor from) {
        writable("to", to);
        expect("from", from, to.type(), to.rows(), to.columns());
    }

    public static void gatherRows(Tensor to, Tensor from, Tensor rows) {
        writable("to", to);
        expect("rows", rows, I32, 1, to.rows());
        expect("from", from, to.type(), from.rows(), to.columns());
    }

    public static void scatterRows(Tensor to, Tensor from, Tensor rows) {
        writable("to", to);
        expect("rows", rows, I32, 1, from.rows());
        expect("to", to, from.type(), to.rows(), from.columns());
    }

    public static void increment(Tensor counters) {
        writable("counters", counters);
        expect("counters", counters, I32, counters.rows(), counters.columns());
    }

    public static void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at) {
        writable("x", x);
        activation("x", x);
        columns("tokens", tokens, x.columns());
        columns("positions", positions, x.columns());
        expect("ids", ids, I32, 1, x.rows());
        expect("at", at, I32, 1, x.rows());
    }

    public static void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias) {
        writable("y", y);
        activation("y", y);
        expect("x", x, F32, y.rows(), y.columns());
        expect("gain", gain, F32, 1, y.columns());
        expect("bias", bias, F32, 1, y.columns());
    }

    public static void multiply(Tensor c, Tensor a, Tensor b) {
        writable("c", c);
        activation("c", c);
        shape("a", a, c.rows(), a.columns());
        shape("b", b, a.columns(), c.columns());
    }

    public static void multiplyTransposed(Tensor c, Tensor a, Tensor b) {
        writable("c", c);
        activation("c", c);
        shape("a", a, c.rows(), a.columns());
        shape("b", b, c.columns(), a.columns());
    }

    public static void innerProducts(Tensor c, Tensor a, Tensor b) {
        activation("a", a);
        activation("b", b);
        multiplyTransposed(c, a, b);
    }

    public static void addBias(Tensor x, Tensor bias) {
        writable("x", x);
        activation("x", x);
        expect("bias", bias, F32, 1, x.columns());
    }

    public static void biasResidual(Tensor x, Tensor y, Tensor bias) {
        addBias(x, bias);
        expect("y", y, F32, x.rows(), x.columns());
    }

    public static void attention(Tensor out, Tensor queries, AttentionContext context) {
        writable("out", out);
        activation("out", out);
        expect("queries", queries, F32, out.rows(), out.columns());
        context(context, out);
    }

    public static void attentionWeights(Tensor weights, Tensor queries, AttentionContext context, Tensor rows,
            Tensor heads, Tensor bias) {
        writable("weights", weights);
        activation("queries", queries);
        context(context, queries);
        entries(weights, context, rows, heads);
        expect("bias", bias, F32, weights.rows(), weights.columns());
    }

    public static void attentionMix(Tensor out, Tensor weights, AttentionContext context, Tensor rows, Tensor heads) {
        writable("out", out);
        activation("out", out);
        context(context, out);
        entries(weights, context, rows, heads);
    }

    private static void context(AttentionContext context, Tensor queries) {
        var d = queries.columns();
        divides("heads", context.heads(), "columns", d);
        divides("sequences", context.sequences(), "rows", queries.rows());
        expect("prefixKeys", context.prefixKeys(), F32, context.prefixKeys().rows(), d);
        expect("prefixValues", context.prefixValues(), F32, context.prefixKeys().rows(), d);
        divides("sequences", context.sequences(), "rows of keys", context.keys().rows());
        expect("keys", context.keys(), F32, context.keys().rows(), d);
        expect("values", context.values(), F32, context.keys().rows(), d);
        expect("length", context.length(), I32, 1, 1);
    }

    private static void entries(Tensor weights, AttentionContext context, Tensor rows, Tensor heads) {
        activation("weights", weights);
        var keys = context.prefixKeys().rows() + context.keys().rows() / context.sequences();
        if (weights.columns() < keys) {
            throw new IllegalArgumentException("weights: %s (expected: at least %d columns)".formatted(weights, keys));
        }
        expect("rows", rows, I32, 1, weights.rows());
        expect("heads", heads, I32, 1, weights.rows());
    }

    public static void editCoefficients(Tensor m, Tensor rows, Tensor neurons, Tensor scales, Tensor shifts) {
        writable("m", m);
        activation("m", m);
        var edits = rows.columns();
        expect("rows", rows, I32, 1, edits);
        expect("neurons", neurons, I32, 1, edits);
        expect("scales", scales, F32, 1, edits);
        expect("shifts", shifts, F32, 1, edits);
    }

    public static void editRows(Tensor x, Tensor vectors, Tensor places, Tensor factors, long width) {
        writable("x", x);
        activation("x", x);
        activation("vectors", vectors);
        expect("places", places, I32, 4, places.columns());
        expect("factors", factors, F32, 4, places.columns());
        if (width < 0 || width > x.columns()) {
            throw new IllegalArgumentException("width: %d (expected: 0 to %d)".formatted(width, x.columns()));
        }
    }

    public static void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values) {
        writable("x", x);
        activation("x", x);
        expect("shift", shift, F32, 1, x.rows());
        expect("neurons", neurons, I32, 1, x.rows());
        columns("values", values, x.columns());
    }

    public static void layerNormBackward(Tensor dy, Tensor x, Tensor gain) {
        writable("dy", dy);
        activation("dy", dy);
        expect("x", x, F32, dy.rows(), dy.columns());
        expect("gain", gain, F32, 1, dy.columns());
    }

    public static void biasGeluBackward(Tensor dm, Tensor m, Tensor bias) {
        addBias(dm, bias);
        expect("m", m, F32, dm.rows(), dm.columns());
    }

    public static void softmaxBackward(Tensor dp, Tensor p) {
        writable("dp", dp);
        activation("dp", dp);
        expect("p", p, F32, dp.rows(), dp.columns());
    }

    public static void transpose(Tensor to, Tensor from) {
        writable("to", to);
        activation("to", to);
        expect("from", from, F32, to.columns(), to.rows());
    }

    public static void rowNorms(Tensor norms, Tensor x) {
        writable("norms", norms);
        boolean column = norms.columns() == 1;
        expect("norms", norms, F32, column ? x.rows() : 1, column ? 1 : x.rows());
    }

    public static void biasNorms(Tensor norms, Tensor x, Tensor bias) {
        rowNorms(norms, x);
        activation("x", x);
        expect("bias", bias, F32, 1, x.columns());
    }

    public static void addRows(Tensor sums, Tensor x, Tensor starts, Tensor rows) {
        writable("sums", sums);
        activation("x", x);
        expect("sums", sums, F64, sums.rows(), x.columns());
        expect("starts", starts, I32, 1, sums.rows() + 1);
        expect("rows", rows, I32, 1, rows.columns());
    }

    public static void accumulate(ColumnStatistics statistics, Tensor x) {
        activation("x", x);
        var n = x.columns();
        output("sums", statistics.sums(), F64, 1, n);
        output("squares", statistics.squares(), F64, 1, n);
        output("min", statistics.min(), F32, 1, n);
        output("max", statistics.max(), F32, 1, n);
        output("histograms", statistics.histograms(), I32, n, Histogram.BINS);
    }

    public static void mergeExtremes(ColumnExtremes extremes, Tensor x, Tensor windows) {
        activation("x", x);
        var lists = 2 * x.columns();
        var k = extremes.values().columns();
        if (k < 1 || k > ColumnExtremes.MOST) {
            throw new IllegalArgumentException("k: %d (expected: 1 to %d)".formatted(k, ColumnExtremes.MOST));
        }
        output("values", extremes.values(), F32, lists, k);
        output("documents", extremes.documents(), I32, lists, k);
        output("places", extremes.places(), I32, lists, k);
        output("contexts", extremes.contexts(), F32, lists, k * extremes.span());
        if (extremes.span() % 2 == 0) {
            throw new IllegalArgumentException(
                    "contexts: %s (expected: an odd multiple of %d columns)".formatted(extremes.contexts(), k));
        }
        expect("windows", windows, I32, windows.rows(), 2);
        divides("windows", Math.toIntExact(windows.rows()), "rows", x.rows());
    }

    public static void dominant(Tensor neurons, Tensor coefficients, Tensor scores, Tensor m, Tensor norms) {
        writable("coefficients", coefficients);
        topK(neurons, scores, m);
        expect("coefficients", coefficients, F32, m.rows(), neurons.columns());
        expect("norms", norms, F32, 1, m.columns());
    }

    public static void topK(Tensor indices, Tensor values, Tensor x) {
        writable("indices", indices);
        writable("values", values);
        activation("x", x);
        var k = indices.columns();
        if (k < 1 || k > x.columns()) {
            throw new IllegalArgumentException("k: %d (expected: 1 to %d)".formatted(k, x.columns()));
        }
        expect("indices", indices, I32, x.rows(), k);
        expect("values", values, F32, x.rows(), k);
    }

    public static void linkClusters(Tensor s, long kept, long dropped) {
        writable("s", s);
        activation("s", s);
        shape("s", s, s.columns(), s.columns());
        if (Math.min(kept, dropped) < 0 || Math.max(kept, dropped) >= s.rows() || kept == dropped) {
            throw new IllegalArgumentException("clusters: %d and %d (expected: two different ones below %d)"
                    .formatted(kept, dropped, s.rows()));
        }
    }

    public static void measure(LogitStatistics measures, Tensor logits) {
        activation("logits", logits);
        var r = logits.rows();
        optional("clean", measures.clean(), F32, 1, logits.columns());
        output("logSumExp", measures.logSumExp(), F32, 1, r);
        output("entropy", measures.entropy(), F32, 1, r);
        output("kl", measures.kl(), F32, 1, r);
        required("clean", measures.clean(), measures.kl());
        required("tokens", measures.tokens(), measures.chosen());
        required("tokens", measures.tokens(), measures.ranks());
        if (measures.tokens() != null) {
            var c = measures.tokens().columns();
            expect("tokens", measures.tokens(), I32, 1, c);
            output("chosen", measures.chosen(), F32, r, c);
            output("ranks", measures.ranks(), I32, r, c);
        }
    }

    public static void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens) {
        writable("reader", reader);
        activation("reader", reader);
        expect("x", x, F32, reader.rows(), reader.columns());
        expect("gain", gain, F32, 1, reader.columns());
        columns("head", head, reader.columns());
        expect("tokens", tokens, I32, 1, reader.rows());
    }

    public static void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values,
            Tensor reader) {
        writable("contributions", contributions);
        activation("contributions", contributions);
        expect("neurons", neurons, I32, contributions.rows(), contributions.columns());
        expect("coefficients", coefficients, F32, contributions.rows(), contributions.columns());
        expect("reader", reader, F32, contributions.rows(), reader.columns());
        columns("values", values, reader.columns());
    }

    public static void sample(Tensor ids, Tensor logProbabilities, Tensor logits, Tensor uniforms, Tensor step) {
        writable("ids", ids);
        writable("logProbabilities", logProbabilities);
        activation("logits", logits);
        expect("logProbabilities", logProbabilities, F32, 1, logits.rows());
        expect("ids", ids, I32, 1, logits.rows());
        expect("uniforms", uniforms, F32, uniforms.rows(), logits.rows());
        expect("step", step, I32, 1, 1);
    }

    private static void activation(String name, Tensor tensor) {
        expect(name, tensor, F32, tensor.rows(), tensor.columns());
    }

    private static void columns(String name, Tensor tensor, long columns) {
        shape(name, tensor, tensor.rows(), columns);
    }

    private static void optional(String name, Tensor tensor, ElementType type, long rows, long columns) {
        if (tensor != null) {
            expect(name, tensor, type, rows, columns);
        }
    }

    private static void output(String name, Tensor tensor, ElementType type, long rows, long columns) {
        if (tensor != null) {
            writable(name, tensor);
            expect(name, tensor, type, rows, columns);
        }
    }

    private static void writable(String name, Tensor tensor) {
        if (tensor.isReadOnly()) {
            throw new IllegalArgumentException(
                    "%s: %s, read-only (expected: a tensor of your own)".formatted(name, tensor));
        }
    }

    private static void required(String name, Tensor input, Tensor output) {
        if (output != null && input == null) {
            throw new IllegalArgumentException(name + ": null (expected: a tensor, as an output needs it)");
        }
    }

    private static void expect(String name, Tensor tensor, ElementType type, long rows, long columns) {
        if (tensor.type() != type) {
            throw new IllegalArgumentException("%s: %s (expected: type %s)".formatted(name, tensor, type));
        }
        shape(name, tensor, rows, columns);
    }

    private static void shape(String name, Tensor tensor, long rows, long columns) {
        if (tensor.rows() != rows || tensor.columns() != columns) {
            throw new IllegalArgumentException(
                    "%s: %s (expected: shape [%d, %d])".formatted(name, tensor, rows, columns));
        }
    }

    private static void size(String name, long count, long expected) {
        if (count != expected) {
            throw new IllegalArgumentException("%s: %d elements (expected: %d)".formatted(name, count, expected));
        }
    }

    private static void divides(String name, int divisor, String what, long number) {
        if (divisor < 1 || number % divisor != 0) {
            throw new IllegalArgumentException(
                    "%s: %d (expected: a divisor of the %d %s)".formatted(name, divisor, number, what));
        }
    }
}
