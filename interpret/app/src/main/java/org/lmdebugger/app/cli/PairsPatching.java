package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.app.store.PatchTable;
import org.lmdebugger.app.store.PatchTable.Patched;
import org.lmdebugger.app.store.ResultOutput;
import org.lmdebugger.app.store.Share;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Averaging;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.progress.Progress;

/** Patching of a data set of pairs, one pair after the other: each pair's grids are kept in the output and averaged. */
final class PairsPatching {
    private final Lines<PairLine> lines;
    private final Lines<Pair> pairs;
    private final List<Patching> patchings;
    private final OutputOptions output;
    private final PrintWriter notes;

    PairsPatching(Lines<PairLine> lines, List<Patching> patchings, OutputOptions output, PrintWriter notes) {
        this.lines = lines;
        this.pairs = lines.map(PairLine::pair);
        this.patchings = patchings;
        this.output = output;
        this.notes = notes;
    }

    /** Returns the averages of each patching over the pairs that this process computes; only pairs that the output does not hold yet are patched. */
    List<Averages> averages(Debugger debugger) {
        var averagings = averagings(debugger);
        long cells = averagings.stream().mapToLong(Averaging::cells).sum();
        var chunks = Collections.nCopies(pairs.values().size(), cells);
        var own = output.own(chunks);
        try (var results = output.<Patched>open(debugger, chunks, own, settings(debugger),
                place -> new PatchTable(true, place))) {
            var edits = patchings.getFirst().edits();
            var baselines = pairs.map(pair -> debugger.baseline(pair, edits)).list();
            notes.println(PairText.right(baselines)); // before it takes long
            patch(debugger, own, baselines, results, averagings);
        }
        return averagings.stream().map(Averaging::averages).toList();
    }

    private List<Averaging> averagings(Debugger debugger) {
        var all = pairs.list();
        return patchings.stream().map(patching -> debugger.averaging(all, patching, pairs::place)).toList();
    }

    private void patch(Debugger debugger, Share.Range own, List<Baseline> baselines, ResultOutput<Patched> results,
            List<Averaging> averagings) {
        var all = pairs.list();
        int there = 0;
        try (var bar = new BuildBar("pairs")) {
            for (int p = own.from(); p < own.to(); p++) {
                var pair = all.get(p);
                var kept = results == null ? Optional.<Path>empty() : results.kept(p);
                List<Grid> grids;
                if (kept.isPresent()) {
                    grids = PatchTable.read(kept.get(), patchings, baselines.get(p));
                    there++;
                } else {
                    grids = debugger.patch(pair, patchings, Progress.NONE);
                    if (results != null) {
                        results.add(p, new Patched(p, pair, grids));
                    }
                }
                for (int i = 0; i < grids.size(); i++) {
                    averagings.get(i).add(grids.get(i));
                }
                bar.report(p + 1 - own.from(), own.to() - own.from());
            }
        }
        if (results != null) {
            results.complete();
        }
        if (there > 0) {
            notes.println("%,d of %,d pairs were there already".formatted(there, own.to() - own.from()));
        }
    }

    /** Returns all but the model that the results depend on. */
    private Map<String, Object> settings(Debugger debugger) {
        var first = patchings.getFirst();
        return Json.object("pairs", lines.list(), "sites",
                patchings.stream().map(patching -> patching.parts().toString()).toList(), "direction",
                first.direction().toString(), "columns", first.columns().toString(), "edits", first.edits().texts(),
                "corpora", Manifest.corpora(debugger, first.edits().corpora()));
    }
}
