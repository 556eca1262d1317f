package org.lmdebugger.app.server.work;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_EMPTY;
import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.lmdebugger.app.json.Targets;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.app.server.http.ClientConnection;
import org.lmdebugger.app.server.http.EventStream;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Prompt;

/** A sweep that waits, runs or has run, and its effects so far. All methods may be called from any thread. */
public final class SweepJob {
    /** Nobody has looked for so long: its client has gone away. */
    private static final long DESERTED = TimeUnit.SECONDS.toNanos(60);

    private final String id = AccessTokens.random();
    private final SweepPlan plan;
    private final Object request;
    private final Optional<Integer> samples;
    private final LongSupplier clock;
    private final List<Effects> chunks = new ArrayList<>(); // guarded by this, and so on
    private long done;
    private State state = State.WAITING;
    private Problem problem;
    private int watchers;
    private long lastLook;
    private boolean cancelled;
    private Job<Void> queued;

    public enum State {
        WAITING, RUNNING, DONE, CANCELLED, FAILED;

        public boolean isFinal() {
            return this != WAITING && this != RUNNING;
        }
    }

    /**
     * How far a sweep is, as it is answered.
     *
     * @param done    effects that are computed, of {@code effects}
     * @param targets the target token of each prompt, null for one without; empty if no prompt has one
     * @param against likewise, for differences
     * @param request what was asked for
     * @param problem why it failed, if it did
     */
    public record Progress(String id, String state, long done, long effects, int chunks, double gflop,
            List<String> measures, List<String> prompts, @JsonInclude(NON_EMPTY) List<String> targets,
            @JsonInclude(NON_EMPTY) List<String> against, Object request,
            @JsonInclude(NON_NULL) Problem.Details problem) {
    }

    /**
     * @param request what was asked for, as it is answered
     * @param samples of each intervention that takes a text from a corpus, if there are several
     * @param clock   in nanoseconds
     */
    public SweepJob(SweepPlan plan, Object request, Optional<Integer> samples, LongSupplier clock) {
        this.plan = plan;
        this.request = request;
        this.samples = samples;
        this.clock = clock;
        lastLook = clock.getAsLong();
    }

    public String id() {
        return id;
    }

    public SweepPlan plan() {
        return plan;
    }

    /** Returns how many samples there are of each intervention that takes a text from a corpus, if there are several. */
    public Optional<Integer> samples() {
        return samples;
    }

    /** Takes its place in the line. @throws Problem as {@link WorkQueue#background} */
    public void start(Inference inference) {
        queued = inference.queue().background(running -> run(running, inference.debugger(), inference.queue()));
        queued.result().whenComplete((nothing, failure) -> {
            if (failure != null) {
                fail(Problem.of(failure, "sweep " + id));
            }
        });
    }

    /** The sweep itself, on the inference thread. */
    private Void run(Job<Void> job, Debugger debugger, WorkQueue queue) {
        if (change(State.RUNNING)) {
            debugger.sweep(plan, 0, effects -> {
                add(effects);
                queue.yield();
                return !job.isCancelled() && !isUnwanted();
            });
            change(isComplete() ? State.DONE : State.CANCELLED);
        }
        return null;
    }

    private synchronized void add(Effects effects) {
        chunks.add(effects);
        done += effects.size();
        notifyAll();
    }

    private synchronized boolean isComplete() {
        return done == plan.effects();
    }

    private synchronized boolean isUnwanted() {
        return cancelled || watchers == 0 && clock.getAsLong() - lastLook > DESERTED;
    }

    private synchronized boolean change(State next) {
        if (cancelled && next == State.RUNNING) {
            return false;
        }
        state = next;
        notifyAll();
        return true;
    }

    /** Ends the sweep after the chunk that is being computed; finished chunks stay. */
    public synchronized void cancel() {
        cancelled = true;
        if (state == State.WAITING) {
            change(State.CANCELLED);
            queued.cancel();
        }
    }

    synchronized void fail(Problem why) {
        if (!state.isFinal()) {
            problem = why;
            change(State.FAILED);
        }
    }

    public synchronized void look() {
        lastLook = clock.getAsLong();
    }

    public synchronized State state() {
        return state;
    }

    public synchronized List<Effects> chunks() {
        return List.copyOf(chunks);
    }

    /** Sends progress until the sweep has ended. @throws CancellationException if the client has gone */
    public void watch(EventStream stream, ClientConnection client) {
        watching(1);
        try {
            long sent = -1;
            while (true) {
                boolean last = state().isFinal(); // before progress, which then has the final state, too
                var progress = progress();
                if (last || progress.done() != sent) {
                    sent = progress.done();
                    stream.send(last ? "end" : "progress", progress);
                }
                if (last) {
                    return;
                }
                pause(sent);
                if (client.hasGone()) {
                    throw new CancellationException();
                }
            }
        } finally {
            watching(-1);
        }
    }

    private synchronized void watching(int more) {
        watchers += more;
        look();
    }

    private synchronized void pause(long sent) {
        try {
            if (done == sent && !state.isFinal()) {
                wait(ClientConnection.POLL_MILLIS);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new CancellationException();
        }
    }

    /** Returns how far the sweep is. */
    public synchronized Progress progress() {
        return new Progress(id, state.name().toLowerCase(Locale.ROOT), done, plan.effects(), plan.chunks().size(),
                plan.flop() / 1e9, plan.sweep().measures().stream().map(Measure::toString).toList(),
                plan.sweep().prompts().stream().map(Prompt.Text.class::cast).map(Prompt.Text::text).toList(),
                Targets.tokens(plan.sweep().targets()), Targets.against(plan.sweep().targets()), request,
                problem == null ? null : problem.details());
    }
}
