package org.lmdebugger.app.server.routes;

import com.fasterxml.jackson.databind.JsonNode;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.lmdebugger.app.json.TraceJson;
import org.lmdebugger.app.json.TraceSamples;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;
import org.lmdebugger.tokenizer.Tokenizer;

/** The route of traces, clean and edited. */
public final class TraceRoutes {
    private final Inference inference;

    public TraceRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/trace", this::trace);
    }

    /**
     * @param positions a list of indices, "last" (default) or "all"
     * @param tokens    the followed tokens: texts that are one token each, or ids as {@code #12}
     * @param target    the token that effects are on, instead of the first followed one
     * @param against   the token whose logit is subtracted from the target's
     * @param neurons   how many neurons of each feed-forward layer an attribution lists
     * @param neuronsBy the number by whose size these are ranked: "direct" (default) or "coefficient"
     * @param clean     whether the clean run is traced too; so without it
     * @param samples   how many texts each edit {@code =resample:NAME} takes; null for the one of its seed
     */
    record TraceRequest(String prompt, List<String> edits, String mode, JsonNode positions, Integer top,
            List<String> tokens, Boolean total, String target, String against, Boolean attribution, Integer neurons,
            String neuronsBy, Boolean attention, Boolean clean, Integer samples) {
    }

    private void trace(Context context) {
        var request = Requests.read(context, TraceRequest.class);
        var text = Limits.prompt(request.prompt());
        var edits = edits(request.edits(), request.mode());
        int top = Objects.requireNonNullElse(request.top(), 10);
        Limits.check("top", top, 1, Limits.TOP);
        int neurons = Objects.requireNonNullElse(request.neurons(), AttributionOptions.DEFAULT.neurons());
        Limits.check("neurons", neurons, 0, Limits.TOP);
        var followed = Objects.requireNonNullElse(request.tokens(), List.<String>of());
        Limits.check("tokens", followed, Limits.FOLLOWED);
        var tokenizer = inference.debugger().model().tokenizer();
        var options = new TraceOptions(positions(request.positions()), top,
                Stream.concat(Stream.ofNullable(request.target()), followed.stream())
                        .map(token -> id(tokenizer, token)).distinct().toList(),
                Stream.ofNullable(request.against()).mapToInt(token -> id(tokenizer, token)).findFirst(),
                Boolean.TRUE.equals(request.total()), !Boolean.FALSE.equals(request.clean()));
        var scope = new TraceAttributions.Scope(Boolean.TRUE.equals(request.attribution()),
                Boolean.TRUE.equals(request.attention()), top, neurons,
                request.neuronsBy() == null ? AttributionOptions.DEFAULT.by() : NeuronOrder.parse(request.neuronsBy()));
        if (request.samples() != null) {
            Limits.check("samples", request.samples(), 2, Limits.INTERVENTIONS);
            if (!options.clean()) {
                throw Problem
                        .badRequest("clean: left out, with samples (expected: the clean run, which they begin at)");
            }
        }
        var ids = inference.debugger().model().encode(text);
        checkCells(ids.length, options, scope);
        var prompt = Prompt.ofIds(ids);
        Responses.json(context, inference.callLong(context, job -> {
            Progress progress = (done, total) -> job.throwIfCancelled();
            var trace = inference.debugger().trace(prompt, edits, options, progress);
            var attributions = TraceAttributions.of(inference.debugger(), trace, prompt, edits, scope, progress);
            var json = TraceJson.of(trace, attributions).with(text,
                    options.clean() ? ActivationRoutes.coefficients(inference.debugger(), prompt, edits.neurons())
                            : null);
            return request.samples() == null ? json
                    : json.with(TraceSamples.of(inference.debugger(), trace, prompt, edits, request.samples(),
                            progress));
        }));
    }

    static Intervention edits(List<String> texts, String mode) {
        var list = Objects.requireNonNullElse(texts, List.<String>of());
        Limits.check("edits", list, Limits.EDITS);
        var edits = Intervention.parse(Requests.mode(mode), list);
        edits.list().forEach(edit -> Limits.from(edit.operation()));
        return edits;
    }

    /** Returns a token's id: {@code #12}, or a text that is exactly one token. */
    static int id(Tokenizer tokenizer, String text) {
        if (text.matches("#\\d{1,9}")) {
            int id = Integer.parseInt(text.substring(1));
            tokenizer.raw(id); // throws for an id that is none
            return id;
        }
        return tokenizer.single(text);
    }

    private static TraceOptions.Where positions(JsonNode positions) {
        if (positions == null || positions.isNull() || positions.isTextual() && positions.textValue().equals("last")) {
            return TraceOptions.Where.at(-1);
        } else if (positions.isTextual() && positions.textValue().equals("all")) {
            return TraceOptions.Where.ALL;
        }
        var list = StreamSupport.stream(positions.spliterator(), false).toList();
        if (!positions.isArray() || !list.stream().allMatch(JsonNode::canConvertToInt)
                || !list.stream().allMatch(JsonNode::isInt)) {
            throw Problem.badRequest("positions: of another kind (expected: a list of indices, \"last\" or \"all\")");
        }
        return new TraceOptions.Where.Indices(list.stream().map(JsonNode::intValue).toList());
    }

    private void checkCells(int length, TraceOptions options, TraceAttributions.Scope scope) {
        var model = inference.debugger().model();
        long positions = switch (options.positions()) {
            case TraceOptions.Where.All _ -> length;
            case TraceOptions.Where.Indices(var indices) -> indices.size();
        };
        long cells = positions * model.config().layers() * options.top();
        int most = options.totalEffects() ? Limits.TOTAL_EFFECTS : Limits.CELLS;
        if (cells > most) {
            throw Problem.badRequest(
                    "positions: %,d × %d layers × top %d are %,d %s (expected: at most %,d; ask for fewer positions or a smaller top)"
                            .formatted(positions, model.config().layers(), options.top(), cells,
                                    options.totalEffects() ? "total effects" : "tokens", most));
        }
        if (!scope.isEmpty()) {
            checkAttributions(positions, length, scope.neurons());
        }
    }

    /** Checks the size of attributions: total effects of heads and feed-forward layers, sources of heads, neurons. */
    private void checkAttributions(long positions, int length, int neuronsOfLayer) {
        var config = inference.debugger().model().config();
        long effects = positions * config.layers() * (config.heads() + 1);
        long sources = positions * config.layers() * config.heads() * length;
        long neurons = positions * config.layers() * neuronsOfLayer;
        if (effects > Limits.TOTAL_EFFECTS || sources > Limits.CELLS || neurons > Limits.CELLS) {
            throw Problem.badRequest(
                    "positions: attributions of %,d are %,d total effects, %,d sources of heads and %,d neurons (expected: at most %,d, %,d and %,d; ask for fewer positions)"
                            .formatted(positions, effects, sources, neurons, Limits.TOTAL_EFFECTS, Limits.CELLS,
                                    Limits.CELLS));
        }
    }
}
