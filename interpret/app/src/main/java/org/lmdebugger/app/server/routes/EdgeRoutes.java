package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import org.lmdebugger.app.json.EdgeJson;
import org.lmdebugger.app.json.PatchingJson;
import org.lmdebugger.app.server.work.EventAnswer;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.EdgeEngine;
import org.lmdebugger.interpret.edge.EdgePlan;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Prompt;

/** The route of path patching: events {@code progress}, then {@code end} with the edges, or {@code problem}. */
public final class EdgeRoutes {
    private final Inference inference;

    public EdgeRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/edges", this::edges);
    }

    /**
     * @param answers the right tokens after the clean prompt; null or empty for the likeliest one
     * @param wrong   those that they are compared with; null or empty for the likeliest one after the corrupted prompt
     * @param edges   text forms, with {@code *} for all; null for all edges of the model
     * @param measure a text form; null for the logit difference
     */
    record EdgeRequest(String clean, String corrupted, List<String> answers, List<String> wrong, List<String> edges,
            String direction, String measure) {
        Optional<Measure> measured() {
            return Optional.ofNullable(measure).map(Measure::parse);
        }

        Pair pair(Debugger debugger) {
            return Pair.completed(debugger.model(), Prompt.of(clean), Prompt.of(corrupted),
                    PatchRoutes.tokens("answers", answers), PatchRoutes.tokens("wrong", wrong));
        }

        Direction way() {
            return PatchingJson.choice("direction", direction, List.of(Direction.NOISE, Direction.DENOISE));
        }

        List<Edge> selected(Gpt2Config config) {
            var texts = Objects.requireNonNullElse(edges, List.of("*>*"));
            Limits.check("edges", texts, Limits.EDITS);
            Limits.check("edges", texts.size(), 1, Limits.EDITS);
            var all = new TreeSet<Edge>();
            texts.forEach(text -> all.addAll(Edge.select(config, text)));
            Limits.check("edges", all.size(), 1, Limits.PATCHED);
            return List.copyOf(all);
        }
    }

    /** @param done edges that are computed, of {@code edges} */
    record Progress(long done, long edges) {
    }

    record Patched(Pair pair, EdgeEffects effects) {
    }

    private void edges(Context context) {
        var request = Requests.read(context, EdgeRequest.class);
        Limits.prompt("clean", request.clean());
        Limits.prompt("corrupted", request.corrupted());
        var debugger = inference.debugger();
        var way = request.way();
        var measured = request.measured();
        var edges = request.selected(debugger.model().config());
        EventAnswer.<Patched>send(context, inference.queue()::background, (job, events) -> {
            job.throwIfCancelled();
            var pair = request.pair(debugger);
            var plan = EdgePlan.of(debugger.model(), pair, way, edges, SweepRoutes.memory(debugger), measured);
            events.accept("progress", new Progress(0, edges.size()));
            var parts = new ArrayList<EdgeEffects>();
            long done = 0;
            try (var engine = new EdgeEngine(debugger.model(), plan)) {
                for (int chunk = 0; chunk < plan.chunks().size(); chunk++) {
                    parts.add(engine.compute(chunk));
                    done += plan.chunks().get(chunk).count();
                    events.accept("progress", new Progress(done, edges.size()));
                    inference.queue().yield();
                    job.throwIfCancelled();
                }
            }
            return new Patched(pair, EdgeEffects.join(parts));
        }, patched -> EdgeJson.of(debugger, patched.pair(), patched.effects(), measured));
    }
}
