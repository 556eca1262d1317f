package org.lmdebugger.app.json;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.app.ranking.WordSearch.Found;
import org.lmdebugger.interpret.Clusters;
import org.lmdebugger.interpret.Clusters.Cluster;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.Neuron;
import org.lmdebugger.interpret.Projections.Projection;
import org.lmdebugger.interpret.ValueVectors.Match;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.tokenizer.Tokenizer;

/** Value vectors as {@code values … --json} prints them and the server answers; the keys are part of their interfaces. */
public final class ValueJson {
    private static final int MEMBERS = 10; // of a cluster that are shown, and so on
    private static final int MEMBER_TOKENS = 20;

    private ValueJson() {
    }

    public static Map<String, Object> of(Projection projection, Tokenizer tokenizer) {
        return Json.object("layer", projection.vector().layer(), "neuron", projection.vector().neuron(),
                "top", spelled(projection.top(), tokenizer), "bottom", spelled(projection.bottom(), tokenizer));
    }

    /** Tokens as the vocabulary spells them, with a leading space as Ġ. */
    private static List<Map<String, Object>> spelled(List<TokenLogit> tokens, Tokenizer tokenizer) {
        return tokens.stream().map(token -> Json.object("id", token.id(), "token", tokenizer.raw(token.id()),
                "logit", token.logit())).toList();
    }

    /** Tokens as text and as the vocabulary spells them. */
    public static List<Map<String, Object>> tokens(List<TokenLogit> tokens, Tokenizer tokenizer) {
        return tokens.stream().map(token -> Json.object("id", token.id(), "token", token.token(), "raw", tokenizer.raw(token.id()),
                "logit", token.logit())).toList();
    }

    public static Map<String, Object> of(Match match) {
        return Json.object("layer", match.vector().layer(), "neuron", match.vector().neuron(), "score", match.score());
    }

    /** A vector and its name; null if it has none. */
    public static Map<String, Object> name(Neuron vector, String name) {
        return Json.object("layer", vector.layer(), "neuron", vector.neuron(), "name", name);
    }

    public static Map<String, Object> names(Map<Neuron, String> named) {
        return Json.object("names", named.entrySet().stream().map(each -> name(each.getKey(), each.getValue())).toList());
    }

    /** What a search by words found. */
    public static Map<String, Object> of(List<String> terms, List<Found> found, Map<Neuron, String> named) {
        return Json.object("terms", terms, "results", found.stream().map(each -> {
            var json = name(each.vector(), named.get(each.vector()));
            json.put("score", each.score());
            json.put("tokens", each.tokens().stream().map(word ->
                    Json.object("token", word.token(), "raw", word.raw(), "matches", word.matches())).toList());
            return json;
        }).toList());
    }

    /** A cluster with those of its members that are nearest to its middle. */
    public static Map<String, Object> of(Clusters clusters, Cluster cluster, Debugger debugger, Map<Neuron, String> named) {
        var tokenizer = debugger.model().tokenizer();
        var members = cluster.members().stream().limit(MEMBERS).toList();
        var said = TopTokens.of(debugger, members, MEMBER_TOKENS);
        return Json.object("label", cluster.label(), "clusters", clusters.count(), "method", clusters.method().name().toLowerCase(Locale.ROOT),
                "size", cluster.members().size(), "representative", name(cluster.representative(), named.get(cluster.representative())),
                "tokens", tokens(cluster.tokens(), tokenizer), "members", members.stream().map(member -> {
                    var json = name(member, named.get(member));
                    json.put("top", tokens(said.get(member), tokenizer));
                    return json;
                }).toList());
    }
}
