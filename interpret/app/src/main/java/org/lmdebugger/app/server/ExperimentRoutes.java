package org.lmdebugger.app.server;

import com.fasterxml.jackson.databind.JsonNode;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import org.lmdebugger.app.Version;

/** Experiments: a prompt, edits, and what came of them, kept and loaded as versioned JSON. */
final class ExperimentRoutes {
    private final Inference inference;
    private final Experiments experiments;

    ExperimentRoutes(Inference inference, Experiments experiments) {
        this.inference = inference;
        this.experiments = experiments;
    }

    void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/experiments", context -> Responses.json(context, experiments.list()));
        routes.post("/api/v1/experiments", this::save);
        routes.get("/api/v1/experiments/{id}", this::load);
        routes.delete("/api/v1/experiments/{id}", this::delete);
    }

    record ExperimentRequest(int version, String name, String prompt, List<String> edits, String mode, JsonNode view,
            JsonNode results) {
    }

    private void save(Context context) {
        var request = Requests.read(context, ExperimentRequest.class);
        var name = Objects.requireNonNullElse(request.name(), "").strip();
        var edits = TraceRoutes.edits(request.edits(), request.mode());
        var model = inference.debugger().model();
        var experiment = new Experiment(request.version(), null, name, Instant.now().toString(), Version.NUMBER,
                model.files().name(), model.fingerprint(), request.prompt(), edits.mode().toString(), edits.texts(),
                request.view(), request.results()).checked();
        if (experiments.size() >= Experiments.MAX_COUNT) {
            throw new Problem(409, "Full",
                    "%d experiments are kept (expected: fewer); delete some first".formatted(experiments.size()));
        }
        var kept = experiments.save(experiment);
        context.status(201).header("Location", "/api/v1/experiments/" + kept.id());
        Responses.json(context, kept.json());
    }

    private void load(Context context) {
        var experiment = experiments.load(context.pathParam("id"));
        if (experiment == null) {
            throw none();
        }
        Responses.json(context, experiment.json());
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
