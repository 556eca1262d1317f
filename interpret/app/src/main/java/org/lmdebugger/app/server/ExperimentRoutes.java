package org.lmdebugger.app.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.lmdebugger.app.Main;

/** Experiments: a prompt, edits, and what came of them, kept and loaded as versioned JSON. */
final class ExperimentRoutes {
    private static final int MOST = 1000;
    private static final int NAME = 200;

    private final Inference inference;
    private final Experiments experiments;

    ExperimentRoutes(Inference inference, Experiments experiments) {
        this.inference = inference;
        this.experiments = experiments;
    }

    void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/experiments", context -> Responses.json(context, Map.of("experiments", experiments.list())));
        routes.post("/api/v1/experiments", this::save);
        routes.get("/api/v1/experiments/{id}", this::load);
        routes.delete("/api/v1/experiments/{id}", this::delete);
    }

    /**
     * @param version {@value Experiments#VERSION}
     * @param view    what a page needs to show it again; any object
     * @param results any object
     */
    record Experiment(int version, String name, String prompt, List<String> edits, String mode, JsonNode view, JsonNode results) {
    }

    private void save(Context context) {
        var request = Requests.read(context, Experiment.class);
        if (request.version() != Experiments.VERSION) {
            throw Problem.badRequest("version: %d (expected: %d)".formatted(request.version(), Experiments.VERSION));
        }
        var prompt = Limits.prompt(request.prompt());
        var name = Objects.requireNonNullElse(request.name(), "").strip();
        if (name.isEmpty() || name.length() > NAME) {
            throw Problem.badRequest("name: %d characters (expected: 1 to %d)".formatted(name.length(), NAME));
        }
        if (experiments.size() >= MOST) {
            throw new Problem(409, "Full", "%d experiments are kept (expected: fewer); delete some first".formatted(experiments.size()));
        }
        var edits = TraceRoutes.edits(request.edits(), request.mode());
        var model = inference.debugger().model();
        var json = JsonNodeFactory.instance.objectNode().put("version", Experiments.VERSION).put("name", name)
                .put("saved", Instant.now().toString()).put("lmdebug", Main.VERSION).put("model", model.files().name())
                .put("fingerprint", model.fingerprint()).put("prompt", prompt).put("mode", edits.mode().toString());
        edits.texts().forEach(json.putArray("edits")::add);
        json.set("view", request.view());
        json.set("results", request.results());
        var id = experiments.save(json);
        context.status(201).header("Location", "/api/v1/experiments/" + id);
        Responses.json(context, json);
    }

    private void load(Context context) {
        var experiment = experiments.load(context.pathParam("id"));
        if (experiment == null) {
            throw none();
        }
        Responses.json(context, experiment);
    }

    private void delete(Context context) {
        if (!experiments.delete(context.pathParam("id"))) {
            throw none();
        }
        context.status(204);
    }

    private static Problem none() {
        return Problem.notFound("experiment: there is none of that id (see GET /api/v1/experiments)");
    }
}
