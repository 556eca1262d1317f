package org.lmdebugger.app.json;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import org.lmdebugger.interpret.trace.Trace;

/**
 * A trace as {@code trace --json} prints it and the server answers; the keys are part of their interfaces.
 *
 * @param edited       null without edits
 * @param coefficients of the edited neurons; null where they are not asked for
 */
public record TraceJson(String model, String device, String precision, String mode, String prompt,
        List<Trace.Token> tokens, List<Integer> added, List<Position> positions,
        @JsonInclude(NON_NULL) Edited edited, @JsonInclude(NON_NULL) List<Coefficients> coefficients) {
    public static TraceJson of(Trace trace) {
        return new TraceJson(trace.model(), trace.device(), trace.precision(), trace.mode(), trace.prompt(),
                trace.tokens(), trace.added(), Position.of(trace.positions()),
                trace.edited() == null ? null : new Edited(Position.of(trace.edited())), null);
    }

    /** Returns the same with the text of the prompt, of which only ids were traced, and with coefficients. */
    public TraceJson with(String text, List<Coefficients> clean) {
        return new TraceJson(model, device, precision, mode, text, tokens, added, positions, edited, clean);
    }

    /** The positions under the edits. */
    public record Edited(List<Position> positions) {
    }

    /** One position. */
    public record Position(int position, Target target, List<Layer> layers) {
        private static List<Position> of(List<Trace.Position> positions) {
            return positions.stream().map(each -> new Position(each.position(),
                    new Target(each.target().id(), each.target().text()), Layer.of(each.layers()))).toList();
        }
    }

    /** The token that effects are on. */
    public record Target(int id, String token) {
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
