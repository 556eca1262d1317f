package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;

/** Routes of the model and of its tokenizer. */
public final class ModelRoutes {
    private final Inference inference;

    public ModelRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/model", this::model);
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
