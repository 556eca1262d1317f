package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.Locale;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;

/** What the model is, and how it reads text. */
public final class ModelRoutes {
    private final Inference inference;

    public ModelRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/model", this::model);
        routes.post("/api/v1/tokenize", this::tokenize);
    }

    private void model(Context context) {
        var model = inference.debugger().model();
        var config = model.config();
        Responses.json(context, Json.object("version", Version.NUMBER, "model", model.files().name(),
                "fingerprint", model.fingerprint(), "device", model.device().name(), "hardware",
                model.device().description(),
                "precision", model.device().precision().toString().toLowerCase(Locale.ROOT), "layers", config.layers(),
                "neurons", config.feedForwardWidth(), "width", config.width(), "heads", config.heads(),
                "positions", config.positions(), "vocabulary", config.vocabularySize(), "limits", Limits.json()));
    }

    record Text(String text) {
    }

    private void tokenize(Context context) {
        var text = Limits.prompt(Requests.read(context, Text.class).text());
        var tokenizer = inference.debugger().model().tokenizer();
        var ids = tokenizer.encode(text);
        var tokens = Arrays.stream(ids).mapToObj(id -> Json.object("id", id, "text", tokenizer.text(id),
                "raw", tokenizer.raw(id))).toList();
        Responses.json(context, Json.object("tokens", tokens, "added", tokenizer.added(ids.length)));
    }
}
