package org.lmdebugger.device.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkersTest {
    private final Workers workers = new Workers(4);

    @AfterEach
    void close() {
        workers.close();
    }

    @Test
    void everyPartOfManyJobsRunsOnce() {
        for (int job = 0; job < 20_000; job++) {
            int parts = job % 9;
            var runs = new AtomicIntegerArray(9);
            workers.run(runs::incrementAndGet, parts);
            for (int part = 0; part < 9; part++) {
                assertThat(runs.get(part)).as("part %d of job %d", part, job).isEqualTo(part < parts ? 1 : 0);
            }
        }
    }

    @Test
    void threadsShareAJob() throws InterruptedException {
        var together = new CountDownLatch(4); // opens only if four threads are within the job at once
        var met = new AtomicIntegerArray(4);
        workers.run(part -> {
            together.countDown();
            try {
                met.set(part, together.await(30, TimeUnit.SECONDS) ? 1 : 0);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }, 4);
        assertThat(met.get(0) + met.get(1) + met.get(2) + met.get(3)).isEqualTo(4);
    }

    @Test
    void aCallerWhoFindsTheHelpersBusyWorksAlone() {
        workers.run(outer -> {
            var runs = new AtomicIntegerArray(8);
            workers.run(runs::incrementAndGet, 8);
            assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1, 1, 1, 1, 1]");
        }, 4);
    }

    @Test
    void theFailureOfAPartIsThrownAndTheNextJobRuns() {
        assertThatThrownBy(() -> workers.run(part -> {
            throw new IllegalStateException("part " + part);
        }, 4)).isInstanceOf(IllegalStateException.class).hasMessageStartingWith("part ");
        var runs = new AtomicIntegerArray(4);
        workers.run(runs::incrementAndGet, 4);
        assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1]");
    }

    @Test
    void closedWorkersStillDoTheirJobs() {
        workers.close();
        var runs = new AtomicIntegerArray(4);
        workers.run(runs::incrementAndGet, 4);
        assertThat(runs.toString()).isEqualTo("[1, 1, 1, 1]");
    }
}
