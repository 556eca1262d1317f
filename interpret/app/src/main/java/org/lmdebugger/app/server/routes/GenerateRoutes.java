package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.IntStream;
import org.lmdebugger.app.server.work.EventAnswer;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;

/** The route of continuations of a prompt, token by token: events {@code token}, then {@code end} or {@code problem}. */
public final class GenerateRoutes {
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
            Integer topK, Float topP) {
    }

    /** @param continuation the index of the one that the token belongs to */
    record Token(int continuation, int id, String text, float logProbability) {
        static Token of(int continuation, Generation.Token token) {
            return new Token(continuation, token.id(), token.text(), token.logProbability());
        }
    }

    record End(List<Generated> generations) {
    }

    record Generated(List<String> edits, String continuation, String end) {
        static Generated of(Continuation continuation, Generation generation) {
            return new Generated(continuation.edits().texts(), generation.continuation(),
                    generation.end().name().toLowerCase(Locale.ROOT));
        }
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
                Objects.requireNonNullElse(request.topK(), 0),
                Objects.requireNonNullElse(request.topP(), 1f));
        EventAnswer.<List<Generation>>send(context, inference.queue()::interactive,
                (job, events) -> inference.debugger().generate(prompt, continuations,
                        new GenerationOptions(tokens, sampling), (continuation, token) -> {
                            events.accept("token", Token.of(continuation, token));
                            return !job.isCancelled();
                        }),
                generations -> new End(IntStream.range(0, generations.size())
                        .mapToObj(i -> Generated.of(continuations.get(i), generations.get(i))).toList()));
    }
}
