package org.lmdebugger.app.server.work;

import io.javalin.http.Context;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.lmdebugger.app.server.http.ClientConnection;
import org.lmdebugger.app.server.http.EventStream;
import org.lmdebugger.app.server.http.Problem;

/**
 * The answer of work that sends events as it goes: these, then {@code end} with its result, or {@code problem}. A failure
 * before the first event is answered as a problem. If the client goes away, the job is cancelled.
 *
 * @param <T> result of the work
 */
public final class EventAnswer<T> {
    private final BlockingQueue<Optional<Event>> events = new LinkedBlockingQueue<>(); // an empty one is the end
    private final Function<T, Object> end;

    private record Event(String name, Object data) {
    }

    /** Work on the inference thread that sends events, by name and data, and checks its job now and then. */
    @FunctionalInterface
    public interface Work<T> {
        T run(Job<T> job, BiConsumer<String, Object> events);
    }

    private EventAnswer(Function<T, Object> end) {
        this.end = end;
    }

    /**
     * Does work and answers with its events.
     *
     * @param line takes it into the queue
     * @param end  makes the data of the last event of the result
     */
    public static <T> void send(Context context, Function<Job.Work<T>, Job<T>> line, Work<T> work,
            Function<T, Object> end) {
        var answer = new EventAnswer<>(end);
        var job = line.apply(running -> work.run(running,
                (name, data) -> answer.events.add(Optional.of(new Event(name, data)))));
        job.result().whenComplete((result, failure) -> answer.events.add(Optional.empty()));
        try {
            answer.stream(context, job);
        } catch (CancellationException gone) {
            job.cancel();
        }
    }

    private void stream(Context context, Job<T> job) {
        var client = new ClientConnection(context);
        EventStream stream = null;
        while (true) {
            var event = next();
            if (event == null) {
                if (client.hasGone()) {
                    throw new CancellationException();
                }
                continue;
            }
            if (event.isEmpty() && stream == null && job.result().isCompletedExceptionally()) {
                job.await(client); // throws
            }
            stream = stream == null ? new EventStream(context) : stream;
            if (event.isEmpty()) {
                var last = last(context, job);
                stream.send(last.name(), last.data());
                return;
            }
            stream.send(event.get().name(), event.get().data());
        }
    }

    private Optional<Event> next() {
        try {
            return events.poll(ClientConnection.POLL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new CancellationException();
        }
    }

    private Event last(Context context, Job<T> job) {
        return job.result().isCompletedExceptionally()
                ? new Event("problem", Problem.of(job.result().exceptionNow(), context.path()).details())
                : new Event("end", end.apply(job.result().resultNow()));
    }
}
