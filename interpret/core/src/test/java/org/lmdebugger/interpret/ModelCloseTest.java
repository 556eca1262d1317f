package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Gpt2;

/** Models that are closed while several threads use them. */
class ModelCloseTest {
    private static final int THREADS = 6;

    @TempDir
    private Path folder;

    /** F32 weights, which are used where they are mapped: unmapping them under a call would end the process. */
    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void everyCallIsRightOrRefusedAndClosingWaits() throws Exception {
        var files = ModelFiles.of(new RandomCheckpoint(2, 2, 64, 64, 8192).write(folder, 1));
        var traces = new AtomicInteger();
        try (var device = Devices.open("cpu"); var threads = Executors.newFixedThreadPool(THREADS)) {
            Trace expected;
            try (var model = Gpt2.load(files, device)) {
                expected = new Debugger(model).trace("Once upon a time");
            }
            for (int round = 0; round < 15; round++) {
                var model = Gpt2.load(files, device);
                var debugger = new Debugger(model);
                int before = traces.get();
                var results = IntStream.range(0, THREADS).mapToObj(i -> threads.submit((Callable<Void>) () -> {
                    while (true) { // until it is refused
                        assertThat(debugger.trace("Once upon a time")).isEqualTo(expected);
                        traces.incrementAndGet();
                    }
                })).toList();
                while (traces.get() < before + THREADS) {
                    Thread.onSpinWait();
                }
                model.close();
                for (var result : results) {
                    try {
                        result.get();
                    } catch (ExecutionException refused) {
                        assertThat(refused.getCause()).isInstanceOf(IllegalStateException.class)
                                .hasMessageEndingWith(": closed");
                    }
                }
            }
        }
    }
}
