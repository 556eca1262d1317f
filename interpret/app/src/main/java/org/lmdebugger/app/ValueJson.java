package org.lmdebugger.app;

import java.util.List;
import java.util.Map;
import org.lmdebugger.interpret.Debugger.TokenLogit;
import org.lmdebugger.interpret.Projections.Projection;
import org.lmdebugger.interpret.ValueVectors.Match;
import org.lmdebugger.tokenizer.Tokenizer;

/** Value vectors as {@code values … --json} prints them; the keys are part of the command's interface. */
final class ValueJson {
    private ValueJson() {
    }

    static Map<String, Object> of(Projection projection, Tokenizer tokenizer) {
        return TraceJson.object("layer", projection.vector().layer(), "neuron", projection.vector().neuron(),
                "top", tokens(projection.top(), tokenizer), "bottom", tokens(projection.bottom(), tokenizer));
    }

    /** Tokens as the vocabulary spells them, with a leading space as Ġ. */
    static List<Map<String, Object>> tokens(List<TokenLogit> tokens, Tokenizer tokenizer) {
        return tokens.stream().map(token -> TraceJson.object("id", token.id(), "token", tokenizer.raw(token.id()),
                "logit", token.logit())).toList();
    }

    static Map<String, Object> of(Match match) {
        return TraceJson.object("layer", match.vector().layer(), "neuron", match.vector().neuron(), "score", match.score());
    }
}
