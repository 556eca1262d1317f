package org.lmdebugger.app.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.model.TokenLogit;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A printer of value vectors: as a table, each with the tokens that it promotes most, or as JSON. */
final class MatchPrinter {
    private static final int WIDTH = 80;

    @Option(names = "--top", paramLabel = "N", defaultValue = "10",
            description = "How many (default: ${DEFAULT-VALUE}).")
    private int top;

    @Mixin
    private JsonOption json;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    int top() {
        return top;
    }

    /**
     * Prints vectors that were found.
     *
     * @param what  the name of their scores
     * @param named names of vectors
     */
    void print(List<Match> matches, String what, Debugger debugger, Map<Neuron, String> named) {
        var out = spec.commandLine().getOut();
        if (json.isGiven()) {
            out.println(Json.print(matches.stream().map(ValueJson.Scored::of).toList()));
            return;
        }
        out.println("%s %s  promotes".formatted(Text.fit("vector", 10), Text.fit(what, 10)));
        var said = TopTokens.of(debugger, matches.stream().map(Match::vector).toList(), TopTokens.DEFAULT_COUNT);
        for (var match : matches) {
            out.println(Text.fit("%s %+10.4f  %s".formatted(Text.fit(match.vector().toString(), 10), match.score(),
                    Text.named(named.get(match.vector()), tokens(said.get(match.vector())))), WIDTH).stripTrailing());
        }
        out.flush();
    }

    private static String tokens(List<TokenLogit> tokens) {
        return tokens.stream().map(token -> Text.visible(token.token())).collect(Collectors.joining(" "));
    }
}
