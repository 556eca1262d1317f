package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongFunction;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** JFR shows the operations, forward passes and chunks of this process, and numbers stay as they are. */
@OnEveryDevice
class RecordingTest {
    private static final String PROMPT = "Once upon a time there was a little"; // 8 tokens
    private static final long LAYERS = 4;
    private static final long WIDTH = 192;

    @AutoClose
    private final TestModel test = TestModel.open("sample");

    @TempDir
    Path folder;

    private List<RecordedEvent> record(Runnable work) throws IOException {
        try (var recording = new Recording()) {
            recording.start();
            work.run();
            recording.stop();
            recording.dump(folder.resolve("recording.jfr"));
        }
        return RecordingFile.readAllEvents(folder.resolve("recording.jfr")).stream()
                .filter(event -> event.getEventType().getName().startsWith("lmdebugger.")).toList();
    }

    private static List<RecordedEvent> of(List<RecordedEvent> events, String name) {
        return events.stream().filter(event -> event.getEventType().getName().equals("lmdebugger." + name)).toList();
    }

    @Test
    void aRunHasItsProductsAndOneForwardPass() throws IOException {
        var events = record(() -> test.debugger().run(PROMPT).close());
        var forward = of(events, "Forward");
        assertThat(forward).hasSize(1);
        assertThat(forward.getFirst().getString("model")).isEqualTo("sample");
        assertThat(forward.getFirst().getString("device")).isEqualTo(test.device().name());
        assertThat(forward.getFirst().getInt("layers")).isEqualTo(LAYERS);
        assertThat(forward.getFirst().getLong("rows")).isEqualTo(8);

        var products = of(events, "Operation").stream()
                .filter(e -> Set.of("multiply", "multiplyConsuming").contains(e.getString("operation"))).toList();
        assertThat(products).hasSize(4 * (int) LAYERS).allMatch(e -> e.getLong("rows") == 8)
                .allMatch(e -> e.getString("device").equals(test.device().name()));
        assertThat(sum(products, e -> e.getLong("flop"))).isEqualTo(LAYERS * 2 * 8 * 12 * WIDTH * WIDTH);
        // The weights of a block, and per row: normed and q, k, v; z and out; normed and coefficients; these and out.
        assertThat(sum(products, e -> e.getLong("bytes")))
                .isEqualTo(LAYERS * Float.BYTES * (12 * WIDTH * WIDTH + 8 * (4 + 2 + 5 + 5) * WIDTH));
    }

    @Test
    void aSweepHasItsChunksAndTheSameNumbers() throws IOException {
        var plan = test.debugger().plan(Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-9")).off().atLast()
                .measure(Measure.kl()));
        var plain = new ArrayList<float[]>();
        test.debugger().sweep(plan, 0, effects -> plain.add(effects.values(Measure.kl())));
        var recorded = new ArrayList<float[]>();
        var events = record(
                () -> test.debugger().sweep(plan, 0, effects -> recorded.add(effects.values(Measure.kl()))));
        assertThat(recorded).usingRecursiveComparison().isEqualTo(plain);
        var chunks = of(events, "Chunk");
        assertThat(chunks).hasSize(plan.chunks().size());
        assertThat(sum(chunks, e -> e.getInt("interventions"))).isEqualTo(40);
        assertThat(sum(chunks, e -> e.getLong("rows"))).isEqualTo(40); // each at the last position alone
    }

    private static long sum(List<RecordedEvent> events, ToLongFunction<RecordedEvent> number) {
        return events.stream().mapToLong(number).sum();
    }
}
