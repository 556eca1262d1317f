package org.lmdebugger.app.json;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_EMPTY;
import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.OptionalDouble;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.TokenLogit;

/**
 * The attribution in a position of a trace.
 *
 * @param token   the target
 * @param against null where no logit is subtracted
 */
public record AttributionJson(String token, @JsonInclude(NON_NULL) String against, float logit, float sum,
        float remainder, List<Part> parts) {
    static AttributionJson of(Attribution attribution) {
        return new AttributionJson(attribution.target().text(),
                attribution.against().map(Trace.Token::text).orElse(null),
                (float) attribution.logit(), (float) attribution.sum(), (float) attribution.remainder(),
                attribution.contributions().stream().map(Part::of).toList());
    }

    /**
     * The effects of one part.
     *
     * @param total        null where it is not measured
     * @param otherNeurons null where no neurons are listed
     */
    public record Part(String part, float direct, float renormalised, @JsonInclude(NON_NULL) Float total,
            @JsonInclude(NON_EMPTY) List<PartSource> sources, @JsonInclude(NON_EMPTY) List<PartNeuron> neurons,
            @JsonInclude(NON_NULL) Float otherNeurons) {
        private static Part of(Attribution.Contribution part) {
            return new Part(part.component().toString(), (float) part.direct(), (float) part.renormalised(),
                    orNull(part.total()), part.sources().stream()
                            .map(source -> new PartSource(source.position(), (float) source.direct())).toList(),
                    part.neurons().stream().map(PartNeuron::of).toList(),
                    part.neurons().isEmpty() ? null : (float) part.otherNeurons());
        }
    }

    /** The share of a head's direct effect that comes from a position. */
    public record PartSource(int position, float direct) {
    }

    /** The share of a feed-forward layer's direct effect that is a neuron's. */
    public record PartNeuron(String neuron, float coefficient, float direct) {
        private static PartNeuron of(Attribution.NeuronEffect effect) {
            return new PartNeuron(effect.neuron().toString(), (float) effect.coefficient(), (float) effect.direct());
        }
    }

    /** The attention of one head. @param total null where it is not measured */
    public record Head(int layer, int head, List<HeadSource> sources, List<TokenLogit> promotes, float direct,
            @JsonInclude(NON_NULL) Float total) {
        /** @param tokens of the prompt */
        static List<Head> of(Attribution attribution, List<Trace.Token> tokens, int top) {
            return attribution.heads().stream().map(head -> new Head(head.component().layer(), head.component().head(),
                    TraceAttributions.strongest(head, top).stream()
                            .map(source -> new HeadSource(source.position(), tokens.get(source.position()).text(),
                                    (float) source.weight(), (float) source.norm()))
                            .toList(),
                    head.promoted(), (float) head.direct(), orNull(head.total()))).toList();
        }
    }

    /** A position that a head attends to. */
    public record HeadSource(int position, String token, float weight, float norm) {
    }

    private static Float orNull(OptionalDouble total) {
        return total.isPresent() ? (float) total.getAsDouble() : null;
    }
}
