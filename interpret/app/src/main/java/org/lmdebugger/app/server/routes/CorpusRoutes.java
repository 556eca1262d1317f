package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.lmdebugger.app.json.CorpusJson;
import org.lmdebugger.app.ranking.ExampleSearch;
import org.lmdebugger.app.ranking.WordSearch;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.LazyBuild;
import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** Routes of corpora, of the examples of a neuron, and of a search in examples. */
public final class CorpusRoutes {
    private static final int EXAMPLES = 20;

    private final Gpt2 model;
    private final ValueVectors vectors;
    private final ValueStore values;
    private final CorpusStore store;
    private final LazyBuild<CorpusStatistics, CorpusStatistics> bundled;
    private final Map<String, ExampleSearch> searches = new ConcurrentHashMap<>(); // by the corpus' hash

    /** @param cache the folder of cached results */
    public CorpusRoutes(Inference inference, ValueStore values, Path cache) {
        model = inference.debugger().model();
        vectors = new ValueVectors(model);
        this.values = values;
        store = new CorpusStore(model, () -> cache, () -> Progress.NONE);
        bundled = new LazyBuild<>("corpus", 1, inference.queue(), store::bundled, built -> built);
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/corpora", context -> Responses.json(context,
                CorpusJson.Corpora.of(store.corpora().list())));
        routes.get("/api/v1/corpora/{name}", context -> with(context, context.pathParam("name"),
                corpus -> Responses.json(context, CorpusJson.Corpus.of(corpus, model.config()))));
        routes.get("/api/v1/values/{vector}/examples", this::examples);
        routes.get("/api/v1/search/examples", this::search);
    }

    /** Answers with a corpus; while the one that comes along is being built, with the progress. */
    private void with(Context context, String name, Consumer<CorpusStatistics> answer) {
        if (store.mustBeBuilt(name)) {
            bundled.get().ifPresentOrElse(answer, () -> {
                context.status(202);
                Responses.json(context, bundled.progress());
            });
        } else {
            answer.accept(found(name));
        }
    }

    private CorpusStatistics found(String name) {
        if (store.corpora().list().stream().noneMatch(each -> each.name().equals(name))) {
            throw Problem.notFound("corpus: none of this name (expected: one that lmdebug corpus build has made)");
        }
        return store.corpora().find(name);
    }

    private static String name(Context context) {
        return Objects.requireNonNullElse(context.queryParam("corpus"), CorpusStore.BUNDLED);
    }

    private void examples(Context context) {
        var vector = Neuron.parse(context.pathParam("vector"));
        vectors.index(vector); // throws for one that is none
        int top = Requests.number(context, "top", EXAMPLES, EXAMPLES);
        with(context, name(context), corpus -> Responses.json(context,
                CorpusJson.Examples.of(corpus, vector, top, model.tokenizer())));
    }

    private void search(Context context) {
        var words = Limits.words(context.queryParam("words"));
        int top = Requests.number(context, "top", 20, Limits.TOP);
        var terms = WordSearch.keywords(words);
        with(context, name(context), corpus -> {
            var search = searches.computeIfAbsent(corpus.corpus().hash(),
                    hash -> new ExampleSearch(corpus, vectors, model.tokenizer()));
            Responses.json(context, CorpusJson.Search.of(terms, corpus, search.search(words, top), values.shownNames(),
                    model.tokenizer()));
        });
    }
}
