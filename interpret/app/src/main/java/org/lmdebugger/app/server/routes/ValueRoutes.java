package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.model.TokenLogit;

/** Routes of value vectors: their projections, similar vectors, clusters and names. */
public final class ValueRoutes {
    private static final int CLUSTER_TOKENS = 30;

    private final Inference inference;
    private final ValueStore store;
    private final ValueVectors vectors;

    public ValueRoutes(Inference inference, ValueStore store) {
        this.inference = inference;
        this.store = store;
        vectors = new ValueVectors(inference.debugger().model());
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.get("/api/v1/values/{vector}", this::show);
        routes.get("/api/v1/values/{vector}/similar", this::similar);
        routes.get("/api/v1/values/{vector}/cluster", this::clusterOf);
        routes.get("/api/v1/clusters/{label}", this::cluster);
        routes.get("/api/v1/names", context -> Responses.json(context, ValueJson.AllNames.of(store.names().all())));
        routes.put("/api/v1/names/{vector}", this::name);
        routes.delete("/api/v1/names/{vector}", context -> {
            store.names().remove(vector(context));
            context.status(204);
        });
    }

    private Neuron vector(Context context) {
        var vector = Neuron.parse(context.pathParam("vector"));
        vectors.index(vector); // throws for one that is none
        return vector;
    }

    /** @param name null if the vector has none */
    record Vector(int layer, int neuron, String name, String reading, float norm, List<ValueJson.Token> top,
            List<ValueJson.Token> bottom) {
    }

    private void show(Context context) {
        var vector = vector(context);
        int top = Requests.number(context, "top", 50, Limits.TOP);
        var reading = switch (Objects.requireNonNullElse(context.queryParam("reading"), "raw")) {
            case "raw" -> Reading.RAW;
            case "final-norm" -> Reading.FINAL_NORM;
            default -> throw Problem.badRequest("reading: of another kind (expected: raw or final-norm)");
        };
        var name = store.shownNames().get(vector);
        Responses.json(context, inference.call(context, debugger -> {
            var model = debugger.model();
            var projection = vectors.project(vector, Math.min(top, model.config().vocabularySize()), reading);
            float norm = model.layer(vector.layer()).valueNorms().columns(vector.neuron(), 1).toFloats()[0];
            return new Vector(vector.layer(), vector.neuron(), name, reading == Reading.RAW ? "raw" : "final-norm",
                    norm, ValueJson.Token.of(projection.top(), model.tokenizer()),
                    ValueJson.Token.of(projection.bottom(), model.tokenizer()));
        }));
    }

    record Similar(int layer, int neuron, List<NamedMatch> similar) {
    }

    private void similar(Context context) {
        var vector = vector(context);
        int top = Math.min(Requests.number(context, "top", 10, Limits.TOP), vectors.count() - 1);
        var named = store.shownNames();
        Responses.json(context, inference.call(context, debugger -> new Similar(vector.layer(), vector.neuron(),
                matches(debugger, vectors.similar(vector, top), named))));
    }

    /**
     * A vector that was found.
     *
     * @param name   null if it has none
     * @param tokens some that it promotes
     */
    record NamedMatch(int layer, int neuron, String name, float score, List<String> tokens) {
    }

    /** Returns vectors that were found, with their names and the tokens that they promote most. */
    static List<NamedMatch> matches(Debugger debugger, List<Match> found, Map<Neuron, String> named) {
        var tokens = TopTokens.of(debugger, found.stream().map(Match::vector).toList(), TopTokens.DEFAULT_COUNT);
        return found.stream().map(match -> new NamedMatch(match.vector().layer(), match.vector().neuron(),
                named.get(match.vector()), match.score(),
                tokens.get(match.vector()).stream().map(TokenLogit::token).toList())).toList();
    }

    private void clusterOf(Context context) {
        var vector = vector(context);
        store.withClusters(context, clusters -> cluster(context, clusters, clusters.label(vector)));
    }

    private void cluster(Context context) {
        var label = context.pathParam("label");
        if (!label.matches("\\d{1,9}")) {
            throw Problem.badRequest("cluster: not a number (expected: one from 0 on)");
        }
        store.withClusters(context, clusters -> cluster(context, clusters, Integer.parseInt(label)));
    }

    private void cluster(Context context, Clusters clusters, int label) {
        if (label >= clusters.count()) {
            throw Problem.notFound("cluster: %d (expected: 0 to %d)".formatted(label, clusters.count() - 1));
        }
        var named = store.shownNames();
        Responses.json(context, inference.call(context, debugger -> {
            int tokens = Math.min(CLUSTER_TOKENS, debugger.model().config().vocabularySize());
            return ValueJson.VectorCluster.of(clusters, clusters.cluster(label, tokens), debugger, named);
        }));
    }

    record Name(String name) {
    }

    private void name(Context context) {
        var vector = vector(context);
        var name = Requests.read(context, Name.class).name();
        try {
            Responses.json(context, ValueJson.Named.of(vector, store.names().put(vector, name)));
        } catch (UncheckedIOException failure) {
            throw new Problem(507, "Not saved", failure.getMessage());
        }
    }
}
