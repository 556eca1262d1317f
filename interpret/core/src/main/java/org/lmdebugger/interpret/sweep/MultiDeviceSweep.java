package org.lmdebugger.interpret.sweep;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.model.Gpt2;

/**
 * One sweep on several devices: each takes the next chunk that nobody has, and effects come in the plan's order all the
 * same. At most two chunks a device wait to be delivered.
 */
public final class MultiDeviceSweep {
    private final List<Gpt2> models;
    private final SweepPlan plan;
    private final int first;
    private final AtomicInteger next;
    private final Semaphore room;
    private final ConcurrentHashMap<Integer, CompletableFuture<Effects>> results = new ConcurrentHashMap<>(); // by chunk
    private volatile boolean stopped;

    public MultiDeviceSweep(List<Gpt2> models, SweepPlan plan, int firstChunk) {
        this.models = models;
        this.plan = plan;
        first = firstChunk;
        next = new AtomicInteger(firstChunk);
        room = new Semaphore(2 * models.size());
    }

    public void run(Effects.Listener listener) {
        try (var threads = Executors.newFixedThreadPool(models.size())) { // platform threads: a GPU's session needs one
            try {
                models.forEach(model -> threads.submit(worker(model)));
                deliver(listener);
            } finally {
                stopped = true;
                room.release(models.size()); // whoever waits for room sees that it is over
            }
        }
    }

    private void deliver(Effects.Listener listener) {
        try {
            for (int chunk = first; chunk < plan.chunks().size(); chunk++) {
                var effects = result(chunk).get();
                results.remove(chunk);
                if (!listener.take(effects)) {
                    return;
                }
                room.release();
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException failure) {
            switch (failure.getCause()) {
                case RuntimeException thrown -> throw thrown;
                case Error thrown -> throw thrown;
                default -> throw new IllegalStateException(failure.getCause());
            }
        }
    }

    private CompletableFuture<Effects> result(int chunk) {
        return results.computeIfAbsent(chunk, key -> new CompletableFuture<>());
    }

    private Callable<Void> worker(Gpt2 model) {
        return () -> {
            SweepEngine engine = null;
            var runs = new CleanRuns(model);
            int prompt = -1;
            int chunk = first;
            try {
                for (room.acquire(); !stopped && (chunk = next.getAndIncrement()) < plan.chunks().size(); room
                        .acquire()) {
                    if (plan.chunks().get(chunk).prompt() != prompt) {
                        prompt = plan.chunks().get(chunk).prompt();
                        if (engine != null) {
                            engine.close();
                        }
                        runs.close();
                        engine = new SweepEngine(model, plan, prompt, runs);
                    }
                    result(chunk).complete(engine.compute(chunk));
                }
            } catch (Throwable failure) {
                result(chunk).completeExceptionally(failure); // the sweep fails when it comes to this chunk
            } finally {
                if (engine != null) {
                    engine.close();
                }
                runs.close();
            }
            return null;
        };
    }
}
