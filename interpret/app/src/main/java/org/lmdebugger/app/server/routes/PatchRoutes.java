package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.lmdebugger.app.json.PatchJson;
import org.lmdebugger.app.json.PatchingJson;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.work.EventAnswer;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;

/** The route of activation patching: events {@code progress}, then {@code end} with the grids, or {@code problem}. */
public final class PatchRoutes {
    private final Inference inference;

    public PatchRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/patch", this::patch);
    }

    /**
     * @param answers   the right tokens after the clean prompt; null or empty for the likeliest one
     * @param wrong     those that they are compared with; null or empty for the likeliest one after the corrupted prompt
     * @param sites     of a grid each
     * @param at        each position by itself, or all at once
     * @param positions the only positions that are patched, each by itself, by name
     * @param edits     that hold in every run
     */
    record PatchRequest(String clean, String corrupted, List<String> answers, List<String> wrong, List<String> sites,
            String direction, String at, Map<String, Integer> positions, List<String> edits, String mode) {
        List<Patching> patchings() {
            var chosen = Objects.requireNonNullElse(sites, List.of("pre", "attention", "ffn", "heads"));
            Limits.check("sites", chosen, Limits.FOLLOWED);
            var way = PatchingJson.choice("direction", direction, List.of(Direction.DENOISE, Direction.NOISE));
            var columns = positions != null ? Columns.ROLES
                    : PatchingJson.choice("at", at, List.of("each", "all")).equals("all") ? Columns.ALL
                            : Columns.POSITIONS;
            if (positions != null && at != null) {
                throw Problem.badRequest("positions: beside at (expected: one of them)");
            }
            return new PatchingJson(chosen, way, columns, TraceRoutes.edits(edits, mode).texts()).read();
        }

        Pair pair(Debugger debugger) {
            var pair = Pair.completed(debugger.model(), Prompt.of(clean), Prompt.of(corrupted),
                    tokens("answers", answers), tokens("wrong", wrong));
            return positions == null ? pair : pair.roles(positions);
        }
    }

    /** Returns tokens that are given by their texts or ids; none if nothing is. */
    static List<Measure.Token.Fixed> tokens(String name, List<String> given) {
        var texts = Objects.requireNonNullElse(given, List.<String>of());
        Limits.check(name, texts, Limits.FOLLOWED);
        return texts.stream().map(Measure.Token::ofTextOrId).toList();
    }

    /** @param done cells that are computed, of {@code cells} */
    record Progress(long done, long cells) {
    }

    record Patched(Pair pair, List<Grid> grids) {
    }

    private void patch(Context context) {
        var request = Requests.read(context, PatchRequest.class);
        Limits.prompt("clean", request.clean());
        Limits.prompt("corrupted", request.corrupted());
        if (request.positions() != null) {
            Limits.check("positions", request.positions().values(), Limits.EDITS);
        }
        var patchings = request.patchings();
        var debugger = inference.debugger();
        EventAnswer.<Patched>send(context, inference.queue()::background, (job, events) -> {
            job.throwIfCancelled();
            var pair = request.pair(debugger);
            var plan = debugger.plan(pair, patchings, SweepRoutes.memory(debugger));
            if (plan.cells() > Limits.PATCHED) {
                throw Problem.badRequest("sites: %,d cells (expected: at most %,d; choose fewer, or use lmdebug patch)"
                        .formatted(plan.cells(), Limits.PATCHED));
            }
            events.accept("progress", new Progress(0, plan.cells()));
            return new Patched(pair, plan.grids((done, cells) -> {
                events.accept("progress", new Progress(done, cells));
                inference.queue().yield();
                job.throwIfCancelled();
            }));
        }, patched -> PatchJson.of(debugger, patched.pair(), patched.grids()));
    }
}
