package org.lmdebugger.device.cuda;

import static org.lmdebugger.device.ElementType.F32;
import static org.lmdebugger.device.ElementType.I32;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ObjLongConsumer;
import org.lmdebugger.bindings.CublasHandle;
import org.lmdebugger.bindings.CublasLtHandle;
import org.lmdebugger.bindings.CudaEvent;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.bindings.CudaGraph;
import org.lmdebugger.bindings.CudaKernels;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;
import org.lmdebugger.bindings.SinglePrecision;
import org.lmdebugger.device.Arguments;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ColumnExtremes;
import org.lmdebugger.device.ColumnStatistics;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorAccess;

/**
 * Operations on a GPU, queued in this object's stream when they return, products of few rows with the operations
 * before and after them. All memory is allocated by the constructor.
 */
final class CudaOperations implements Operations, AutoCloseable {
    /** Size of the workspace that cuBLAS recommends for the largest GPUs, in bytes. */
    private static final long WORKSPACE = 32 << 20;

    private final Deque<Runnable> owned = new ArrayDeque<>(); // resources to close, the newest first
    private final CudaStream stream;
    private final CublasHandle blas;
    private final CudaKernels kernels; // with the next two, used by way of methods that queue the pending product first
    private final Staging staging;
    private final Products products;
    private final FewRows few;
    private final CudaPool freed = new CudaPool(Long.MAX_VALUE);
    private boolean recording;

    CudaOperations(CudaDevice device) {
        try {
            stream = own(CudaStream.create(), CudaStream::close);
            kernels = new CudaKernels(stream);
            few = new FewRows(kernels, device.precision() == Precision.TF32);
            staging = new Staging(stream, own(CudaEvent.create(), CudaEvent::close),
                    own(Arena.ofShared(), Arena::close));
            long workspace = ownBlock(device, WORKSPACE);
            blas = own(CublasHandle.create(stream, workspace, WORKSPACE), CublasHandle::close);
            long copies = Products.bytes(device.precision());
            var blasLt = own(CublasLtHandle.create(stream, workspace, WORKSPACE), CublasLtHandle::close);
            SinglePrecision.require(stream, blas, blasLt); // which innerProducts have on any device
            products = new Products(blas, blasLt, kernels, device.precision(),
                    copies == 0 ? 0 : ownBlock(device, copies),
                    Products.COPIES);
        } catch (RuntimeException failure) {
            closeAfter(failure);
            throw failure;
        }
    }

    private <T> T own(T resource, Consumer<T> close) {
        owned.push(() -> close.accept(resource));
        return resource;
    }

    private long ownBlock(CudaDevice device, long bytes) {
        return own(device.block("a queue of work", bytes).address(), CudaMemory::free);
    }

    /** Queues what is held back. At most one of the two holds something. */
    void flush() {
        few.flush();
        products.flush();
    }

    private CudaKernels kernels() {
        flush();
        return kernels;
    }

    private FewRows few() {
        products.flush();
        return few;
    }

    private Products products() {
        few.flush();
        return products;
    }

    private Staging staging() {
        flush();
        return staging;
    }

    int blasVersion() {
        return blas.version();
    }

    /** Waits for all queued work, and delivers what was fetched. */
    void synchronize() {
        staging().finish();
    }

    /** Returns the blocks that were freed during the current call. */
    CudaPool freed() {
        return freed;
    }

    /** Waits for work queued before {@code failure}, and drops pending downloads, whose caller has failed. */
    void abandon(Throwable failure) {
        try {
            few.abandon();
            products.abandon();
            staging.abandon();
        } catch (CudaException also) {
            failure.addSuppressed(also);
        }
    }

    private void notRecording(String what) {
        if (recording) {
            throw new IllegalStateException(what + ": while work is recorded (expected: work within the device alone)");
        }
    }

    /** Copies {@code data} as it is into a dense tensor, and returns the tensor. */
    Tensor uploadBytes(Tensor to, MemorySegment data) {
        staging().upload(GpuMemory.address(to), data);
        return to;
    }

    /** Copies {@code from} to {@code to}, converted to its type. */
    void convert(Tensor to, Tensor from) {
        kernels().convert(matrix(to), matrix(from));
    }

    @Override
    public void upload(Tensor to, int[] from) {
        Arguments.upload(to, I32, from.length);
        uploadRows(to, MemorySegment.ofArray(from));
    }

    @Override
    public void upload(Tensor to, float[] from) {
        Arguments.upload(to, F32, from.length);
        uploadRows(to, MemorySegment.ofArray(from));
    }

    @Override
    public void upload(Tensor to, MemorySegment from) {
        Arguments.upload(to, to.type(), from.byteSize() / to.type().bytes());
        uploadRows(to, from);
    }

    @Override
    public void download(int[] to, Tensor from) {
        Arguments.download(from, I32, to.length);
        downloadRows(MemorySegment.ofArray(to), from);
    }

    @Override
    public void download(float[] to, Tensor from) {
        Arguments.downloadNumbers(from, to.length);
        if (from.type() == F32) {
            downloadRows(MemorySegment.ofArray(to), from);
            return;
        }
        var halves = new short[to.length];
        downloadRows(MemorySegment.ofArray(halves), from);
        for (int i = 0; i < to.length; i++) {
            to[i] = Float.intBitsToFloat(halves[i] << 16);
        }
    }

    @Override
    public void fetch(int[] to, Tensor from) {
        Arguments.download(from, I32, to.length);
        fetchRows(MemorySegment.ofArray(to), from);
    }

    @Override
    public void fetch(float[] to, Tensor from) {
        Arguments.download(from, F32, to.length);
        fetchRows(MemorySegment.ofArray(to), from);
    }

    @Override
    public void await() {
        notRecording("await");
        staging().await();
    }

    @Override
    public void download(MemorySegment to, Tensor from) {
        Arguments.download(from, from.type(), to.byteSize() / from.type().bytes());
        downloadRows(to, from);
    }

    private void uploadRows(Tensor to, MemorySegment from) {
        notRecording("upload");
        eachPiece(to, from, (piece, address) -> staging().upload(address, piece));
    }

    private void downloadRows(MemorySegment to, Tensor from) {
        fetchRows(to, from);
        staging().finish();
    }

    private void fetchRows(MemorySegment to, Tensor from) {
        notRecording("download");
        eachPiece(from, to, staging()::download);
    }

    /** Calls {@code copy} with each piece of host memory and its address on the GPU: rows, or all rows if dense. */
    private static void eachPiece(Tensor tensor, MemorySegment host, ObjLongConsumer<MemorySegment> copy) {
        boolean dense = tensor.stride() == tensor.columns() || tensor.rows() == 1;
        long pieces = dense ? Math.min(1, tensor.rows()) : tensor.rows();
        for (long p = 0; p < pieces; p++) {
            long bytes = host.byteSize() / pieces;
            copy.accept(host.asSlice(p * bytes, bytes),
                    GpuMemory.address(tensor) + p * tensor.stride() * tensor.type().bytes());
        }
    }

    @Override
    public <T> T access(Tensor tensor, Function<TensorAccess, T> work) {
        flush();
        return work.apply(new TensorAccess.Cuda(GpuMemory.address(tensor), tensor.stride(), stream.address()));
    }

    @Override
    public void copy(Tensor to, Tensor from) {
        Arguments.copy(to, from);
        kernels().gatherRows(matrix(to), matrix(from), null);
    }

    @Override
    public void gatherRows(Tensor to, Tensor from, Tensor rows) {
        Arguments.gatherRows(to, from, rows);
        kernels().gatherRows(matrix(to), matrix(from), matrix(rows));
    }

    @Override
    public void scatterRows(Tensor to, Tensor from, Tensor rows) {
        Arguments.scatterRows(to, from, rows);
        kernels().scatterRows(matrix(to), matrix(from), matrix(rows));
    }

    @Override
    public void increment(Tensor counters) {
        Arguments.increment(counters);
        kernels().increment(matrix(counters));
    }

    @Override
    public void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at) {
        Arguments.embed(x, tokens, positions, ids, at);
        kernels().embed(matrix(x), matrix(tokens), matrix(positions), matrix(ids), matrix(at));
    }

    @Override
    public void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon) {
        Arguments.layerNorm(y, x, gain, bias);
        if (!few().layerNorm(y, x, gain, bias, epsilon)) {
            var from = matrix(x);
            var g = matrix(gain);
            var b = matrix(bias);
            products().compute(y, (first, to, tf32) -> kernels.layerNorm(to, from.rows(first, to.rows()), g, b,
                    epsilon, tf32), x, gain, bias);
        }
    }

    @Override
    public void multiply(Tensor c, Tensor a, Tensor b) {
        Arguments.multiply(c, a, b);
        if (FewRows.takes(a)) {
            few().multiply(c, a, b);
        } else {
            products().multiply(c, a, b, false);
        }
    }

    @Override
    public void multiplyConsuming(Tensor c, Tensor a, Tensor b) {
        Arguments.multiply(c, a, b);
        if (FewRows.takes(a)) {
            few().multiply(c, a, b);
        } else {
            products().consume(c, a, b);
        }
    }

    @Override
    public void multiplyTransposed(Tensor c, Tensor a, Tensor b) {
        Arguments.multiplyTransposed(c, a, b);
        products().multiply(c, a, b, true);
    }

    @Override
    public void innerProducts(Tensor c, Tensor a, Tensor b) {
        Arguments.innerProducts(c, a, b);
        products().exact(c, a, b, true);
    }

    @Override
    public void addBias(Tensor x, Tensor bias) {
        Arguments.addBias(x, bias);
        if (!few.addBias(x, bias) && !products.addBias(x, bias)) {
            kernels().addBias(matrix(x), matrix(bias));
        }
    }

    @Override
    public void biasGelu(Tensor m, Tensor bias, Gelu gelu) {
        Arguments.addBias(m, bias);
        if (!few().biasGelu(m, bias, gelu)) {
            var from = matrix(m);
            var b = matrix(bias);
            products().compute(m, (first, to, tf32) -> kernels.biasGelu(to, from.rows(first, to.rows()), b,
                    gelu == Gelu.ERF, tf32), bias);
        }
    }

    @Override
    public void biasResidual(Tensor x, Tensor y, Tensor bias) {
        Arguments.biasResidual(x, y, bias);
        if (!few.biasResidual(x, y, bias) && !products.biasResidual(x, y, bias)) {
            kernels().biasResidual(matrix(x), matrix(y), matrix(bias));
        }
    }

    @Override
    public void attention(Tensor out, Tensor queries, AttentionContext context, double divisor) {
        Arguments.attention(out, queries, context);
        kernels().attention(matrix(out), matrix(queries), matrix(context.prefixKeys()), matrix(context.prefixValues()),
                matrix(context.keys()), matrix(context.values()), matrix(context.length()), context.heads(),
                context.sequences(), (float) divisor);
    }

    @Override
    public void attentionWeights(Tensor weights, Tensor queries, AttentionContext context, double divisor, Tensor rows,
            Tensor heads, Tensor bias) {
        Arguments.attentionWeights(weights, queries, context, rows, heads, bias);
        kernels().attentionWeights(matrix(weights), matrix(queries), matrix(context.prefixKeys()),
                matrix(context.keys()),
                matrix(context.length()), matrix(rows), matrix(heads), matrix(bias), context.heads(),
                context.sequences(), (float) divisor);
    }

    @Override
    public void attentionMix(Tensor out, Tensor weights, AttentionContext context, Tensor rows, Tensor heads) {
        Arguments.attentionMix(out, weights, context, rows, heads);
        kernels().attentionMix(matrix(out), matrix(weights), matrix(context.prefixValues()), matrix(context.values()),
                matrix(context.length()), matrix(rows), matrix(heads), context.heads(), context.sequences());
    }

    @Override
    public void editCoefficients(Tensor m, Tensor rows, Tensor neurons, Tensor scales, Tensor shifts) {
        Arguments.editCoefficients(m, rows, neurons, scales, shifts);
        kernels().editCoefficients(matrix(m), matrix(rows), matrix(neurons), matrix(scales), matrix(shifts));
    }

    @Override
    public void editRows(Tensor x, Tensor vectors, Tensor places, Tensor factors, long width) {
        Arguments.editRows(x, vectors, places, factors, width);
        kernels().editRows(matrix(x), matrix(vectors), matrix(places), matrix(factors), width);
    }

    @Override
    public void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values) {
        Arguments.shiftResidual(x, shift, neurons, values);
        kernels().shiftResidual(matrix(x), matrix(shift), matrix(neurons), matrix(values));
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, Tensor gain, float epsilon) {
        Arguments.layerNormBackward(dy, x, gain);
        kernels().layerNormBackward(matrix(dy), matrix(x), matrix(gain), epsilon);
    }

    @Override
    public void biasGeluBackward(Tensor dm, Tensor m, Tensor bias, Gelu gelu) {
        Arguments.biasGeluBackward(dm, m, bias);
        kernels().biasGeluBackward(matrix(dm), matrix(m), matrix(bias), gelu == Gelu.ERF);
    }

    @Override
    public void softmaxBackward(Tensor dp, Tensor p, double divisor) {
        Arguments.softmaxBackward(dp, p);
        kernels().softmaxBackward(matrix(dp), matrix(p), (float) divisor);
    }

    @Override
    public void transpose(Tensor to, Tensor from) {
        Arguments.transpose(to, from);
        kernels().transpose(matrix(to), matrix(from));
    }

    @Override
    public void rowNorms(Tensor norms, Tensor x) {
        Arguments.rowNorms(norms, x);
        kernels().rowNorms(matrix(norms), matrix(x));
    }

    @Override
    public void biasNorms(Tensor norms, Tensor x, Tensor bias) {
        Arguments.biasNorms(norms, x, bias);
        kernels().biasNorms(matrix(norms), matrix(x), matrix(bias));
    }

    @Override
    public void dominant(Tensor neurons, Tensor coefficients, Tensor scores, Tensor m, Tensor norms) {
        Arguments.dominant(neurons, coefficients, scores, m, norms);
        kernels().dominant(matrix(neurons), matrix(coefficients), matrix(scores), matrix(m), matrix(norms));
    }

    @Override
    public void topK(Tensor indices, Tensor values, Tensor x) {
        Arguments.topK(indices, values, x);
        kernels().topK(matrix(indices), matrix(values), matrix(x));
    }

    @Override
    public void bottomK(Tensor indices, Tensor values, Tensor x) {
        Arguments.topK(indices, values, x);
        kernels().bottomK(matrix(indices), matrix(values), matrix(x));
    }

    @Override
    public void linkClusters(Tensor s, long kept, long dropped) {
        Arguments.linkClusters(s, kept, dropped);
        kernels().linkClusters(matrix(s), kept, dropped);
    }

    @Override
    public void measure(LogitStatistics measures, Tensor logits) {
        Arguments.measure(measures, logits);
        kernels().measure(matrix(measures.logSumExp()), matrix(measures.entropy()), matrix(measures.kl()),
                matrix(measures.chosen()), matrix(measures.ranks()), matrix(logits), matrix(measures.clean()),
                matrix(measures.tokens()));
    }

    @Override
    public void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens, float epsilon) {
        Arguments.logitReader(reader, x, gain, head, tokens);
        kernels().logitReader(matrix(reader), matrix(x), matrix(gain), matrix(head), matrix(tokens), epsilon);
    }

    @Override
    public void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values, Tensor reader) {
        Arguments.contributions(contributions, neurons, coefficients, values, reader);
        kernels().contributions(matrix(contributions), matrix(neurons), matrix(coefficients), matrix(values),
                matrix(reader));
    }

    @Override
    public void sample(Tensor ids, Tensor logProbabilities, Tensor logits, Sampling sampling, Tensor uniforms,
            Tensor step) {
        Arguments.sample(ids, logProbabilities, logits, uniforms, step);
        kernels().sample(matrix(ids), matrix(logProbabilities), matrix(logits), matrix(uniforms), matrix(step),
                sampling.temperature(), sampling.topK(), sampling.topP());
    }

    @Override
    public void addRows(Tensor sums, Tensor x, Tensor starts, Tensor rows) {
        Arguments.addRows(sums, x, starts, rows);
        kernels().addRows(matrix(sums), matrix(x), matrix(starts), matrix(rows));
    }

    @Override
    public void accumulate(ColumnStatistics statistics, Tensor x) {
        Arguments.accumulate(statistics, x);
        kernels().accumulate(matrix(statistics.sums()), matrix(statistics.squares()), matrix(statistics.min()),
                matrix(statistics.max()), matrix(statistics.histograms()), matrix(x));
    }

    @Override
    public void mergeExtremes(ColumnExtremes extremes, Tensor x, Tensor windows) {
        Arguments.mergeExtremes(extremes, x, windows);
        kernels().mergeExtremes(matrix(extremes.values()), matrix(extremes.documents()), matrix(extremes.places()),
                matrix(extremes.contexts()), matrix(x), matrix(windows));
    }

    static CudaKernels.Matrix matrix(Tensor tensor) {
        return tensor == null ? null
                : new CudaKernels.Matrix(CudaKernels.Type.valueOf(tensor.type().name()),
                        GpuMemory.address(tensor), tensor.rows(), tensor.columns(), tensor.stride());
    }

    @Override
    public Replay record(Runnable work) {
        flush();
        recording = true;
        try {
            return new Recorded(stream.capture(() -> {
                work.run();
                flush();
            }), stream, this::flush);
        } catch (CudaException failure) {
            if (!failure.isOutOfMemory()) {
                throw failure;
            }
            few.abandon();
            products.abandon();
            return new Repeated(work);
        } finally {
            recording = false;
        }
    }

    /** Work that is repeated as it is, where there is too little memory for a graph. */
    private record Repeated(Runnable work) implements Replay {
        @Override
        public void run() {
            work.run();
        }

        @Override
        public void close() {
        }
    }

    private record Recorded(CudaGraph graph, CudaStream stream, Runnable flush) implements Replay {
        @Override
        public void run() {
            flush.run();
            graph.launch(stream);
        }

        @Override
        public void close() {
            graph.close();
        }
    }

    /** Closes everything, even if some of it fails. */
    @Override
    public void close() {
        var failure = closeAfter(null);
        if (failure != null) {
            throw failure;
        }
    }

    /** Returns {@code failure}, or else the first of its own, with the rest suppressed. */
    private RuntimeException closeAfter(RuntimeException failure) {
        var first = failure;
        while (!owned.isEmpty()) {
            try {
                owned.pop().run();
            } catch (RuntimeException also) {
                if (first == null) {
                    first = also;
                } else {
                    first.addSuppressed(also);
                }
            }
        }
        return first;
    }
}
