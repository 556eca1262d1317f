package org.lmdebugger.app.server.work;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.routes.Limits;

@Timeout(30)
class WorkQueueTest {
    private final CountDownLatch started = new CountDownLatch(1);
    private final CountDownLatch go = new CountDownLatch(1);

    private Void block(Job<Void> job) {
        started.countDown();
        try {
            assertThat(go.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
        return null;
    }

    @Test
    void takesAsManyAsItSaysAndThenRefuses() throws Exception {
        assertThat(Limits.QUEUE).isGreaterThanOrEqualTo(64);
        try (var queue = new WorkQueue(64)) {
            var first = queue.interactive(this::block);
            started.await();
            var jobs = new ArrayList<Job<Integer>>();
            for (int i = 0; i < 64; i++) {
                int number = i;
                jobs.add(queue.interactive(job -> number));
            }
            assertThatThrownBy(() -> queue.interactive(job -> 0)).isInstanceOfSatisfying(Problem.class,
                    problem -> assertThat(problem.status()).isEqualTo(429));
            go.countDown();
            first.result().get();
            for (int i = 0; i < 64; i++) {
                assertThat(jobs.get(i).result().get()).isEqualTo(i);
            }
            assertThat(queue.interactive(job -> "again").result().get()).isEqualTo("again");
        }
    }

    @Test
    void interactiveWorkEntersBetweenChunks() throws Exception {
        var order = new ArrayList<String>();
        try (var queue = new WorkQueue(10)) {
            queue.interactive(this::block);
            started.await();
            var sweep = queue.background(job -> {
                for (int chunk = 0; chunk < 2; chunk++) {
                    order.add("chunk " + chunk);
                    queue.interactive(inner -> order.add("interactive"));
                    queue.background(inner -> order.add("next sweep"));
                    queue.yield();
                }
                return null;
            });
            queue.interactive(job -> order.add("first"));
            go.countDown();
            sweep.result().get();
            queue.background(job -> null).result().get();
        }
        assertThat(order).isEqualTo(
                List.of("first", "chunk 0", "interactive", "chunk 1", "interactive", "next sweep", "next sweep"));
    }

    @Test
    void cancelledWorkIsDropped() throws Exception {
        try (var queue = new WorkQueue(10)) {
            queue.interactive(this::block);
            started.await();
            var dropped = queue.interactive(job -> "done");
            dropped.cancel();
            go.countDown();
            assertThatThrownBy(() -> dropped.result().get())
                    .isInstanceOf(java.util.concurrent.CancellationException.class);
        }
    }

    @Test
    void failuresReachWhoWaitsAndNobodyElse() throws Exception {
        try (var queue = new WorkQueue(10)) {
            var failed = queue.interactive(job -> {
                throw new IllegalArgumentException("bad");
            });
            assertThatThrownBy(() -> failed.result().get()).hasRootCauseMessage("bad");
            assertThat(queue.interactive(job -> 1).result().get()).isEqualTo(1);
        }
    }

    @Test
    void closingEndsWhatRunsAndRefusesWhatWaits() throws Exception {
        var queue = new WorkQueue(10);
        var running = queue.interactive(job -> {
            started.countDown();
            while (!job.isCancelled()) {
                Thread.onSpinWait();
            }
            return "ended";
        });
        started.await();
        var waiting = queue.interactive(job -> "never");
        queue.close();
        assertThat(running.result().get()).isEqualTo("ended");
        assertThatThrownBy(() -> waiting.result().get()).hasRootCauseInstanceOf(Problem.class);
        assertThatThrownBy(() -> queue.interactive(job -> 1)).isInstanceOf(Problem.class);
    }
}
