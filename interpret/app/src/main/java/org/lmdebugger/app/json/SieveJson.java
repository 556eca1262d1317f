package org.lmdebugger.app.json;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.NeuronEstimates;
import org.lmdebugger.interpret.patch.Sieve;

/** Choices by estimates, as {@code --json} prints them; the keys are part of the commands' interface. */
public final class SieveJson {
    private SieveJson() {
    }

    /** Returns the choice and its quality, with the estimates of what was computed, in its order. */
    public static Map<String, Object> of(Sieve sieve, Sieve.Quality quality) {
        return Json.object("estimated", sieve.estimates().length, "best", sieve.best().length, "sample",
                sieve.sample().length, "seed", sieve.seed(), "recall", quality.recall(), "recallAtLeast",
                quality.recallAtLeast(), "confidence", Sieve.CONFIDENCE, "rankCorrelation", quality.rankCorrelation(),
                "estimates", Arrays.stream(sieve.chosen()).mapToObj(index -> sieve.estimates()[index]).toList());
    }

    /** Returns neurons of a pair that were patched at one position each, as a sieve has chosen them. */
    public static Map<String, Object> of(Debugger debugger, Baseline baseline, NeuronEstimates estimates, Sieve sieve,
            Map<Integer, Grid.Cell> cells) {
        var json = PatchJson.head(debugger, estimates.direction());
        json.putAll(PatchJson.pair(debugger, estimates.pair(), baseline));
        List<Map<String, Object>> neurons = Arrays.stream(sieve.chosen()).mapToObj(index -> {
            var place = estimates.place(index);
            var cell = cells.get(index);
            return Json.object("neuron", place.neuron().toString(), "position", place.position(), "difference",
                    cell.difference(), "effect", cell.effect(), "normalised", cell.normalised(), "kl", cell.kl());
        }).toList();
        json.put("neurons", neurons);
        json.put("sieve", of(sieve, sieve.quality(index -> cells.get(index).effect())));
        return json;
    }
}
