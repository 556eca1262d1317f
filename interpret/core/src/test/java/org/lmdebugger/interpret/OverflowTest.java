package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Gpt2;

/** A model whose weights are finite and whose numbers are not. */
@OnEveryDevice
class OverflowTest {
    private static final String MESSAGE = "its numbers are not finite from layer 1 on, without any edit (expected: weights that FP32 can compute with)";

    @Test
    void aModelThatOverflowsByItselfIsRefusedEverywhere(@TempDir Path directory) throws IOException {
        new RandomCheckpoint(3, 1, 8, 16, 8192).write(directory, 1);
        fill(directory.resolve("model.safetensors"), List.of("h.0.mlp.c_proj.bias", "h.1.mlp.c_proj.bias"), 3e38f);
        try (var device = TestDevice.open(); var model = Gpt2.load(ModelFiles.of(directory), device)) {
            var debugger = new Debugger(model);
            var edits = Intervention.parse("L0D1=2", "L2D3*=2");
            var sampled = new GenerationOptions(2, new Sampling(1, 0, 0.9f));
            refused(() -> debugger.trace("a b", Intervention.NONE));
            refused(() -> debugger.trace("a b", edits));
            refused(() -> debugger.generate("a b", 2));
            refused(() -> debugger.generate("a b", edits, 2));
            refused(() -> debugger.generate("a b", List.of(Continuation.of(edits)), sampled, (c, token) -> true));
            for (var measure : List.of(Measure.kl(), Measure.entropy(), Measure.of(Measure.Quantity.LOGIT, 5),
                    Measure.of(Measure.Quantity.RANK, 5), Measure.top(2))) {
                refused(() -> debugger.sweep(Sweep.of("a b").allNeurons().off().measure(measure), effects -> true));
            }
        }
    }

    @Test
    void productsThatOverflowAreRefused(@TempDir Path directory) throws IOException {
        new RandomCheckpoint(1, 1, 8, 16, 8192).write(directory, 1);
        fill(directory.resolve("model.safetensors"), List.of("h.0.mlp.c_proj.weight", "wte.weight"), 1e20f);
        try (var device = TestDevice.open(); var model = Gpt2.load(ModelFiles.of(directory), device)) {
            var vectors = new ValueVectors(model);
            var vector = new Neuron(0, 3);
            for (ThrowingCallable call : List.<ThrowingCallable>of(
                    () -> vectors.project(vector, 3, ValueVectors.Reading.RAW),
                    () -> vectors.similar(vector, 3), () -> vectors.promote(new int[] {1}, 3),
                    () -> vectors.suppress(new int[] {1}, 3),
                    () -> new Debugger(model).project(model.layer(0).ffnOut().row(3), 3))) {
                assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageMatching(
                                "vectors: a product is -?Infinity \\(expected: vectors whose products FP32 can hold\\)");
            }
        }
    }

    private static void refused(ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith("model: ")
                .hasMessageEndingWith(MESSAGE);
    }

    /** Sets all elements of these tensors. */
    private static void fill(Path file, List<String> names, float value) throws IOException {
        var bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int data = 8 + (int) bytes.getLong(0);
        var header = new ObjectMapper().readTree(new String(bytes.array(), 8, data - 8, StandardCharsets.UTF_8));
        for (var name : names) {
            var offsets = header.get(name).get("data_offsets");
            for (int at = offsets.get(0).intValue(); at < offsets.get(1).intValue(); at += 4) {
                bytes.putFloat(data + at, value);
            }
        }
        Files.write(file, bytes.array());
    }
}
