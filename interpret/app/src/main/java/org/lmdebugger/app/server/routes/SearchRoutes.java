package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.List;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.app.ranking.WordSearch;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.values.ValueVectors;

/** Routes of searches for value vectors: by words, as LM-Debugger's exploration view, and exactly by tokens. */
public final class SearchRoutes {
    private final Inference inference;
    private final ValueStore store;

    public SearchRoutes(Inference inference, ValueStore store) {
        this.inference = inference;
        this.store = store;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/search", this::words);
        routes.get("/api/v1/search/tokens", this::tokens);
    }

    private void words(Context context) {
        var words = Limits.words(context.queryParam("words"));
        var terms = WordSearch.keywords(words);
        int top = Requests.number(context, "top", 20, Limits.TOP);
        boolean weigh = Requests.flag(context, "weigh");
        store.withWords(context, search -> Responses.json(context,
                ValueJson.Search.of(terms, search.search(words, top, weigh), store.shownNames())));
    }

    record Token(int id, String token) {
    }

    /** @param suppress whether the results suppress the tokens, and do not promote them */
    record TokenSearch(List<Token> tokens, boolean suppress, List<ValueRoutes.NamedMatch> results) {
    }

    private void tokens(Context context) {
        var texts = context.queryParams("token");
        Limits.check("token", texts, Limits.FOLLOWED);
        var tokenizer = inference.debugger().model().tokenizer();
        var ids = texts.stream().mapToInt(text -> TraceRoutes.id(tokenizer, text)).toArray();
        boolean suppress = Requests.flag(context, "suppress");
        var vectors = new ValueVectors(inference.debugger().model());
        int top = Math.min(Requests.number(context, "top", 20, Limits.TOP), vectors.count());
        var named = store.shownNames();
        Responses.json(context, inference.call(context, debugger -> {
            var found = suppress ? vectors.suppress(ids, top) : vectors.promote(ids, top);
            var tokens = Arrays.stream(ids).mapToObj(id -> new Token(id, tokenizer.text(id))).toList();
            return new TokenSearch(tokens, suppress, ValueRoutes.matches(debugger, found, named));
        }));
    }
}
