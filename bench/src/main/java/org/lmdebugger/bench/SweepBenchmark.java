package org.lmdebugger.bench;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
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
 * Switching off the same number of neurons of each layer, one at a time, with KL: from text to effects on the heap. Sweeps
 * of all neurons take minutes on a CPU and do nothing else than these. Prints how many effects and GFLOP one call has.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 3, time = 5)
@Measurement(iterations = 3, time = 5)
public class SweepBenchmark {
    @Param({"gpt2"})
    private String shape;

    /** Length of the prompt, where it is edited, and how many neurons of each layer. */
    @Param({"10:last:256", "10:all:32", "100:last:256"})
    private String work;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    @Param("FP32")
    private Precision precision;

    private Device device;
    private Gpt2 model;
    private Debugger debugger;
    private Sweep sweep;

    @Setup
    public void load() throws IOException {
        var parts = List.of(work.split(":"));
        device = Devices.open(deviceName, precision);
        model = Gpt2.load(Checkpoints.of(shape), device);
        debugger = new Debugger(model);
        sweep = Sweep.of("Once" + " a".repeat(Integer.parseInt(parts.get(0)) - 1)).off()
                .at(Positions.parse(parts.get(1))).measure(Measure.kl())
                .neurons(neurons(Integer.parseInt(parts.get(2))));
        var plan = debugger.plan(sweep);
        if (plan.prompts().getFirst().length != Integer.parseInt(parts.get(0))) {
            throw new IllegalStateException("prompt: not " + parts.get(0) + " tokens");
        }
        System.out.printf("# sweep: %s effects %d gflop %.3f kl %.6g%n", work, plan.effects(), plan.flop() / 1e9,
                sum(sweep.neurons(neurons(2))));
    }

    @TearDown
    public void close() {
        model.close();
        device.close();
    }

    @Benchmark
    public double sweep() {
        return sum(sweep);
    }

    private NeuronSelection neurons(int ofEachLayer) {
        return NeuronSelection.parse("L0-%dD0-%d".formatted(model.config().layers() - 1, ofEachLayer - 1));
    }

    /** The sum of KL; of a few neurons, it is compared with the peer's. */
    private double sum(Sweep some) {
        var sum = new double[1];
        debugger.sweep(some, effects -> {
            for (float kl : effects.values(Measure.kl())) {
                sum[0] += kl;
            }
            return true;
        });
        return sum[0];
    }
}
