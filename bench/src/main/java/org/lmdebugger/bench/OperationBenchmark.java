package org.lmdebugger.bench;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ColumnExtremes;
import org.lmdebugger.device.ColumnStatistics;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Each operation of a device alone, on the shapes of GPT-2 and GPT-2 medium, for 1, 10 and 100 rows. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class OperationBenchmark {
    private static final int VOCABULARY = 50257;

    @Param({"768", "1024"})
    private int width;

    @Param({"1", "10", "100"})
    private int rows;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    private Device device;
    private TensorScope scope;
    private Tensor x;
    private Tensor y;
    private Tensor wide;
    private Tensor keys;
    private Tensor head;
    private Tensor logits;
    private Tensor vector;
    private Tensor wideVector;
    private Tensor indices;
    private Tensor values;
    private Tensor coefficients;
    private Tensor scalars;
    private Tensor ids;
    private Tensor uniforms;
    private Tensor zero;
    private Tensor order;
    private Tensor places;
    private Tensor factors;
    private Tensor pattern;
    private Tensor noBias;
    private Tensor sums;
    private Tensor starts;
    private Tensor windows;
    private ColumnStatistics statistics;
    private ColumnExtremes extremes;
    private AttentionContext context;

    @Setup
    public void allocate() {
        device = Devices.open(deviceName);
        scope = new TensorScope(device);
        x = random(rows, width);
        y = random(rows, width);
        wide = random(rows, 4 * width);
        keys = random(width, 4 * width);
        head = random(VOCABULARY, width);
        logits = random(rows, VOCABULARY);
        vector = random(1, width);
        wideVector = random(1, 4 * width);
        indices = scope.allocate(ElementType.I32, rows, 10);
        values = random(rows, 10);
        coefficients = random(rows, 10);
        scalars = random(1, rows);
        uniforms = random(1, rows);
        ids = device.call(session -> scope.vector(session, new int[rows]));
        zero = device.call(session -> scope.vector(session, 0));
        order = device.call(session -> scope.vector(session, IntStream.range(0, rows).toArray()));
        places = scope.allocate(ElementType.I32, 4, rows);
        factors = random(4, rows);
        pattern = random(rows, rows);
        noBias = scope.allocate(ElementType.F32, rows, rows);
        sums = scope.allocate(ElementType.F64, 1, width);
        starts = device.call(session -> scope.vector(session, 0, rows));
        windows = scope.allocate(ElementType.I32, 1, 2);
        int neurons = 4 * width;
        statistics = new ColumnStatistics(scope.allocate(ElementType.F64, 1, neurons),
                scope.allocate(ElementType.F64, 1, neurons), random(1, neurons), random(1, neurons),
                scope.allocate(ElementType.I32, neurons, Histogram.BINS));
        extremes = new ColumnExtremes(random(2 * neurons, 20), scope.allocate(ElementType.I32, 2 * neurons, 20),
                scope.allocate(ElementType.I32, 2 * neurons, 20), random(2 * neurons, 20 * 21));
        run(session -> {
            session.upload(windows, new int[2]);
            session.upload(extremes.documents(),
                    IntStream.generate(() -> ColumnExtremes.NONE).limit(2L * neurons * 20).toArray());
            session.upload(places, IntStream.range(0, 4 * rows).map(i -> i < rows ? i : 0).toArray());
            session.upload(noBias, new float[rows * rows]);
        });
        context = new AttentionContext(width / 64, 1, random(0, width), random(0, width), random(rows, width),
                random(rows, width), zero);
    }

    private Tensor random(int rows, int columns) {
        var random = new Random(1);
        var data = new float[rows * columns];
        for (int i = 0; i < data.length; i++) {
            data[i] = random.nextFloat() - 0.5f;
        }
        var tensor = scope.allocate(ElementType.F32, rows, columns);
        run(session -> session.upload(tensor, data));
        return tensor;
    }

    @TearDown
    public void free() {
        scope.close();
        device.close();
    }

    private void run(Consumer<Operations> operation) {
        device.call(session -> {
            operation.accept(session);
            return null;
        });
    }

    @Benchmark
    public void multiply() {
        run(session -> session.multiply(wide, x, keys));
    }

    @Benchmark
    public void multiplyTransposed() {
        run(session -> session.multiplyTransposed(logits, x, head));
    }

    @Benchmark
    public void innerProducts() {
        run(session -> session.innerProducts(pattern, x, y));
    }

    @Benchmark
    public void gatherRows() {
        run(session -> session.gatherRows(y, x, order));
    }

    @Benchmark
    public void scatterRows() {
        run(session -> session.scatterRows(y, x, order));
    }

    @Benchmark
    public void layerNorm() {
        run(session -> session.layerNorm(y, x, vector, vector, 1e-5f));
    }

    @Benchmark
    public void biasGelu() {
        run(session -> session.biasGelu(wide, wideVector, Gelu.TANH));
    }

    @Benchmark
    public void biasResidual() {
        run(session -> session.biasResidual(y, x, vector));
    }

    @Benchmark
    public void attention() {
        run(session -> session.attention(y, x, context, 8));
    }

    @Benchmark
    public void attentionWeights() {
        run(session -> session.attentionWeights(pattern, x, context, 8, order, ids, noBias));
    }

    @Benchmark
    public void attentionMix() {
        run(session -> session.attentionMix(y, noBias, context, order, ids));
    }

    @Benchmark
    public void layerNormBackward() {
        run(session -> session.layerNormBackward(y, x, vector, 1e-5f));
    }

    @Benchmark
    public void biasGeluBackward() {
        run(session -> session.biasGeluBackward(wide, wide, wideVector, Gelu.TANH));
    }

    @Benchmark
    public void softmaxBackward() {
        run(session -> session.softmaxBackward(noBias, pattern, 8));
    }

    @Benchmark
    public void transpose() {
        run(session -> session.transpose(noBias, pattern));
    }

    @Benchmark
    public void embed() {
        run(session -> session.embed(y, head, keys.columns(0, width), ids, ids));
    }

    @Benchmark
    public void addBias() {
        run(session -> session.addBias(y, vector));
    }

    @Benchmark
    public void editCoefficients() {
        run(session -> session.editCoefficients(wide, ids, ids, scalars, scalars));
    }

    @Benchmark
    public void editRows() {
        run(session -> session.editRows(y, x, places, factors, width));
    }

    @Benchmark
    public void shiftResidual() {
        run(session -> session.shiftResidual(y, scalars, ids, head));
    }

    @Benchmark
    public void rowNorms() {
        run(session -> session.rowNorms(scalars, wide));
    }

    @Benchmark
    public void biasNorms() {
        run(session -> session.biasNorms(scalars, wide, wideVector));
    }

    @Benchmark
    public void addRows() {
        run(session -> session.addRows(sums, x, starts, order));
    }

    @Benchmark
    public void accumulate() {
        run(session -> session.accumulate(statistics, wide));
    }

    /** One window, from which each column takes its largest and its smallest number. */
    @Benchmark
    public void mergeExtremes() {
        run(session -> session.mergeExtremes(extremes, wide, windows));
    }

    @Benchmark
    public void contributions() {
        run(session -> session.contributions(coefficients, indices, values, head, x));
    }

    @Benchmark
    public void logitReader() {
        run(session -> session.logitReader(y, x, vector, head, ids, 1e-5f));
    }

    @Benchmark
    public void topK() {
        run(session -> session.topK(indices, values, logits));
    }

    @Benchmark
    public void bottomK() {
        run(session -> session.bottomK(indices, values, logits));
    }

    @Benchmark
    public void dominant() {
        run(session -> session.dominant(indices, coefficients, values, wide, wideVector));
    }

    @Benchmark
    public void measure() {
        run(session -> session.measure(new LogitStatistics(null, logits.row(0), scalars, null, scalars, null, null),
                logits));
    }

    @Benchmark
    public void sampleGreedy() {
        run(session -> session.sample(ids, scalars, logits, Sampling.GREEDY, uniforms, zero));
    }

    @Benchmark
    public void sampleNucleus() {
        run(session -> session.sample(ids, scalars, logits, new Sampling(1, 0, 0.9f), uniforms, zero));
    }
}
