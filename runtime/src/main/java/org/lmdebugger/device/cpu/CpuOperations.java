package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.ElementType.F32;
import static org.lmdebugger.device.ElementType.I32;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;
import org.lmdebugger.bindings.HostMemory;
import org.lmdebugger.device.Arguments;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ColumnExtremes;
import org.lmdebugger.device.ColumnStatistics;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorAccess;

/** Operations on the CPU, each finished when it returns. Large ones are divided among the workers. */
final class CpuOperations implements Operations {
    /** Number of elements below which one thread is as fast as several. */
    private static final long MIN_PARALLEL_ELEMENTS = 1 << 15;

    private final Workers workers;
    private final Gemm gemm;
    private final Attention attention;
    private final Sampler sampler = new Sampler();

    CpuOperations(Workers workers) {
        this.workers = workers;
        gemm = new Gemm(workers);
        attention = new Attention(workers);
    }

    @Override
    public void upload(Tensor to, int[] from) {
        Arguments.upload(to, I32, from.length);
        Rows.upload(to, MemorySegment.ofArray(from));
    }

    @Override
    public void upload(Tensor to, float[] from) {
        Arguments.upload(to, F32, from.length);
        Rows.upload(to, MemorySegment.ofArray(from));
    }

    @Override
    public void upload(Tensor to, MemorySegment from) {
        Arguments.upload(to, to.type(), from.byteSize() / to.type().bytes());
        Rows.upload(to, from);
    }

    @Override
    public void download(int[] to, Tensor from) {
        Arguments.download(from, I32, to.length);
        Rows.download(MemorySegment.ofArray(to), from);
    }

    @Override
    public void download(float[] to, Tensor from) {
        Arguments.download(from, F32, to.length);
        var segment = MemorySegment.ofArray(to);
        if (to.length < MIN_PARALLEL_ELEMENTS) {
            Rows.download(segment, from);
        } else {
            long bytes = from.columns() * Float.BYTES;
            share(from.rows(), (first, end) -> Rows.download(segment.asSlice(first * bytes, (end - first) * bytes),
                    from.rows(first, end - first)));
        }
    }

    @Override
    public void fetch(int[] to, Tensor from) {
        download(to, from);
    }

    @Override
    public void fetch(float[] to, Tensor from) {
        download(to, from);
    }

    @Override
    public void await() {
        // each operation is done when it returns
    }

    @Override
    public void download(MemorySegment to, Tensor from) {
        Arguments.download(from, from.type(), to.byteSize() / from.type().bytes());
        Rows.download(to, from);
    }

    @Override
    public <T> T access(Tensor tensor, Function<TensorAccess, T> work) {
        boolean empty = tensor.rows() == 0 || tensor.columns() == 0;
        long elements = empty ? 0 : (tensor.rows() - 1) * tensor.stride() + tensor.columns();
        var segment = CpuMemory.of(tensor).asSlice(tensor.byteOffset(), elements * tensor.type().bytes());
        try (var arena = Arena.ofConfined()) {
            var lent = HostMemory.lend(tensor.isReadOnly() ? segment.asReadOnly() : segment, arena);
            return work.apply(new TensorAccess.Host(lent, tensor.stride()));
        }
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        Arguments.copy(to, from);
        Rows.copy(to, from);
    }

    @Override
    public void gatherRows(Tensor to, Tensor from, Tensor rows) {
        Arguments.gatherRows(to, from, rows);
        Rows.gather(to, from, rows);
    }

    @Override
    public void scatterRows(Tensor to, Tensor from, Tensor rows) {
        Arguments.scatterRows(to, from, rows);
        Rows.scatter(to, from, rows);
    }

    @Override
    public void increment(Tensor counters) {
        Arguments.increment(counters);
        Rows.increment(counters);
    }

    @Override
    public void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at) {
        Arguments.embed(x, tokens, positions, ids, at);
        Elementwise.embed(x, tokens, positions, ids, at, 0, x.rows());
    }

    @Override
    public void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon) {
        Arguments.layerNorm(y, x, gain, bias);
        if (small(x)) {
            Norms.layerNorm(y, x, gain, bias, epsilon, 0, x.rows());
        } else {
            share(x.rows(), (from, to) -> Norms.layerNorm(y, x, gain, bias, epsilon, from, to));
        }
    }

    @Override
    public void multiply(Tensor c, Tensor a, Tensor b) {
        Arguments.multiply(c, a, b);
        gemm.run(c, a, b, false);
    }

    @Override
    public void multiplyConsuming(Tensor c, Tensor a, Tensor b) {
        multiply(c, a, b);
    }

    @Override
    public void multiplyTransposed(Tensor c, Tensor a, Tensor b) {
        Arguments.multiplyTransposed(c, a, b);
        gemm.run(c, a, b, true);
    }

    @Override
    public void innerProducts(Tensor c, Tensor a, Tensor b) {
        Arguments.innerProducts(c, a, b);
        gemm.run(c, a, b, true);
    }

    @Override
    public void addBias(Tensor x, Tensor bias) {
        Arguments.addBias(x, bias);
        if (small(x)) {
            Elementwise.addBias(x, bias, 0, x.rows());
        } else {
            share(x.rows(), (from, to) -> Elementwise.addBias(x, bias, from, to));
        }
    }

    @Override
    public void biasGelu(Tensor m, Tensor bias, Gelu gelu) {
        Arguments.addBias(m, bias);
        if (small(m)) {
            Elementwise.biasGelu(m, bias, gelu, 0, m.rows());
        } else {
            share(m.rows(), (from, to) -> Elementwise.biasGelu(m, bias, gelu, from, to));
        }
    }

    @Override
    public void biasResidual(Tensor x, Tensor y, Tensor bias) {
        Arguments.biasResidual(x, y, bias);
        if (small(x)) {
            Elementwise.biasResidual(x, y, bias, 0, x.rows());
        } else {
            share(x.rows(), (from, to) -> Elementwise.biasResidual(x, y, bias, from, to));
        }
    }

    @Override
    public void attention(Tensor out, Tensor queries, AttentionContext context, double divisor) {
        Arguments.attention(out, queries, context);
        attention.run(out, queries, context, divisor);
    }

    @Override
    public void attentionWeights(Tensor weights, Tensor queries, AttentionContext context, double divisor, Tensor rows,
            Tensor heads, Tensor bias) {
        Arguments.attentionWeights(weights, queries, context, rows, heads, bias);
        var pattern = new AttentionPattern(weights, context, rows, heads, queries.rows());
        share(weights.rows(), (from, to) -> pattern.weights(queries, divisor, bias, from, to));
    }

    @Override
    public void attentionMix(Tensor out, Tensor weights, AttentionContext context, Tensor rows, Tensor heads) {
        Arguments.attentionMix(out, weights, context, rows, heads);
        var pattern = new AttentionPattern(weights, context, rows, heads, out.rows());
        share(weights.rows(), (from, to) -> pattern.mix(out, from, to));
    }

    @Override
    public void editCoefficients(Tensor m, Tensor rows, Tensor neurons, Tensor scales, Tensor shifts) {
        Arguments.editCoefficients(m, rows, neurons, scales, shifts);
        Elementwise.editCoefficients(m, rows, neurons, scales, shifts);
    }

    @Override
    public void editRows(Tensor x, Tensor vectors, Tensor places, Tensor factors, long width) {
        Arguments.editRows(x, vectors, places, factors, width);
        share(places.columns(), (from, to) -> Edits.apply(x, vectors, places, factors, width, from, to));
    }

    @Override
    public void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values) {
        Arguments.shiftResidual(x, shift, neurons, values);
        share(x.rows(), (from, to) -> Elementwise.shiftResidual(x, shift, neurons, values, from, to));
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, Tensor gain, float epsilon) {
        Arguments.layerNormBackward(dy, x, gain);
        share(x.rows(), (from, to) -> Norms.layerNormBackward(dy, x, gain, epsilon, from, to));
    }

    @Override
    public void biasGeluBackward(Tensor dm, Tensor m, Tensor bias, Gelu gelu) {
        Arguments.biasGeluBackward(dm, m, bias);
        share(m.rows(), (from, to) -> Elementwise.biasGeluBackward(dm, m, bias, gelu, from, to));
    }

    @Override
    public void softmaxBackward(Tensor dp, Tensor p, double divisor) {
        Arguments.softmaxBackward(dp, p);
        share(p.rows(), (from, to) -> Attention.softmaxBackward(dp, p, (float) (1 / divisor), from, to));
    }

    @Override
    public void transpose(Tensor to, Tensor from) {
        Arguments.transpose(to, from);
        Rows.transpose(to, from);
    }

    @Override
    public void rowNorms(Tensor norms, Tensor x) {
        Arguments.rowNorms(norms, x);
        share(x.rows(), (from, to) -> Norms.rowNorms(norms, x, from, to));
    }

    @Override
    public void biasNorms(Tensor norms, Tensor x, Tensor bias) {
        Arguments.biasNorms(norms, x, bias);
        share(x.rows(), (from, to) -> Norms.biasNorms(norms, x, bias, from, to));
    }

    @Override
    public void dominant(Tensor neurons, Tensor coefficients, Tensor scores, Tensor m, Tensor norms) {
        Arguments.dominant(neurons, coefficients, scores, m, norms);
        share(m.rows(), (from, to) -> Selection.dominant(neurons, coefficients, scores, m, norms, from, to));
    }

    @Override
    public void topK(Tensor indices, Tensor values, Tensor x) {
        Arguments.topK(indices, values, x);
        share(x.rows(), (from, to) -> Selection.topK(indices, values, x, from, to));
    }

    @Override
    public void bottomK(Tensor indices, Tensor values, Tensor x) {
        Arguments.topK(indices, values, x);
        share(x.rows(), (from, to) -> Selection.bottomK(indices, values, x, from, to));
    }

    @Override
    public void linkClusters(Tensor s, long kept, long dropped) {
        Arguments.linkClusters(s, kept, dropped);
        share(s.columns(), (from, to) -> Cluster.merge(s, kept, dropped, from, to));
    }

    @Override
    public void measure(LogitStatistics measures, Tensor logits) {
        Arguments.measure(measures, logits);
        share(logits.rows(), (from, to) -> Statistics.measure(measures, logits, from, to));
    }

    @Override
    public void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens, float epsilon) {
        Arguments.logitReader(reader, x, gain, head, tokens);
        Norms.logitReader(reader, x, gain, head, tokens, epsilon);
    }

    @Override
    public void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values, Tensor reader) {
        Arguments.contributions(contributions, neurons, coefficients, values, reader);
        long columns = contributions.columns();
        long elements = contributions.rows() * columns;
        if (elements * values.columns() < MIN_PARALLEL_ELEMENTS) {
            Elementwise.contributions(contributions, neurons, coefficients, values, reader, 0, elements);
        } else {
            share(elements, (from, to) -> Elementwise.contributions(contributions, neurons, coefficients, values,
                    reader, from, to));
        }
    }

    @Override
    public void sample(Tensor ids, Tensor logProbabilities, Tensor logits, Sampling sampling, Tensor uniforms,
            Tensor step) {
        Arguments.sample(ids, logProbabilities, logits, uniforms, step);
        long uniformRow = Layouts.row(uniforms, Layouts.index(step, 0));
        for (long r = 0; r < logits.rows(); r++) {
            float uniform = sampling.greedy() ? 0 : CpuMemory.of(uniforms).get(Layouts.F32, uniformRow + 4 * r);
            var x = CpuMemory.of(logits);
            long x0 = Layouts.row(logits, r);
            int id = sampler.choose(x, x0, (int) logits.columns(), sampling, uniform);
            double logP = x.get(Layouts.F32, x0 + 4L * id) - Statistics.logSumExp(x, x0, logits.columns());
            CpuMemory.of(ids).set(Layouts.I32, ids.byteOffset() + 4 * r, id);
            CpuMemory.of(logProbabilities).set(Layouts.F32, logProbabilities.byteOffset() + 4 * r, (float) logP);
        }
    }

    @Override
    public void addRows(Tensor sums, Tensor x, Tensor starts, Tensor rows) {
        Arguments.addRows(sums, x, starts, rows);
        int parts = (int) Math.min(sums.rows(), 4L * workers.threads());
        workers.run(part -> Columns.addRows(sums, x, starts, rows, part, parts), parts); // as some have many rows
    }

    @Override
    public void accumulate(ColumnStatistics statistics, Tensor x) {
        Arguments.accumulate(statistics, x);
        shareColumns(x.columns(), (from, to) -> Columns.accumulate(statistics, x, from, to));
    }

    @Override
    public void mergeExtremes(ColumnExtremes extremes, Tensor x, Tensor windows) {
        Arguments.mergeExtremes(extremes, x, windows);
        shareColumns(x.columns(), (from, to) -> new Extremes(extremes, x, windows, from, to).merge());
    }

    @Override
    public Replay record(Runnable work) {
        return new Replay() {
            @Override
            public void run() {
                work.run();
            }

            @Override
            public void close() {
                // nothing was recorded
            }
        };
    }

    private boolean small(Tensor x) {
        return x.rows() * x.columns() < MIN_PARALLEL_ELEMENTS;
    }

    private interface Range {
        void run(long from, long to);
    }

    /** Divides columns into parts that a worker's arrays have room for. */
    private void shareColumns(long columns, Range range) {
        long parts = Math.ceilDiv(columns, Columns.CHUNK);
        workers.run(part -> range.run(columns * part / parts, columns * (part + 1) / parts), (int) parts);
    }

    /** Divides rows evenly, a few parts a worker. Rows are independent, so the division does not change results. */
    private void share(long rows, Range range) {
        long parts = Math.min(rows, 4L * workers.threads());
        if (parts <= 1) {
            range.run(0, rows);
        } else {
            workers.run(part -> range.run(rows * part / parts, rows * (part + 1) / parts), (int) parts);
        }
    }
}
