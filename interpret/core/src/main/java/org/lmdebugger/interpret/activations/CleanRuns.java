package org.lmdebugger.interpret.activations;

import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * Forward passes of prompts without edits. A prompt's pass is computed once, unless more of it is needed later than it
 * has kept. It is for one thread, and closes the runs.
 */
public final class CleanRuns implements AutoCloseable {
    private final Gpt2 model;
    private final Map<IntBuffer, List<Activations>> runs = new HashMap<>();

    public CleanRuns(Gpt2 model) {
        this.model = model;
    }

    /** Returns a run of a prompt, whose ids nobody changes, that has kept these sites, beside {@link Activations.Keep#KEYS_AND_VALUES}. */
    public Activations of(int[] ids, Set<Site> sites) {
        var known = runs.computeIfAbsent(IntBuffer.wrap(ids), key -> new ArrayList<>());
        var enough = known.stream().filter(run -> run.keeps(sites)).findFirst();
        if (enough.isPresent()) {
            return enough.get();
        }
        var run = Activations.forward(model, ids, CompiledIntervention.NONE, sites);
        known.add(run);
        return run;
    }

    @Override
    public void close() {
        runs.values().stream().flatMap(List::stream).forEach(Activations::close);
        runs.clear();
    }
}
