package org.lmdebugger.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.interpret.corpus.Corpora;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;
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

/**
 * Statistics and examples of all neurons, means of all sites and norms of heads and outputs over a corpus, from ids to the
 * file. Prints the tokens, the memory of the sums, and two numbers to compare with.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 1)
@Measurement(iterations = 2)
public class CorpusBenchmark {
    private static final int VOCABULARY = 50257;

    @Param({"gpt2"})
    private String shape;

    /** Tokens of each document, which is one window, and of all documents. */
    @Param({"128:32768", "1024:32768"})
    private String work;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    @Param("FP32")
    private Precision precision;

    private Device device;
    private Gpt2 model;
    private Corpus corpus;
    private Path folder;

    @Setup
    public void load() throws IOException {
        var parts = List.of(work.split(":"));
        int length = Integer.parseInt(parts.get(0));
        int documents = Integer.parseInt(parts.get(1)) / length;
        device = Devices.open(deviceName, precision);
        model = Gpt2.load(Checkpoints.of(shape), device);
        corpus = Corpus.ofIds(model, IntStream.range(0, documents).mapToObj(document -> IntStream.range(0, length)
                .map(i -> (1000 + 7919 * document + 31 * i) % VOCABULARY).toArray()), length);
        folder = Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir"), "lmdebugger-bench", "corpora"));
    }

    @TearDown
    public void close() {
        model.close();
        device.close();
    }

    @Benchmark
    public double build() throws IOException {
        var corpora = new Corpora(folder, model);
        var built = corpora.build("bench", corpus, Progress.NONE);
        double sum = sum(built);
        System.out.printf("# corpus: %s tokens %d megabytes %.0f sum %.6g largest %.6g%n", work, corpus.tokens(),
                corpora.bytes(corpus) / 1e6, sum, built.largest(new Neuron(3, 42)).getFirst().coefficient());
        corpora.delete("bench");
        return sum;
    }

    private double sum(CorpusStatistics built) {
        return IntStream.range(0, model.config().feedForwardWidth())
                .mapToDouble(i -> built.neuron(new Neuron(5, i)).mean()).sum();
    }
}
