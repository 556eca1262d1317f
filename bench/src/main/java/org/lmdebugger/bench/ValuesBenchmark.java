package org.lmdebugger.bench;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
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

/** All value vectors of a model: what they say, and which promote a token or are like another. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
                "-XX:MaxDirectMemorySize=8g"})
@Warmup(iterations = 1)
@Measurement(iterations = 1)
public class ValuesBenchmark {
    private static final int K = 50;
    private static final Neuron VECTOR = new Neuron(3, 42);

    @Param({"gpt2"})
    private String shape;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    private final Arena arena = Arena.ofShared();
    private Device device;
    private Gpt2 model;
    private ValueVectors vectors;
    private MemorySegment memory;

    @Setup
    public void load() throws IOException {
        device = Devices.open(deviceName);
        model = Gpt2.load(Checkpoints.of(shape), device);
        vectors = new ValueVectors(model);
        memory = arena.allocate(vectors.byteSize(K));
    }

    @TearDown
    public void close() {
        model.close();
        device.close();
        arena.close();
    }

    /** The strongest {@value #K} tokens of each vector, at the top and at the bottom. Prints what they are of one, and the memory. */
    @Benchmark
    public Projections project() throws IOException {
        var projections = vectors.project(K, Reading.RAW, memory, Progress.NONE);
        System.out.printf("# top: %d%n", projections.topIds(vectors.index(VECTOR))[0]);
        System.out.printf("# anonymous memory at most: %s MB%n", megabytes());
        return projections;
    }

    /** What is not a mapped file, as weights are; without what JMH and the JVM need themselves, which is little. */
    private static long megabytes() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("RssAnon:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).sum() / 1024;
        }
    }

    @Benchmark
    @Warmup(iterations = 20)
    @Measurement(iterations = 9)
    public List<Match> promote() {
        return vectors.promote(new int[] {301, 4000}, 20);
    }

    @Benchmark
    @Warmup(iterations = 20)
    @Measurement(iterations = 9)
    public List<Match> similar() {
        return vectors.similar(VECTOR, 20);
    }
}
