package org.lmdebugger.app.server.work;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.lmdebugger.app.server.http.ClientConnection;

/** A piece of inference that waits, runs or has run. Cancelling it drops it, or asks it to end soon. */
public final class Job<T> implements Comparable<Job<?>> {
    private final Work<T> work;
    private final boolean interactive;
    private final long number;
    private final Consumer<Job<?>> whenCancelled;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    private volatile RuntimeException cancelled; // the failure of a cancelled job; else null

    /** Work on the inference thread; long work checks now and then whether its job is cancelled. */
    @FunctionalInterface
    public interface Work<T> {
        T run(Job<T> job);
    }

    /** @param whenCancelled called at once, on the thread that cancels */
    Job(Work<T> work, boolean interactive, long number, Consumer<Job<?>> whenCancelled) {
        this.work = work;
        this.interactive = interactive;
        this.number = number;
        this.whenCancelled = whenCancelled;
    }

    public boolean isInteractive() {
        return interactive;
    }

    public boolean isCancelled() {
        return cancelled != null;
    }

    /** Does nothing until the job is cancelled. @throws RuntimeException the reason, from then on */
    public void throwIfCancelled() {
        var reason = cancelled;
        if (reason != null) {
            throw reason;
        }
    }

    /** Cancels it, as nobody waits for it any more. */
    public void cancel() {
        cancel(new CancellationException());
    }

    void cancel(RuntimeException reason) {
        cancelled = reason;
        whenCancelled.accept(this);
    }

    void run() {
        try {
            throwIfCancelled();
            result.complete(work.run(this));
        } catch (Throwable failure) { // goes to the thread that waits for the result
            result.completeExceptionally(failure);
        }
    }

    public CompletableFuture<T> result() {
        return result;
    }

    /** Waits for the result; cancels the job if the client goes away. */
    public T await(ClientConnection client) {
        while (true) {
            try {
                return result.get(ClientConnection.POLL_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException notYet) {
                if (client.hasGone()) {
                    cancel();
                    throw new CancellationException();
                }
            } catch (ExecutionException failure) {
                throw unwrapped(failure.getCause());
            } catch (InterruptedException stopped) {
                cancel();
                Thread.currentThread().interrupt();
                throw new CancellationException();
            }
        }
    }

    static RuntimeException unwrapped(Throwable failure) {
        return switch (failure) {
            case RuntimeException exception -> exception;
            case Error error -> throw error;
            default -> new IllegalStateException(failure);
        };
    }

    /** Interactive work first, then in the order of arrival. */
    @Override
    public int compareTo(Job<?> other) {
        return interactive == other.interactive ? Long.compare(number, other.number) : interactive ? -1 : 1;
    }
}
