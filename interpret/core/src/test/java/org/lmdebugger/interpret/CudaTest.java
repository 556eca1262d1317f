package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.ModelFiles;

/** What holds of a GPU alone: memory, and the faster precisions. */
@OnEveryDevice
class CudaTest {
    private static final String PROMPT = "Once upon a time there was a little";

    @BeforeAll
    static void needsCuda() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
    }

    @Test
    void aThousandTracesLeaveMemoryAsItWas(@TempDir Path directory) throws Exception {
        try (var device = TestDevice.open();
             var model = Gpt2.load(ModelFiles.of(new RandomCheckpoint(1, 1, 8, 4, 8192).write(directory, 1)), device)) {
            var debugger = new Debugger(model);
            var first = debugger.trace("Once", Edits.parse("L0D3=1"));
            long free = CudaMemory.available().free();
            for (int i = 0; i < 1000; i++) {
                assertThat(debugger.trace("Once", Edits.parse("L0D3=1"))).isEqualTo(first);
            }
            assertThat(CudaMemory.available().free()).isEqualTo(free);
        }
    }

    /** The predictions of single precision, with probabilities that rounded operands have moved. */
    @ParameterizedTest
    @EnumSource(names = {"TF32", "BF16"})
    void fasterPrecisionsRound(Precision precision) {
        try (var exact = TestDevice.open(); var exactModel = TestModels.load("sample", exact);
             var device = TestDevice.open(precision); var model = TestModels.load("sample", device)) {
            var expected = last(new Debugger(exactModel));
            var rounded = new Debugger(model);
            var probabilities = last(rounded);
            assertThat(probabilities.get(0).id()).isEqualTo(expected.get(0).id());
            // 2^-11 and 2^-8 for each operand, which grow by a small factor through four layers
            double tolerance = 8 * (precision == Precision.TF32 ? 0x1p-11 : 0x1p-8);
            assertThat((double) probabilities.get(0).probability()).isCloseTo(expected.get(0).probability(), within(tolerance));
            assertThat(probabilities.get(0).probability()).isNotEqualTo(expected.get(0).probability());
            assertThat(rounded.trace(PROMPT)).isEqualTo(rounded.trace(PROMPT));
            assertThat(rounded.trace(PROMPT).precision()).isEqualToIgnoringCase(precision.name());
            assertThat(rounded.generate(PROMPT, 5).tokens()).hasSize(5);
            var sweep = Sweep.of(PROMPT).neurons(Neurons.parse("L2D0-9")).off().measure(Measure.kl(), Measure.logit(" girl"));
            var kl = new float[10];
            rounded.sweep(sweep, effects -> {
                System.arraycopy(effects.values(Measure.kl()), 0, kl, 0, 10);
                return true;
            });
            assertThat(IntStream.range(0, 10).allMatch(i -> Float.isFinite(kl[i]))).isTrue();
        }
    }

    private static List<Trace.Prediction> last(Debugger debugger) {
        return debugger.trace(PROMPT).position(-1).layers().getLast().after();
    }
}
