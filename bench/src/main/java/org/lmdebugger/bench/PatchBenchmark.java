package org.lmdebugger.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
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
 * Activation patching of the residual stream at three points × layers × positions, from a prompt that differs from the
 * first token on; and every head off at the last position. With KL, from ids to effects on the heap, clean runs
 * included. Prints how many effects and GFLOP, of these runs and of the chunks, one call has.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 3, time = 5)
@Measurement(iterations = 3, time = 5)
public class PatchBenchmark {
    @Param({"gpt2"})
    private String shape;

    /** What is patched or switched off, and the length of the prompt. */
    @Param({"streams:15", "heads:15", "heads:100"})
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
        int length = Integer.parseInt(parts.get(1));
        device = Devices.open(deviceName, precision);
        model = Gpt2.load(Checkpoints.of(shape), device);
        debugger = new Debugger(model);
        var corrupted = ids(length, 1000);
        var clean = Prompt.ofIds(ids(length, 2000));
        var sweep = Sweep.ofIds(corrupted).measure(Measure.kl());
        this.sweep = parts.getFirst().equals("heads") ? sweep.parts(PartSelection.parse("heads")).off().atLast()
                : sweep.parts(PartSelection.parse("pre,mid,post")).operation(new Edit.Operation.From(clean))
                        .at(Positions.EACH);
        var plan = debugger.plan(this.sweep);
        double runs = (plan.sweep().operations().getFirst() instanceof Edit.Operation.From ? 2 : 1) * run(length);
        System.out.printf("# patch: %s effects %d gflop %.3f kl %.6g%n", work, plan.effects(),
                (plan.flop() + runs) / 1e9, sum());
    }

    /** Returns the multiplications and additions of a run without edits, but for its head: one row of logits. */
    private double run(int length) {
        var config = model.config();
        double d = config.width();
        return config.layers() * length * (2 * d * (4 * d + 2 * config.feedForwardWidth()) + 4 * d * length);
    }

    /** Returns ids of which none is the other prompt's at the same position. */
    private static int[] ids(int length, int first) {
        return IntStream.range(0, length).map(i -> first + 7 * i).toArray();
    }

    @TearDown
    public void close() {
        model.close();
        device.close();
    }

    @Benchmark
    public double sum() {
        var sums = new ArrayList<Double>();
        debugger.sweep(sweep, effects -> {
            for (float kl : effects.values(Measure.kl())) {
                sums.add((double) kl);
            }
            return true;
        });
        return sums.stream().mapToDouble(kl -> kl).sum();
    }
}
