package org.lmdebugger.app.server.routes;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.ModelChoice;
import org.lmdebugger.text.Shown;

/** Routes of the model and of its tokenizer. */
public final class ModelRoutes {
    private final Inference inference;
    private final ModelChoice choice;

    public ModelRoutes(Inference inference, ModelChoice choice) {
        this.inference = inference;
        this.choice = choice;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/model", this::model);
        routes.get("/api/v1/models", context -> Responses.json(context, models()));
        routes.post("/api/v1/models", this::load);
        routes.post("/api/v1/tokenize", this::tokenize);
    }

    record Model(String version, String model, String fingerprint, String device, String hardware, String precision,
            int layers, int neurons, int width, int heads, int positions, int vocabulary, Limits.Answer limits) {
    }

    private void model(Context context) {
        var model = inference.debugger().model();
        var config = model.config();
        Responses.json(context, new Model(Version.NUMBER, model.files().name(), model.fingerprint(),
                model.device().name(), model.device().description(),
                model.device().precision().toString().toLowerCase(Locale.ROOT), config.layers(),
                config.feedForwardWidth(), config.width(), config.heads(), config.positions(),
                config.vocabularySize(), new Limits.Answer()));
    }

    /** @param failure why the model that was chosen last could not be loaded; null if it could */
    record Models(String loaded, List<FoundModel> models, @JsonInclude(NON_NULL) String failure) {
    }

    /** @param bytes of its files */
    record FoundModel(String name, long bytes) {
    }

    private String loaded() {
        return inference.debugger().model().files().name();
    }

    private Models models() {
        return new Models(loaded(),
                choice.list().stream().map(each -> new FoundModel(each.name(), each.byteSize())).toList(),
                choice.failure().orElse(null));
    }

    record Choice(String model) {
    }

    /** Has another model loaded, unless there is work: what was begun for one model ends with it. */
    private void load(Context context) {
        var name = Requests.read(context, Choice.class).model();
        var found = choice.list().stream().filter(each -> each.name().equals(name)).findFirst()
                .orElseThrow(() -> Problem.badRequest("model: %s (expected: one that GET /api/v1/models lists)"
                        .formatted(name == null ? "missing" : Shown.of(name))));
        var queue = inference.queue();
        if (!queue.running().isEmpty() || !queue.waiting().isEmpty()) {
            throw new Problem(409, "At work",
                    "model: %s is at work (expected: none; wait for its end, or cancel it)".formatted(loaded()));
        }
        if (!found.name().equals(loaded())) {
            choice.load(found);
        }
        context.status(202);
        Responses.json(context, models());
    }

    record Text(String text) {
    }

    /** @param raw as the vocabulary spells it */
    record Token(int id, String text, String raw) {
    }

    /** @param added positions of the tokens that the tokenizer adds by itself */
    record Tokens(List<Token> tokens, List<Integer> added) {
    }

    private void tokenize(Context context) {
        var text = Limits.prompt(Requests.read(context, Text.class).text());
        var tokenizer = inference.debugger().model().tokenizer();
        var ids = tokenizer.encode(text);
        var tokens = Arrays.stream(ids).mapToObj(id -> new Token(id, tokenizer.text(id), tokenizer.raw(id))).toList();
        Responses.json(context, new Tokens(tokens, tokenizer.added(ids.length)));
    }
}
