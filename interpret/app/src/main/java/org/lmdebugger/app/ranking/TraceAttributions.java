package org.lmdebugger.app.ranking;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Measure.Token;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/**
 * The attributions that are shown beside a trace, on the target of each of its positions.
 *
 * @param scope  the choice of what is shown of them
 * @param clean  by position of the trace; none if nothing is shown, or the edited run alone
 * @param edited the same under the edits; none without edits
 */
public record TraceAttributions(Scope scope, List<Attribution> clean, List<Attribution> edited) {
    /**
     * The choice of what is shown.
     *
     * @param attribution whether the direct effects of all parts are
     * @param attention   whether the heads' attention is
     * @param top         how many sources and promoted tokens of each head are
     * @param neurons     how many neurons of each feed-forward layer are
     * @param by          the number by whose size those are ranked
     */
    public record Scope(boolean attribution, boolean attention, int top, int neurons, NeuronOrder by) {
        /** Returns whether nothing is shown. */
        public boolean isEmpty() {
            return !attribution && !attention;
        }
    }

    /**
     * Computes the attributions of a trace of {@code prompt} under {@code edits}.
     *
     * @param progress of the total effects of each position
     */
    public static TraceAttributions of(Debugger debugger, Trace trace, Prompt prompt, Intervention edits, Scope scope,
            Progress progress) {
        if (scope.isEmpty()) {
            return new TraceAttributions(scope, List.of(), List.of());
        }
        int promoted = scope.attention() ? scope.top() : 0;
        int neurons = scope.attribution() ? scope.neurons() : 0;
        BiFunction<List<Trace.Position>, Intervention, List<Attribution>> attribute = (positions, run) -> positions
                .stream()
                .map(position -> debugger.attribute(prompt, run,
                        new AttributionOptions(position.position(),
                                new Target(Optional.of(Token.ofId(position.target().id())),
                                        position.against().map(token -> Token.ofId(token.id()))),
                                promoted, neurons, scope.by()),
                        progress))
                .toList();
        return new TraceAttributions(scope, attribute.apply(trace.positions(), Intervention.NONE),
                attribute.apply(trace.edited().orElse(List.of()), edits));
    }

    /** Returns a head's sources of the largest norms, largest first; of equal ones the earlier position first. */
    public static List<Attribution.Source> strongest(Attribution.Contribution head, int count) {
        return head.sources().stream()
                .sorted(Comparator.comparingDouble(Attribution.Source::norm).reversed()).limit(count).toList();
    }

    /** Returns the parts with the largest direct effects in size, largest first; of equal ones the earlier part first. */
    public static List<Attribution.Contribution> strongest(Attribution attribution, int count) {
        return attribution.contributions().stream()
                .sorted(Comparator.comparingDouble((Attribution.Contribution each) -> Math.abs(each.direct()))
                        .reversed())
                .limit(count).toList();
    }
}
