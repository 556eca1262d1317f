package org.lmdebugger.app.server.work;

import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;
import org.lmdebugger.app.store.Cached;

/**
 * A result that is loaded from the cache, or built in the background, when it is first requested. The build yields to
 * interactive work. All methods may be called from any thread.
 *
 * @param <C> the type of the cached result
 * @param <T> the result, made of that
 */
public final class LazyBuild<C, T> {
    private static final int CACHE_HIT_MILLIS = 300; // in which a result from the cache is usually loaded

    private final String name;
    private final WorkQueue queue;
    private final Supplier<Cached<C>> entry;
    private final Function<C, T> finish;
    private volatile long done;
    private volatile long total;
    private CompletableFuture<T> result; // guarded by this; null before the first request, and after a failure

    /**
     * How far a build is, as it is answered.
     *
     * @param what the name of the result
     * @param done steps, of about {@code total}
     */
    public record Progress(String state, String what, long done, long total) {
    }

    /**
     * A result that nobody has requested yet.
     *
     * @param name   its name in answers
     * @param total  a first guess at the number of steps
     * @param entry  the cache's
     * @param finish makes the result, off the inference thread
     */
    public LazyBuild(String name, int total, WorkQueue queue, Supplier<Cached<C>> entry,
            Function<C, T> finish) {
        this.name = name;
        this.total = total;
        this.queue = queue;
        this.entry = entry;
        this.finish = finish;
    }

    /** Returns the result, or empty while it is being built. @throws RuntimeException if the build failed */
    public Optional<T> get() {
        var future = start();
        try {
            return Optional.of(future.get(CACHE_HIT_MILLIS, TimeUnit.MILLISECONDS));
        } catch (TimeoutException notYet) {
            return Optional.empty();
        } catch (ExecutionException failure) {
            forget(future);
            throw Job.unwrapped(failure.getCause());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new CancellationException();
        }
    }

    /** Returns how far the build is. */
    public Progress progress() {
        return new Progress("building", name, done, total);
    }

    private synchronized CompletableFuture<T> start() {
        if (result == null) {
            var future = new CompletableFuture<T>();
            Thread.ofVirtual().name(name).start(() -> {
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

    private C build(Cached<C> wanted) {
        return wanted.find().orElseGet(() -> {
            Job<C> job = queue.background(running -> wanted.get((steps, all) -> {
                done = steps;
                total = all;
                queue.yield();
                running.throwIfCancelled();
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
