package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.app.store.EdgeTable;
import org.lmdebugger.app.store.EdgeTable.Patched;
import org.lmdebugger.app.store.ResultOutput;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeAverages;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.EdgeEngine;
import org.lmdebugger.interpret.edge.EdgePlan;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Path patching of edges whose effects are kept in the output; only those that it does not hold yet are computed. */
final class EdgePatching {
    private final Debugger debugger;
    private final Direction direction;
    private final List<Edge> edges;
    private final Optional<Measure> measure;
    private final OutputOptions output;
    private final PrintWriter notes;

    EdgePatching(Debugger debugger, Direction direction, List<Edge> edges, Optional<Measure> measure,
            OutputOptions output, PrintWriter notes) {
        this.debugger = debugger;
        this.direction = direction;
        this.edges = edges;
        this.measure = measure;
        this.output = output;
        this.notes = notes;
    }

    /** Returns the effects of one pair, which is computed chunk by chunk. */
    EdgeEffects effects(Pair pair) {
        var plan = plan(pair);
        var parts = new ArrayList<EdgeEffects>();
        var own = output.own(plan.chunks().stream().map(EdgePlan.Chunk::flop).toList());
        long all = plan.chunks().subList(own.from(), own.to()).stream().mapToLong(EdgePlan.Chunk::count).sum();
        long done = 0;
        long there = 0;
        try (var results = output.<Patched>open(debugger, plan.chunks().stream().map(EdgePlan.Chunk::count).toList(),
                own, settings("pair", pair(pair)), place -> new EdgeTable(false, place));
                var engine = new EdgeEngine(debugger.model(), plan); var bar = new BuildBar("edges")) {
            parts.add(new EdgeEffects(direction, engine.baseline(), List.of(), List.of()));
            for (int chunk = own.from(); chunk < own.to(); chunk++) {
                var kept = kept(results, chunk);
                if (kept.isPresent()) {
                    parts.add(EdgeTable.read(kept.get(), direction, engine.baseline()));
                    there += parts.getLast().edges().size();
                } else {
                    parts.add(engine.compute(chunk));
                    add(results, chunk, new Patched(0, parts.getLast()));
                }
                done += parts.getLast().edges().size();
                bar.report(done, all);
            }
            complete(results);
        }
        if (there > 0) {
            notes.println("%,d of %,d edges were there already".formatted(there, all));
        }
        return EdgeEffects.join(parts);
    }

    /** Returns the averages of a data set, which is computed pair by pair. */
    EdgeAverages averages(Lines<PairLine> lines) {
        var pairs = PairOptions.fitting(debugger, lines);
        var all = pairs.list();
        var averages = new EdgeAverages.Builder(direction);
        var chunks = Collections.nCopies(all.size(), edges.size());
        var own = output.own(chunks);
        int there = 0;
        try (var results = output.<Patched>open(debugger, chunks, own, settings("pairs", lines.list()),
                place -> new EdgeTable(true, place))) {
            notes.println(PairText.right(pairs.map(debugger::baseline).list())); // before it takes long
            try (var bar = new BuildBar("pairs")) {
                for (int p = own.from(); p < own.to(); p++) {
                    var kept = kept(results, p);
                    if (kept.isPresent()) {
                        averages.add(EdgeTable.read(kept.get(), direction, baseline(all.get(p))));
                        there++;
                    } else {
                        var effects = EdgeEffects.of(debugger.model(), plan(all.get(p)), Progress.NONE);
                        averages.add(effects);
                        add(results, p, new Patched(p, effects));
                    }
                    bar.report(p + 1 - own.from(), own.to() - own.from());
                }
            }
            complete(results);
        }
        if (there > 0) {
            notes.println("%,d of %,d pairs were there already".formatted(there, own.to() - own.from()));
        }
        return averages.build();
    }

    private EdgePlan plan(Pair pair) {
        return EdgePlan.of(debugger.model(), pair, direction, edges, measure);
    }

    /** Returns a pair without patching: of a measure that is not the logit difference, it is that of the two prompts' runs. */
    private Baseline baseline(Pair pair) {
        if (measure.isEmpty()) {
            return debugger.baseline(pair);
        }
        try (var engine = new EdgeEngine(debugger.model(), plan(pair))) {
            return engine.baseline();
        }
    }

    private static Optional<Path> kept(ResultOutput<Patched> results, int chunk) {
        return results == null ? Optional.empty() : results.kept(chunk);
    }

    private static void add(ResultOutput<Patched> results, int chunk, Patched patched) {
        if (results != null) {
            results.add(chunk, patched);
        }
    }

    private static void complete(ResultOutput<Patched> results) {
        if (results != null) {
            results.complete();
        }
    }

    private static Map<String, Object> pair(Pair pair) {
        return Json.object("clean", ((Prompt.Text) pair.clean()).text(), "corrupted",
                ((Prompt.Text) pair.corrupted()).text(), "answers",
                pair.answers().stream().map(Object::toString).toList(), "wrong",
                pair.wrong().stream().map(Object::toString).toList());
    }

    /** Returns all but the model that the results depend on. */
    private Map<String, Object> settings(String name, Object pairs) {
        boolean all = edges.size() == Edge.all(debugger.model().config()).size();
        return Json.object(name, pairs, "direction", direction.toString(), "measure", PairText.name(measure), "edges",
                all ? "all" : edges.stream().map(Edge::toString).toList());
    }
}
