package org.lmdebugger.app.server.routes;

import com.fasterxml.jackson.databind.JsonNode;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.store.Experiment;
import org.lmdebugger.app.store.Experiments;

/** Routes of experiments: prompts, edits and their results, saved and loaded as versioned JSON. */
public final class ExperimentRoutes {
    private final Inference inference;
    private final Experiments experiments;

    /** @param folder of the experiments' files */
    public ExperimentRoutes(Inference inference, Path folder) {
        this.inference = inference;
        experiments = new Experiments(folder, Limits.BODY, ExperimentRoutes::check);
    }

    private static void check(Experiment experiment) {
        Limits.prompt(experiment.prompt());
        TraceRoutes.edits(experiment.edits(), experiment.mode());
    }

    public void add(JavalinDefaultRoutingApi routes) {
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
        Limits.prompt(request.prompt());
        var experiment = new Experiment(request.version(), AccessTokens.random(), name, Instant.now().toString(),
                Version.NUMBER, model.files().name(), model.fingerprint(), request.prompt(),
                Requests.mode(request.mode()).toString(), edits.texts(), request.view(), request.results()).checked();
        if (experiments.size() >= Experiments.MAX_COUNT) {
            throw new Problem(409, "Full",
                    "%d experiments are kept (expected: fewer); delete some first".formatted(experiments.size()));
        }
        try {
            experiments.save(experiment);
        } catch (IllegalArgumentException large) {
            throw new Problem(413, "Too large", large.getMessage());
        } catch (UncheckedIOException failure) {
            throw new Problem(507, "Not saved", failure.getMessage());
        }
        context.status(201).header("Location", "/api/v1/experiments/" + experiment.id());
        Responses.json(context, experiment);
    }

    private void load(Context context) {
        Responses.json(context, find(context.pathParam("id")).orElseThrow(ExperimentRoutes::none));
    }

    private Optional<Experiment> find(String id) {
        try {
            return experiments.load(id);
        } catch (IllegalArgumentException damaged) {
            throw new Problem(422, "Damaged", "experiment: its file is damaged: " + damaged.getMessage());
        }
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
