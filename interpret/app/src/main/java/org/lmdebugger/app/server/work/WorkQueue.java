package org.lmdebugger.app.server.work;

import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.lmdebugger.app.server.http.Problem;

/**
 * The queue in front of the device: one platform thread does all inference, interactive work first, and between the
 * chunks of a sweep. Work never shares the device with other work, so that each result is the one without other work.
 */
public final class WorkQueue implements AutoCloseable {
    private final PriorityBlockingQueue<Job<?>> waiting = new PriorityBlockingQueue<>();
    private final Semaphore places;
    private final AtomicLong number = new AtomicLong();
    private final Thread thread = Thread.ofPlatform().daemon().name("inference").unstarted(this::run);
    private final Set<Job<?>> running = ConcurrentHashMap.newKeySet(); // several: work between the chunks of a sweep, and the sweep
    private volatile boolean closed;

    public WorkQueue(int capacity) {
        places = new Semaphore(capacity);
        thread.start();
    }

    /**
     * Adds work that a client waits for.
     *
     * @throws Problem 429 if the queue is full, 503 if the server is about to stop
     */
    public <T> Job<T> interactive(Job.Work<T> work) {
        return add(work, true);
    }

    /** Adds a sweep or patching: other work may be done between its chunks ({@link #yield}). @throws Problem as {@link #interactive} */
    public <T> Job<T> background(Job.Work<T> work) {
        return add(work, false);
    }

    private <T> Job<T> add(Job.Work<T> work, boolean interactive) {
        if (closed) {
            throw stopping();
        }
        if (!places.tryAcquire()) {
            throw new Problem(429, "Too many requests", "Too many requests are waiting; try again in a moment.");
        }
        var job = new Job<>(work, interactive, number.getAndIncrement(), this::drop);
        waiting.add(job);
        if (closed) {
            drop();
        }
        return job;
    }

    private static Problem stopping() {
        return new Problem(503, "Stopping", "The server is about to stop; start it again with: lmdebug serve");
    }

    private void run() {
        while (!closed) {
            try {
                start(waiting.take());
            } catch (InterruptedException never) {
                throw new AssertionError("nobody interrupts the inference thread", never);
            }
        }
        drop();
    }

    private void start(Job<?> job) {
        places.release();
        running.add(job);
        if (closed) { // perhaps too late for close() to see it
            job.cancel(stopping());
        }
        job.run();
        running.remove(job);
    }

    private void drop() {
        for (Job<?> job; (job = waiting.poll()) != null;) {
            places.release();
            job.result().completeExceptionally(stopping());
        }
    }

    /** Makes room at once for others if {@code job}, which was cancelled, still waits. */
    private void drop(Job<?> job) {
        if (waiting.remove(job)) {
            places.release();
            job.result().completeExceptionally(new CancellationException());
        }
    }

    /** Does the interactive work that waits now; called on the inference thread by work that can bear a break. */
    public void yield() {
        for (Job<?> job; !closed && (job = waiting.peek()) != null && job.isInteractive();) {
            if (waiting.remove(job)) { // else it was cancelled just now
                start(job);
            }
        }
    }

    /** Returns the jobs that wait now, in no particular order. */
    public List<Job<?>> waiting() {
        return List.copyOf(waiting);
    }

    /** Returns the jobs that run now, in no particular order. */
    public List<Job<?>> running() {
        return List.copyOf(running);
    }

    /** Takes no more work, drops waiting jobs, cancels running ones and waits for their end. */
    @Override
    public void close() {
        closed = true;
        running.forEach(job -> job.cancel(stopping()));
        waiting.add(new Job<Void>(job -> null, true, -1, job -> {})); // wakes the thread
        try {
            thread.join();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
