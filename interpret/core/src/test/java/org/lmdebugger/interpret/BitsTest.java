package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.lmdebugger.bindings.CpuKernels;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** With the kernels of the CPU, bits depend on neither the number of threads nor the chunks of a sweep. */
class BitsTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final Sweep SWEEP = Sweep.of(PROMPT, "The cat")
            .neurons(NeuronSelection.parse("L0D0-40,L2D3-99,L3D5"))
            .off().atAll().measure(Measure.kl(), Measure.logit(" girl"), Measure.entropy());

    @Test
    void theNumberOfThreadsChangesNoBit() {
        assumeTrue(CpuKernels.lanes() > 0);
        var one = numbers(1, SWEEP);
        assertThat(one).hasSizeGreaterThan(400).doesNotContain(Float.NaN);
        assertThat(numbers(2, SWEEP)).isEqualTo(one);
        assertThat(numbers(3, SWEEP)).isEqualTo(one);
    }

    @Test
    void norDoTheChunks() {
        assumeTrue(CpuKernels.lanes() > 0);
        assertThat(numbers(2, SWEEP.memory(1))).isEqualTo(numbers(2, SWEEP));
        assertThat(numbers(2, SWEEP.memory(500_000))).isEqualTo(numbers(2, SWEEP));
    }

    /** All effects of a sweep, and the log-probabilities of a generation under an intervention. */
    private static List<Float> numbers(int threads, Sweep sweep) {
        try (var device = new CpuDevice(threads); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var numbers = new ArrayList<Float>();
            debugger.sweep(sweep, effects -> {
                for (var measure : sweep.measures()) {
                    for (float value : effects.values(measure)) {
                        numbers.add(value);
                    }
                }
                return true;
            });
            debugger.generate(PROMPT, List.of(new Continuation(Intervention.parse("L1D3=4"), 0)),
                    GenerationOptions.greedy(10), (c, token) -> numbers.add(token.logProbability()));
            // a chunk has its interventions in the order of the plan, measure by measure: compared as a multiset
            numbers.sort(null);
            return numbers;
        }
    }
}
