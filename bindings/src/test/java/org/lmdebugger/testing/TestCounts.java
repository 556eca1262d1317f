package org.lmdebugger.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * Counts the tests that ran to their end on each device, in all modules: what was skipped is not counted. The file that
 * {@code lmdebugger.test.counts} names has a line for each run.
 */
public final class TestCounts implements TestExecutionListener {
    private final AtomicInteger ran = new AtomicInteger();

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        if (test.isTest() && result.getStatus() != TestExecutionResult.Status.ABORTED) {
            ran.incrementAndGet();
        }
    }

    @Override
    public void testPlanExecutionFinished(TestPlan plan) {
        var file = System.getProperty("lmdebugger.test.counts");
        if (file == null) {
            return;
        }
        try {
            Files.createDirectories(Path.of(file).getParent());
            Files.writeString(Path.of(file), System.getProperty("lmdebugger.test.on") + " " + ran + "\n",
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            System.out.println("tests that ran so far, by device: " + sums(Path.of(file)));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static Map<String, Integer> sums(Path file) throws IOException {
        var sums = new TreeMap<>(Map.of("cpu", 0, "emulated", 0, "cuda", 0));
        for (var line : Files.readAllLines(file)) {
            var run = line.split(" ");
            sums.merge(run[0], Integer.valueOf(run[1]), Integer::sum);
        }
        return sums;
    }
}
