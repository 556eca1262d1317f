package org.lmdebugger.app.server;

import io.javalin.http.Context;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;
import org.lmdebugger.app.TraceJson;
import org.lmdebugger.app.values.ValueCache;

/** Something of the value vectors that is built when it is first asked for, between other work, or was built before. */
final class Build<C, T> {
    private static final int GLANCE = 300; // milliseconds in which something that was built before may be ready

    private final String what;
    private final WorkQueue queue;
    private final Supplier<ValueCache.Entry<C>> entry;
    private final Function<C, T> finish;
    private volatile int done;
    private volatile int total;
    private CompletableFuture<T> result; // guarded by this; null before the first request, and after a failure

    /**
     * @param what   its name in answers
     * @param total  a first guess at the number of steps
     * @param finish makes of what the cache keeps what is wanted, off the inference thread
     */
    Build(String what, int total, WorkQueue queue, Supplier<ValueCache.Entry<C>> entry, Function<C, T> finish) {
        this.what = what;
        this.total = total;
        this.queue = queue;
        this.entry = entry;
        this.finish = finish;
    }

    /** What is built; null while it is not, and then the answer is given: 202, and how far it is. */
    T get(Context context) {
        var future = start();
        try {
            return future.get(GLANCE, TimeUnit.MILLISECONDS);
        } catch (TimeoutException notYet) {
            context.status(202);
            Responses.json(context, TraceJson.object("state", "building", "what", what, "done", done, "total", total));
            return null;
        } catch (ExecutionException failure) {
            forget(future);
            throw Job.unwrapped(failure.getCause());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new CancellationException();
        }
    }

    private synchronized CompletableFuture<T> start() {
        if (result == null) {
            var future = new CompletableFuture<T>();
            Thread.ofVirtual().name(what).start(() -> {
                try {
                    future.complete(finish.apply(build(entry.get())));
                } catch (Throwable failure) { // goes to whoever asks next
                    future.completeExceptionally(failure);
                }
            });
            result = future;
        }
        return result;
    }

    private synchronized void forget(CompletableFuture<T> failed) {
        if (result == failed) {
            result = null;
        }
    }

    private C build(ValueCache.Entry<C> wanted) {
        return wanted.find().orElseGet(() -> {
            Job<C> job = queue.background(running -> wanted.get((steps, all) -> {
                done = steps;
                total = all;
                queue.yield();
                running.goOn();
            }));
            try {
                return job.result().get();
            } catch (ExecutionException failure) {
                throw Job.unwrapped(failure.getCause());
            } catch (InterruptedException never) {
                throw new AssertionError("nobody interrupts this thread", never);
            }
        });
    }
}
