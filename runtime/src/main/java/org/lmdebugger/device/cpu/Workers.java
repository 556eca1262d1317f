package org.lmdebugger.device.cpu;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Worker threads that share the parts of one job at a time and allocate nothing. The caller divides the job, so the
 * result does not depend on which thread computes which part. The caller computes parts too, and computes all of them
 * when the workers are busy with another caller's job.
 */
final class Workers implements AutoCloseable {
    /** Time for which an idle worker spins before it sleeps: about the sequential work between two GEMMs of a layer. */
    private static final long AWAKE_NANOS = 40_000;

    interface Job {
        void part(int part);
    }

    private final Helper[] helpers;
    private final AtomicBoolean taken = new AtomicBoolean();
    /** The job's number (upper half) and the number of its unclaimed parts (lower half). */
    private final AtomicLong open = new AtomicLong();
    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile Job job;
    private volatile boolean closed;

    Workers(int threads) {
        helpers = new Helper[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Helper("lmdebugger-cpu-" + (i + 1));
            helpers[i].start();
        }
    }

    int threads() {
        return helpers.length + 1;
    }

    /** Runs parts 0 … parts−1 and returns when all are done; the first exception of a part is thrown here. */
    void run(Job job, int parts) {
        if (parts == 1 || helpers.length == 0 || !taken.compareAndSet(false, true)) {
            for (int part = 0; part < parts; part++) {
                job.part(part);
            }
            return;
        }
        try {
            this.job = job;
            unfinished.set(parts);
            open.set((open.get() >>> 32) + 1 << 32 | parts);
            for (int i = 0; i < Math.min(helpers.length, parts - 1); i++) {
                helpers[i].wake();
            }
            work();
            for (int spins = 0; unfinished.get() > 0; spins++) {
                if (spins < 10_000) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
        } finally {
            this.job = null;
            taken.set(false);
        }
        rethrow(failure.getAndSet(null));
    }

    /** Claims and runs parts until none is open. A claim fails if the job changed since it was read. */
    private void work() {
        for (long state = open.get(); (int) state > 0; state = open.get()) {
            var current = job;
            if (open.compareAndSet(state, state - 1)) {
                try {
                    current.part((int) state - 1);
                } catch (Throwable thrown) {
                    if (!failure.compareAndSet(null, thrown)) {
                        failure.get().addSuppressed(thrown);
                    }
                } finally {
                    unfinished.decrementAndGet();
                }
            }
        }
    }

    private static void rethrow(Throwable failure) {
        switch (failure) {
            case null -> {}
            case Error error -> throw error;
            case RuntimeException exception -> throw exception;
            default -> throw new AssertionError("a job throws no checked exceptions", failure);
        }
    }

    /** Ends the workers once they are idle; later jobs run on their callers. */
    @Override
    public void close() {
        closed = true;
        for (var helper : helpers) {
            LockSupport.unpark(helper);
        }
    }

    private final class Helper extends Thread {
        private volatile boolean parked;

        Helper(String name) {
            super(name);
            setDaemon(true);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(this);
            }
        }

        @Override
        public void run() {
            long idleSince = System.nanoTime();
            while (!closed) {
                if ((int) open.get() > 0) {
                    work();
                    idleSince = System.nanoTime();
                } else if (System.nanoTime() - idleSince < AWAKE_NANOS) {
                    Thread.onSpinWait();
                } else {
                    parked = true;
                    if ((int) open.get() == 0 && !closed) {
                        LockSupport.park(Workers.this);
                    }
                    parked = false;
                    idleSince = System.nanoTime();
                }
            }
        }
    }
}
