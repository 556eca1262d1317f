package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.Job;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Flow;
import org.lmdebugger.model.Prompt;

/** Routes of the ways to a prediction: by norms, and the measured effects of interventions, such as a link switched off. */
public final class FlowRoutes {
    /** The share of a chunk's usual size, so that a client that has gone is noticed soon. */
    private static final int SHARE = 4;
    private static final double LEAST = 0.05; // share of a link that is followed, unless another is asked for

    private final Inference inference;

    public FlowRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/flow", this::flow);
        routes.post("/api/v1/effects", this::effects);
    }

    /**
     * @param position null for the last
     * @param least    the smallest share of a link that is followed; null for {@value #LEAST}
     */
    record FlowRequest(String prompt, List<String> edits, String mode, Integer position, Double least) {
    }

    private void flow(Context context) {
        var request = Requests.read(context, FlowRequest.class);
        var ids = inference.debugger().model().encode(Limits.prompt(request.prompt()));
        var edits = TraceRoutes.edits(request.edits(), request.mode());
        int position = position(request.position(), ids.length);
        double least = Objects.requireNonNullElse(request.least(), LEAST);
        if (!(least >= Limits.LEAST_SHARE && least <= 1)) {
            throw Problem.badRequest("least: %s (expected: %s to 1)".formatted(least, Limits.LEAST_SHARE));
        }
        var config = inference.debugger().model().config();
        long weights = (long) config.heads() * ids.length * (ids.length + 1) / 2;
        if (weights > Limits.WEIGHTS) {
            throw Problem.badRequest(
                    "prompt: %d tokens have %,d attention weights in a layer (expected: at most %,d; take a shorter prompt)"
                            .formatted(ids.length, weights, Limits.WEIGHTS));
        }
        Responses.json(context, inference.call(context, debugger -> {
            try (var run = debugger.run(Prompt.ofIds(ids), edits)) {
                return Flow.of(run, edits, position, least);
            }
        }));
    }

    private static int position(Integer position, int length) {
        int chosen = Objects.requireNonNullElse(position, length - 1);
        Limits.check("position", chosen, 0, length - 1);
        return chosen;
    }

    /**
     * @param position      null for the last
     * @param target        the token whose logit is measured
     * @param against       the token whose logit is subtracted from it; null for none
     * @param interventions each some edits that are made together, on top of {@code edits}
     */
    record EffectsRequest(String prompt, List<String> edits, String mode, Integer position, String target,
            String against, List<List<String>> interventions) {
    }

    /** @param effects of each intervention: the logit (difference) without it minus with it; null if not finite */
    record TotalEffects(int position, List<Float> effects) {
    }

    private void effects(Context context) {
        var request = Requests.read(context, EffectsRequest.class);
        var model = inference.debugger().model();
        var ids = model.encode(Limits.prompt(request.prompt()));
        var edits = TraceRoutes.edits(request.edits(), request.mode());
        int position = position(request.position(), ids.length);
        if (position < ids.length - 1 && !edits.isEmpty()) {
            throw Problem.badRequest(
                    "position: %d under edits, which may name theirs by the prompt's end (expected: the last, %d; or no edits)"
                            .formatted(position, ids.length - 1));
        }
        if (request.target() == null) {
            throw Problem.badRequest("target: missing (expected: a token)");
        }
        var wanted = Objects.requireNonNullElse(request.interventions(), List.<List<String>>of());
        Limits.check("interventions", wanted, Limits.INTERVENTIONS);
        if (wanted.isEmpty()) {
            throw Problem.badRequest("interventions: none (expected: at least one list of edits)");
        }
        var measure = measure(TraceRoutes.id(model.tokenizer(), request.target()),
                request.against() == null ? null : TraceRoutes.id(model.tokenizer(), request.against()));
        var interventions = wanted.stream().map(each -> TraceRoutes.edits(each, null)).toList();
        var sweep = Sweep.ofIds(Arrays.copyOf(ids, position + 1)).base(edits).interventions(interventions)
                .measure(measure).memory(model.device().traits().chunkBytes() / SHARE);
        Responses.json(context, inference.callLong(context, job -> {
            var effects = measure(inference.debugger(), sweep, measure, job);
            return new TotalEffects(position, interventions.stream().map(effects::get).toList());
        }));
    }

    private static Measure measure(int target, Integer against) {
        return against == null ? Measure.of(Measure.Quantity.LOGIT, target)
                : Measure.difference(Measure.Token.ofId(target), Measure.Token.ofId(against));
    }

    private static Map<Intervention, Float> measure(Debugger debugger, Sweep sweep, Measure measure, Job<?> job) {
        var effects = new HashMap<Intervention, Float>();
        debugger.sweep(sweep, chunk -> {
            job.throwIfCancelled();
            var values = chunk.values(measure);
            for (int i = 0; i < values.length; i++) {
                float effect = chunk.clean(measure) - values[i];
                effects.put(chunk.edits(i), Float.isFinite(effect) ? effect : null);
            }
            return true;
        });
        return effects;
    }
}
