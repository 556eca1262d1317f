package org.lmdebugger.app.server.routes;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.text.Shown;
import org.slf4j.LoggerFactory;

/**
 * LM-Debugger's own HTTP interface, so that its page works with this server. The page shows no reason of a failure, so
 * the reason is in the header {@value Responses#REASON} and in the log. The answer itself is the one that the page
 * survives: for traces {@code 200 {}}, the original's answer, which it shows as "Failed prediction"; else plain text,
 * which it shows as "Failed generation" or "Failed getting details". Other JSON than a continuation or a value vector
 * would break the page until it is loaded again.
 */
public final class CompatibleRoutes {
    private static final int TOP = 10;
    private static final int PROJECTED = 50;

    private final Inference inference;

    public CompatibleRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/get_data", context -> Responses.json(context, data(context)));
        routes.post("/generate", context -> answer(context, () -> generate(context)));
        routes.get("/get_projections/layer/{layer}/dim/{dim}", context -> answer(context, () -> projections(context)));
    }

    record Switch(Integer layer, Integer dim, Float coeff) {
    }

    record Request(String prompt, List<Switch> interventions, Integer generateK) {
    }

    /** Both are null in the answer to a request that failed. @param intervention null without edits */
    @JsonInclude(NON_NULL)
    record Traces(View response, View intervention) {
    }

    record View(String prompt, List<Layer> layers) {
        static View of(String prompt, Trace.Position position) {
            return new View(prompt, position.layers().stream().map(Layer::of).toList());
        }
    }

    record Layer(int layer, List<Prediction> predictionsBefore, List<Prediction> predictionsAfter,
            List<SignificantValue> significantValues) {
        static Layer of(Trace.Layer layer) {
            return new Layer(layer.layer(), Prediction.of(layer.before()), Prediction.of(layer.after()),
                    layer.dominant().stream().map(SignificantValue::of).toList());
        }
    }

    record Prediction(String token, float score) {
        static List<Prediction> of(List<Trace.Prediction> predictions) {
            return predictions.stream().limit(TOP).map(each -> new Prediction(each.token(), each.probability()))
                    .toList();
        }
    }

    record SignificantValue(int layer, int dim, float score) {
        static SignificantValue of(Trace.SubUpdate update) {
            return new SignificantValue(update.layer(), update.neuron(), update.score());
        }
    }

    record Generated(String generateText) {
    }

    record Projected(int layer, int dim, List<ProjectedToken> topK) {
    }

    record ProjectedToken(String token, float logit) {
    }

    private static void answer(Context context, Supplier<Object> work) {
        try {
            Responses.json(context, work.get());
        } catch (RuntimeException failure) {
            var problem = Problem.of(failure, context.path());
            if (problem != Problem.CLIENT_GONE) {
                say(context, problem.getMessage());
            }
            context.status(problem.status()).contentType("text/plain; charset=utf-8").result(problem.getMessage());
        }
    }

    private static void say(Context context, String reason) {
        var line = reason.replaceAll("[^\\x20-\\x7e]", "?");
        LoggerFactory.getLogger(CompatibleRoutes.class).info("{}: {}", context.path(), line);
        context.header(Responses.REASON, line);
    }

    private static Request read(Context context) {
        var request = Requests.readKnown(context, Request.class);
        if (request.prompt() != null) {
            Limits.prompt(request.prompt());
        }
        if (request.interventions() != null) {
            Limits.check("interventions", request.interventions(), Limits.EDITS);
        }
        return request;
    }

    private static Intervention edits(Request request) {
        if (request.prompt() == null || request.interventions() == null) {
            throw new IllegalArgumentException("body: no prompt or no interventions (expected: both)");
        }
        var switches = new ArrayList<Edit>(); // of a neuron the last counts, as it overwrites the others
        for (var each : request.interventions()) {
            if (each.layer() == null || each.dim() == null || each.coeff() == null || each.layer() < 0
                    || each.dim() < 0) {
                throw new IllegalArgumentException(
                        "interventions: %s (expected: layer and dim from 0 on, and coeff)".formatted(each));
            }
            var operation = each.coeff() > 0 ? new Edit.Operation.On() : new Edit.Operation.Off();
            switches.add(new Edit(each.layer(), each.dim(), operation, Positions.ALL));
        }
        return new Intervention(switches);
    }

    private Traces data(Context context) {
        var request = read(context);
        try {
            return data(context, request);
        } catch (IllegalArgumentException wrong) {
            say(context, wrong.getMessage());
            return new Traces(null, null);
        }
    }

    private Traces data(Context context, Request request) {
        var edits = edits(request);
        var trace = inference.call(context, debugger -> debugger.trace(request.prompt(), edits));
        return new Traces(View.of(request.prompt(), trace.position(-1)),
                trace.edited().isEmpty() ? null : View.of(request.prompt(), trace.editedPosition(-1)));
    }

    private Generated generate(Context context) {
        var request = read(context);
        var edits = edits(request);
        if (request.generateK() == null || request.generateK() < 1 || request.generateK() > Limits.TOKENS) {
            throw new IllegalArgumentException(
                    "generate_k: %s (expected: 1 to %d)".formatted(request.generateK(), Limits.TOKENS));
        }
        Generation generation = inference.callLong(context,
                job -> inference.debugger().generate(request.prompt(), List.of(Continuation.of(edits)),
                        GenerationOptions.greedy(request.generateK()), (continuation, token) -> {
                            job.throwIfCancelled();
                            return true;
                        }).getFirst());
        return new Generated(generation.text());
    }

    private Projected projections(Context context) {
        int layer = number(context, "layer", inference.debugger().model().config().layers());
        int dim = number(context, "dim", inference.debugger().model().config().feedForwardWidth());
        var tokenizer = inference.debugger().model().tokenizer();
        var tokens = inference.call(context,
                debugger -> debugger.project(debugger.model().layer(layer).ffnOut().row(dim), PROJECTED).getFirst());
        return new Projected(layer, dim, tokens.stream()
                .map(token -> new ProjectedToken(tokenizer.raw(token.id()), token.logit())).toList());
    }

    private static int number(Context context, String name, int below) {
        var text = context.pathParam(name);
        if (!text.matches("\\d{1,9}") || Integer.parseInt(text) >= below) {
            throw new IllegalArgumentException("%s: %s (expected: 0 to %d)".formatted(name, Shown.of(text), below - 1));
        }
        return Integer.parseInt(text);
    }
}
