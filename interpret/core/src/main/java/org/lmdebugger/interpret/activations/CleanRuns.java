package org.lmdebugger.interpret.activations;

import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * Forward passes of prompts without edits, or under edits that always hold. A prompt's pass is computed once, unless more
 * of it is needed later than it has kept. It is for one thread, and closes the runs.
 */
public final class CleanRuns implements AutoCloseable {
    private final Gpt2 model;
    private final Map<Key, List<Activations>> runs = new HashMap<>();

    private record Key(IntBuffer ids, Intervention edits) {
    }

    public CleanRuns(Gpt2 model) {
        this.model = model;
    }

    /** Returns a run of a prompt, whose ids nobody changes, that has kept these sites, beside the residual stream after the last layer. */
    public Activations of(int[] ids, Set<Site> sites) {
        return of(ids, Intervention.NONE, References.NONE, sites);
    }

    /** Returns a run of a prompt under edits likewise. @param references that the edits take means and samples from */
    public Activations of(int[] ids, Intervention edits, References references, Set<Site> sites) {
        var known = runs.computeIfAbsent(new Key(IntBuffer.wrap(ids), edits), key -> new ArrayList<>());
        var enough = known.stream().filter(run -> run.keeps(sites)).findFirst();
        if (enough.isPresent()) {
            return enough.get();
        }
        try (var resolver = new Resolver(model, references, ids, this)) {
            var run = Activations.forward(model, ids,
                    edits.isEmpty() ? CompiledIntervention.NONE : resolver.resolve(edits), sites);
            known.add(run);
            return run;
        }
    }

    @Override
    public void close() {
        runs.values().stream().flatMap(List::stream).forEach(Activations::close);
        runs.clear();
    }
}
