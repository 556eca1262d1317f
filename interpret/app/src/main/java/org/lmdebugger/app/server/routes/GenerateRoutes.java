package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.server.http.ClientConnection;
import org.lmdebugger.app.server.http.EventStream;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.Job;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;

/** Continuations of a prompt, token by token: events {@code token}, then {@code end} or {@code problem}. */
public final class GenerateRoutes {
    private static final Map<String, Object> DONE = Map.of();

    private final Inference inference;

    public GenerateRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/generate", this::generate);
    }

    record One(List<String> edits, Long seed) {
    }

    record GenerateRequest(String prompt, String mode, List<One> continuations, Integer tokens, Float temperature,
            Integer top_k, Float top_p) {
    }

    private void generate(Context context) {
        var request = Requests.read(context, GenerateRequest.class);
        var prompt = Limits.prompt(request.prompt());
        var ones = Objects.requireNonNullElse(request.continuations(), List.of(new One(null, null)));
        Limits.check("continuations", ones, Limits.CONTINUATIONS);
        Limits.check("continuations", ones.size(), 1, Limits.CONTINUATIONS);
        var continuations = ones.stream().map(one -> new Continuation(TraceRoutes.edits(one.edits(), request.mode()),
                Objects.requireNonNullElse(one.seed(), 0L))).toList();
        int tokens = Objects.requireNonNullElse(request.tokens(), 20);
        Limits.check("tokens", tokens, 1, Limits.TOKENS);
        var sampling = new Sampling(Objects.requireNonNullElse(request.temperature(), 0f),
                Objects.requireNonNullElse(request.top_k(), 0),
                Objects.requireNonNullElse(request.top_p(), 1f));
        var events = new LinkedBlockingQueue<Map<String, Object>>();
        Job<List<Generation>> job = inference.queue()
                .interactive(running -> inference.debugger().generate(prompt, continuations,
                        new GenerationOptions(tokens, sampling), (continuation, token) -> {
                            events.add(token(continuation, token));
                            return !running.isCancelled();
                        }));
        job.result().whenComplete((generations, failure) -> events.add(DONE));
        try {
            stream(context, continuations, job, events);
        } catch (CancellationException gone) {
            job.cancel();
        }
    }

    /** What is wrong with the request is known before the first token, and answered as a problem. */
    private static void stream(Context context, List<Continuation> continuations, Job<List<Generation>> job,
            BlockingQueue<Map<String, Object>> events) {
        var client = new ClientConnection(context);
        EventStream stream = null;
        while (true) {
            var event = next(events);
            if (event == null) {
                if (client.hasGone()) {
                    throw new CancellationException();
                }
                continue;
            }
            if (event == DONE && stream == null && job.result().isCompletedExceptionally()) {
                job.await(client); // throws
            }
            stream = stream == null ? new EventStream(context) : stream;
            if (event == DONE) {
                end(context, continuations, job, stream);
                return;
            }
            stream.send("token", event);
        }
    }

    private static Map<String, Object> next(BlockingQueue<Map<String, Object>> events) {
        try {
            return events.poll(ClientConnection.POLL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw new CancellationException();
        }
    }

    private static void end(Context context, List<Continuation> continuations, Job<List<Generation>> job,
            EventStream stream) {
        if (job.result().isCompletedExceptionally()) {
            stream.send("problem", Problem.of(job.result().exceptionNow(), "generate").details());
            return;
        }
        var generations = job.result().resultNow();
        stream.send("end", Map.of("generations", IntStream.range(0, generations.size()).mapToObj(i -> Json.object(
                "edits", continuations.get(i).edits().texts(), "continuation", generations.get(i).continuation(),
                "end", generations.get(i).end().name().toLowerCase(Locale.ROOT))).toList()));
    }

    private static Map<String, Object> token(int continuation, Generation.Token token) {
        return Json.object("continuation", continuation, "id", token.id(), "text", token.text(), "log_probability",
                token.logProbability());
    }
}
