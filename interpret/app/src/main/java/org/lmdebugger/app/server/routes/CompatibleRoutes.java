package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.lmdebugger.app.json.Json;
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
 * LM-Debugger's own HTTP interface, so that its page works with this server. What its page makes of a failure decides how
 * it is answered, beside the reason in the header {@value Responses#REASON} and in the log. Of a trace it takes
 * {@code 200 {}}, the original's answer, for "Failed prediction". Anything in JSON that is no continuation or no value
 * vector breaks it until it is loaded again; what is not JSON it calls "Failed generation" or "Failed getting details",
 * and goes on.
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

    record Request(String prompt, List<Switch> interventions, Integer generate_k) {
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

    private Object data(Context context) {
        var request = read(context);
        try {
            return data(context, request);
        } catch (IllegalArgumentException wrong) {
            say(context, wrong.getMessage());
            return Map.of();
        }
    }

    private Object data(Context context, Request request) {
        var edits = edits(request);
        var trace = inference.call(context, debugger -> debugger.trace(request.prompt(), edits));
        var json = Json.object("response", view(request.prompt(), trace.position(-1)));
        if (trace.edited() != null) {
            json.put("intervention", view(request.prompt(), trace.editedPosition(-1)));
        }
        return json;
    }

    private static Object view(String prompt, Trace.Position position) {
        return Json.object("prompt", prompt, "layers", position.layers().stream().map(layer -> Json.object(
                "layer", layer.layer(), "predictions_before", predictions(layer.before()), "predictions_after",
                predictions(layer.after()),
                "significant_values", layer.dominant().stream().map(update -> Json.object("layer", update.layer(),
                        "dim", update.neuron(), "score", update.score())).toList()))
                .toList());
    }

    private static List<Map<String, Object>> predictions(List<Trace.Prediction> predictions) {
        return predictions.stream().limit(TOP)
                .map(each -> Json.object("token", each.token(), "score", each.probability())).toList();
    }

    private Object generate(Context context) {
        var request = read(context);
        var edits = edits(request);
        if (request.generate_k() == null || request.generate_k() < 1 || request.generate_k() > Limits.TOKENS) {
            throw new IllegalArgumentException(
                    "generate_k: %s (expected: 1 to %d)".formatted(request.generate_k(), Limits.TOKENS));
        }
        Generation generation = inference.callLong(context,
                job -> inference.debugger().generate(request.prompt(), List.of(Continuation.of(edits)),
                        GenerationOptions.greedy(request.generate_k()), (continuation, token) -> {
                            job.throwIfCancelled();
                            return true;
                        }).getFirst());
        return Map.of("generate_text", generation.text());
    }

    private Object projections(Context context) {
        int layer = number(context, "layer", inference.debugger().model().config().layers());
        int dim = number(context, "dim", inference.debugger().model().config().feedForwardWidth());
        var tokenizer = inference.debugger().model().tokenizer();
        var tokens = inference.call(context,
                debugger -> debugger.project(debugger.model().layer(layer).ffnOut().row(dim), PROJECTED).getFirst());
        return Json.object("layer", layer, "dim", dim, "top_k", tokens.stream()
                .map(token -> Json.object("token", tokenizer.raw(token.id()), "logit", token.logit())).toList());
    }

    private static int number(Context context, String name, int below) {
        var text = context.pathParam(name);
        if (!text.matches("\\d{1,9}") || Integer.parseInt(text) >= below) {
            throw new IllegalArgumentException("%s: %s (expected: 0 to %d)".formatted(name, Shown.of(text), below - 1));
        }
        return Integer.parseInt(text);
    }
}
