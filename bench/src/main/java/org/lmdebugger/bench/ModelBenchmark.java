package org.lmdebugger.bench;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Gpt2;
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
 * What a user waits for: from text to result on the heap, on the default device. {@code forward} is the prompt and one
 * token; {@code generate} the prompt and {@value #TOKENS} more, so that their difference is the decoding.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 3, time = 5)
@Measurement(iterations = 3, time = 3)
public class ModelBenchmark {
    static final int TOKENS = 32;

    @Param({"gpt2", "gpt2-medium"})
    private String shape;

    @Param({"10", "100"})
    private int tokens;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    @Param("FP32")
    private Precision precision;

    private Device device;
    private Gpt2 model;
    private Debugger debugger;
    private String prompt;

    @Setup
    public void load() throws IOException {
        device = Devices.open(deviceName, precision);
        model = Gpt2.load(Checkpoints.of(shape), device);
        debugger = new Debugger(model);
        prompt = "Once" + " a".repeat(tokens - 1);
        if (model.tokenizer().encode(prompt).length != tokens) {
            throw new IllegalStateException("prompt: not " + tokens + " tokens");
        }
        System.out.println("# next token: " + debugger.generate(prompt, 1).tokens().getFirst().id());
    }

    @TearDown
    public void close() {
        model.close();
        device.close();
    }

    @Benchmark
    public Generation forward() {
        return debugger.generate(prompt, 1);
    }

    @Benchmark
    public Generation generate() {
        return debugger.generate(prompt, 1 + TOKENS);
    }

    @Benchmark
    public Trace trace() {
        return debugger.trace(prompt);
    }
}
