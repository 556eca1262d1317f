package org.lmdebugger.app.server.routes;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.lmdebugger.app.ranking.StrongestEffects;
import org.lmdebugger.app.ranking.StrongestEffects.Change;
import org.lmdebugger.app.ranking.TopTokens;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.work.SweepJob;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.model.TokenLogit;

/**
 * The effects of a sweep: the strongest as a table, all of them as a map of layers × neurons; of interventions with samples,
 * the means over these.
 */
final class SweepResults {
    private static final int SAID = 6; // tokens of a value vector beside its effect

    private final List<Measure> measures; // of one number each
    private final List<Effects> chunks;
    private final Optional<Integer> samples;

    SweepResults(SweepJob job) {
        measures = job.plan().sweep().measures().stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
        chunks = job.chunks();
        samples = job.samples();
    }

    private Optional<SampleMeans> means() {
        return samples.map(count -> new SampleMeans(measures, count));
    }

    /** Returns the measure of that name; the first without one. */
    private Measure measure(String name) {
        return measures.stream().filter(each -> name == null || each.toString().equals(name)).findFirst()
                .orElseThrow(() -> Problem.badRequest("measure: not one of this sweep's numbers (expected: one of %s)"
                        .formatted(measures.stream().map(Measure::toString).collect(Collectors.joining(", ")))));
    }

    /**
     * The strongest effects.
     *
     * @param measures the names of the sweep's measures of one number
     * @param sortedBy the name of the one that decides which are strongest
     * @param clean    the measures of the first prompt without edits; none before there are effects
     */
    record Strongest(List<String> measures, String sortedBy, List<Float> clean, List<Effect> effects) {
    }

    /**
     * An effect.
     *
     * @param edits          of samples, without their seeds
     * @param values         of the measures
     * @param standardErrors of the values if they are means over samples, else null
     * @param says           the tokens that the neuron's value vector promotes most
     */
    record Effect(int prompt, List<String> edits, int layer, int neuron, List<Float> values,
            @JsonInclude(NON_NULL) List<Double> standardErrors, List<String> says) {
    }

    /**
     * Returns the {@code top} effects that move the measure farthest from the unedited prompt's.
     *
     * @param part a part, or the beginning of its name up to a number's end; null for all
     */
    Strongest strongest(Debugger debugger, String measureName, Change change, int top, String part) {
        var measure = measure(measureName);
        var strongest = new StrongestEffects(top, measure, change, means());
        chunks.forEach(chunk -> strongest.add(chunk,
                index -> part == null || isOf(part, chunk.edits(index).list().getFirst().part().toString())));
        var effects = strongest.effects();
        var said = TopTokens.of(debugger, effects.stream().filter(effect -> effect.layer() >= 0)
                .map(effect -> new Neuron(effect.layer(), effect.neuron())).toList(), SAID);
        return new Strongest(measures.stream().map(Measure::toString).toList(), measure.toString(),
                chunks.isEmpty() ? List.of() : measures.stream().map(each -> chunks.getFirst().clean(each)).toList(),
                effects.stream().map(effect -> effect(effect, said)).toList());
    }

    /** Returns whether a part's name begins with {@code start}, where no number is cut: L2D3 is not the start of L2D30. */
    private static boolean isOf(String start, String part) {
        boolean cutsNumber = !start.isEmpty() && part.length() > start.length()
                && Character.isDigit(start.charAt(start.length() - 1))
                && Character.isDigit(part.charAt(start.length()));
        return part.startsWith(start) && !cutsNumber;
    }

    private Effect effect(StrongestEffects.Effect effect, Map<Neuron, List<TokenLogit>> said) {
        return new Effect(effect.chunk().prompt(), effect.intervention().texts(), effect.layer(),
                effect.neuron(), measures.stream().map(effect::value).toList(),
                effect.means().map(means -> measures.stream().map(each -> means.values().get(each).standardError())
                        .toList()).orElse(null),
                said.getOrDefault(new Neuron(effect.layer(), effect.neuron()), List.of()).stream()
                        .map(TokenLogit::token).toList());
    }

    /**
     * The changes of one measure from the unedited prompt's.
     *
     * @param changes for each layer a list of all neurons, with the largest change if a neuron has several effects; null
     *                where there is none, or none that is finite
     */
    record EffectMap(String measure, Float[][] changes) {
    }

    EffectMap map(Debugger debugger, String measureName) {
        var measure = measure(measureName);
        var config = debugger.model().config();
        var map = new Float[config.layers()][config.feedForwardWidth()];
        var means = means();
        for (var effects : chunks) {
            float clean = effects.clean(measure);
            for (int i = 0; i < effects.size(); i++) {
                if (effects.layers()[i] < 0) {
                    continue;
                }
                var layer = map[effects.layers()[i]];
                int neuron = effects.neurons()[i];
                if (means.isPresent() && effects.edits(i).isSampled()) {
                    means.get().add(effects, i).ifPresent(
                            all -> keepLarger(layer, neuron, (float) all.values().get(measure).mean() - clean));
                } else {
                    keepLarger(layer, neuron, effects.values(measure)[i] - clean);
                }
            }
        }
        return new EffectMap(measure.toString(), map);
    }

    private static void keepLarger(Float[] layer, int neuron, float change) {
        if (Float.isFinite(change) && (layer[neuron] == null || Math.abs(change) > Math.abs(layer[neuron]))) {
            layer[neuron] = change;
        }
    }
}
