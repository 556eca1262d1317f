package org.lmdebugger.app.json;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_EMPTY;
import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.Trace;

/**
 * A trace as {@code trace --json} prints it and the server answers; the keys are part of their interfaces.
 *
 * @param positions    empty if the edited run alone was traced
 * @param edited       null without edits
 * @param coefficients of the edited neurons; null where they are not asked for
 * @param samples      null where they are not asked for
 */
public record TraceJson(String model, String device, String precision, String mode, String prompt,
        List<Trace.Token> tokens, List<Integer> added, @JsonInclude(NON_EMPTY) List<Position> positions,
        @JsonInclude(NON_NULL) Edited edited, @JsonInclude(NON_NULL) List<Coefficients> coefficients,
        @JsonInclude(NON_NULL) TraceSamples samples) {
    /** @param attributions that are shown in its positions */
    public static TraceJson of(Trace trace, TraceAttributions attributions) {
        var scope = attributions.scope();
        return new TraceJson(trace.model(), trace.device(), trace.precision(), trace.mode(), trace.prompt(),
                trace.tokens(), trace.added(),
                Position.of(trace.positions(), attributions.clean(), scope, trace.tokens()),
                trace.edited().map(edited -> new Edited(
                        Position.of(edited, attributions.edited(), scope, trace.tokens()))).orElse(null),
                null, null);
    }

    /** Returns the same with the text of the prompt, of which only ids were traced, and with coefficients. */
    public TraceJson with(String text, List<Coefficients> clean) {
        return new TraceJson(model, device, precision, mode, text, tokens, added, positions, edited, clean, samples);
    }

    /** Returns the same with the means over samples. */
    public TraceJson with(TraceSamples means) {
        return new TraceJson(model, device, precision, mode, prompt, tokens, added, positions, edited, coefficients,
                means);
    }

    /** The positions under the edits. */
    public record Edited(List<Position> positions) {
    }

    /**
     * One position.
     *
     * @param against     null where no logit is subtracted
     * @param attribution null where it is not asked for
     * @param attention   of each head; null where it is not asked for
     */
    public record Position(int position, Target target, @JsonInclude(NON_NULL) Target against,
            @JsonInclude(NON_NULL) AttributionJson attribution,
            @JsonInclude(NON_NULL) List<AttributionJson.Head> attention, List<Layer> layers) {
        private static List<Position> of(List<Trace.Position> positions, List<Attribution> attributions,
                TraceAttributions.Scope scope, List<Trace.Token> tokens) {
            return IntStream.range(0, positions.size()).mapToObj(i -> {
                var each = positions.get(i);
                return new Position(each.position(), Target.of(each.target()),
                        each.against().map(Target::of).orElse(null),
                        scope.attribution() ? AttributionJson.of(attributions.get(i)) : null,
                        scope.attention() ? AttributionJson.Head.of(attributions.get(i), tokens, scope.top()) : null,
                        Layer.of(each.layers()));
            }).toList();
        }
    }

    /** A token that effects are on. */
    public record Target(int id, String token) {
        private static Target of(Trace.Token token) {
            return new Target(token.id(), token.text());
        }
    }

    /** One layer at one position. */
    public record Layer(int layer, List<Trace.Prediction> before, List<Trace.Prediction> after,
            List<SubUpdate> dominant, List<Trace.Chosen> chosen) {
        private static List<Layer> of(List<Trace.Layer> layers) {
            return layers.stream().map(each -> new Layer(each.layer(), each.before(), each.after(),
                    SubUpdate.of(each.dominant()), each.chosen())).toList();
        }
    }

    /** A sub-update of the layer. @param total null where it is not measured */
    public record SubUpdate(int neuron, float coefficient, float score, float direct,
            @JsonInclude(NON_NULL) Float total) {
        private static List<SubUpdate> of(List<Trace.SubUpdate> updates) {
            return updates.stream().map(each -> new SubUpdate(each.neuron(), each.coefficient(), each.score(),
                    each.direct(), each.total().isPresent() ? (float) each.total().getAsDouble() : null)).toList();
        }
    }

    /** A neuron's coefficients without edits. @param clean one for each position of the prompt */
    public record Coefficients(int layer, int neuron, float[] clean) {
    }
}
