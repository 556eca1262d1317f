package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.progress.Progress;

/**
 * An operand that a product has consumed, or that was added to the residual stream, is read by nobody: results are the same
 * where it is NaN from then on.
 */
class ConsumedOperandsTest {
    private static final String PROMPT = "Once upon a time there was a little";

    @Test
    void areNotReadAgain() {
        var device = new Spoiling(new CpuDevice(1));
        var expected = results(new CpuDevice(1));
        assertThat(results(device)).usingRecursiveComparison().isEqualTo(expected);
        assertThat(device.consumed).isGreaterThan(100);
    }

    private static List<Object> results(Device opened) {
        var results = new ArrayList<>();
        try (var device = opened; var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            try (var run = debugger.run(PROMPT, Intervention.parse("L1D5=6@last"))) {
                for (int l = 0; l < model.config().layers(); l++) {
                    results.add(run.coefficients(l).toFloats());
                    results.add(run.residualPost(l).toFloats());
                }
            }
            var neurons = Sweep.of(PROMPT).allNeurons().off().measure(Measure.kl());
            var parts = Sweep.of(PROMPT).parts(PartSelection.parse("pre,mid,post,attention,ffn,heads"))
                    .from("The little bird had a big nest that").at(Positions.EACH).measure(Measure.kl());
            for (var sweep : List.of(neurons.atLast(), neurons.atAll(), parts)) {
                debugger.sweep(sweep, effects -> results.add(effects.values(Measure.kl()).clone()));
            }
            results.add(debugger.generate(PROMPT, 4));
            results.add(debugger.trace(PROMPT));
            var pair = Pair.of("The little girl had a", "The little bird had a", " big", " nest");
            results.add(debugger.edges(pair, Direction.NOISE, List.of(), Progress.NONE).cells());
            results.add(debugger.estimateEdges(List.of(pair), Direction.NOISE, List.of(), Progress.NONE).effects());
        }
        return results;
    }

    /** A device that fills consumed operands with NaN. */
    private static final class Spoiling extends DelegatingDevice {
        private final ThreadLocal<Operations> session = new ThreadLocal<>();
        private int consumed;

        Spoiling(Device device) {
            super(device);
        }

        @Override
        public <T> T call(Function<Operations, T> work) {
            return super.call(operations -> {
                session.set(operations);
                return work.apply(operations);
            });
        }

        @Override
        protected Object operation(String name, Object[] arguments, Operation original) throws Throwable {
            var result = original.run();
            if (name.equals("multiplyConsuming") || name.equals("biasResidual")) {
                var a = (Tensor) arguments[1];
                var nan = new float[Math.toIntExact(a.rows() * a.columns())];
                Arrays.fill(nan, Float.NaN);
                session.get().upload(a, nan);
                consumed++;
            }
            return result;
        }
    }
}
