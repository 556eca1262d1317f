package org.lmdebugger.app.json;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.app.ranking.WordSearch.Found;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections.Projection;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.interpret.values.cluster.Clusters.Cluster;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.tokenizer.Tokenizer;

/** Value vectors as {@code values … --json} prints them and the server answers; the keys are part of their interfaces. */
public final class ValueJson {
    private static final int MEMBERS = 10; // of a cluster that are shown, and so on
    private static final int MEMBER_TOKENS = 20;

    private ValueJson() {
    }

    /** A vector and the tokens that it promotes and suppresses most, as the vocabulary spells them. */
    public record Vector(int layer, int neuron, List<SpelledToken> top, List<SpelledToken> bottom) {
        public static Vector of(Projection projection, Tokenizer tokenizer) {
            return new Vector(projection.vector().layer(), projection.vector().neuron(),
                    SpelledToken.of(projection.top(), tokenizer), SpelledToken.of(projection.bottom(), tokenizer));
        }
    }

    /** @param token as the vocabulary spells it, with a leading space as Ġ */
    public record SpelledToken(int id, String token, float logit) {
        private static List<SpelledToken> of(List<TokenLogit> tokens, Tokenizer tokenizer) {
            return tokens.stream().map(token -> new SpelledToken(token.id(), tokenizer.raw(token.id()), token.logit()))
                    .toList();
        }
    }

    /** @param raw the token as the vocabulary spells it, with a leading space as Ġ */
    public record Token(int id, String token, String raw, float logit) {
        public static List<Token> of(List<TokenLogit> tokens, Tokenizer tokenizer) {
            return tokens.stream()
                    .map(token -> new Token(token.id(), token.token(), tokenizer.raw(token.id()), token.logit()))
                    .toList();
        }
    }

    /** A vector that was found, and how well it matches. */
    public record Scored(int layer, int neuron, float score) {
        public static Scored of(Match match) {
            return new Scored(match.vector().layer(), match.vector().neuron(), match.score());
        }
    }

    /** @param name null if the vector has none */
    public record Named(int layer, int neuron, String name) {
        public static Named of(Neuron vector, String name) {
            return new Named(vector.layer(), vector.neuron(), name);
        }
    }

    /** All names of vectors. */
    public record AllNames(List<Named> names) {
        public static AllNames of(Map<Neuron, String> named) {
            return new AllNames(named.entrySet().stream().map(each -> Named.of(each.getKey(), each.getValue()))
                    .toList());
        }
    }

    /** The vectors that a search by words found. */
    public record Search(List<String> terms, List<SearchResult> results) {
        public static Search of(List<String> terms, List<Found> found, Map<Neuron, String> named) {
            return new Search(terms, found.stream().map(each -> new SearchResult(each.vector().layer(),
                    each.vector().neuron(), named.get(each.vector()), each.score(), each.tokens().stream()
                            .map(word -> new SearchToken(word.token(), word.raw(), word.matches())).toList()))
                    .toList());
        }
    }

    /** @param name null if the vector has none */
    public record SearchResult(int layer, int neuron, String name, float score, List<SearchToken> tokens) {
    }

    /** @param matches whether one of the words matches the token */
    public record SearchToken(String token, String raw, boolean matches) {
    }

    /**
     * A cluster, with those of its members that are nearest to its centre.
     *
     * @param clusters how many there are
     * @param size     the number of its members
     */
    public record VectorCluster(int label, int clusters, String method, int size, Named representative,
            List<Token> tokens, List<Member> members) {
        public static VectorCluster of(Clusters clusters, Cluster cluster, Debugger debugger,
                Map<Neuron, String> named) {
            var tokenizer = debugger.model().tokenizer();
            var members = cluster.members().stream().limit(MEMBERS).toList();
            var top = TopTokens.of(debugger, members, MEMBER_TOKENS);
            return new VectorCluster(cluster.label(), clusters.count(),
                    clusters.method().name().toLowerCase(Locale.ROOT), cluster.members().size(),
                    Named.of(cluster.representative(), named.get(cluster.representative())),
                    Token.of(cluster.tokens(), tokenizer), members.stream().map(member -> new Member(member.layer(),
                            member.neuron(), named.get(member), Token.of(top.get(member), tokenizer))).toList());
        }
    }

    /** @param top the tokens that the vector promotes most */
    public record Member(int layer, int neuron, String name, List<Token> top) {
    }
}
