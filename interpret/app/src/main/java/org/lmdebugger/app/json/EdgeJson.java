package org.lmdebugger.app.json;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeAverages;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;

/** Effects of edges as a graph, as {@code edges --json} prints them; the keys are part of the command's interface. */
public final class EdgeJson {
    private EdgeJson() {
    }

    private static Map<String, Object> head(Debugger debugger, Direction direction, Optional<Measure> measure) {
        var json = PatchJson.head(debugger, direction);
        json.put("measure", measure.map(Measure::toString).orElse(null));
        return json;
    }

    /** Returns the edges of one pair. @param measure that is in the place of the logit difference */
    public static Map<String, Object> of(Debugger debugger, Pair pair, EdgeEffects effects, Optional<Measure> measure) {
        var json = head(debugger, effects.direction(), measure);
        json.putAll(PatchJson.pair(debugger, pair, effects.baseline()));
        json.put("edges", edges(effects.edges(), effects.cells(), EdgeJson::edge));
        return json;
    }

    /** Returns the averages of a data set likewise. */
    public static Map<String, Object> of(Debugger debugger, EdgeAverages averages, Optional<Measure> measure) {
        var json = head(debugger, averages.direction(), measure);
        json.putAll(PatchJson.pairs(averages.baselines()));
        json.put("edges", edges(averages.edges(), averages.cells(), EdgeJson::edge));
        return json;
    }

    private static <T> List<Object> edges(List<Edge> edges, List<T> cells,
            BiFunction<Edge, T, Map<String, Object>> edge) {
        var all = new ArrayList<>();
        for (int e = 0; e < edges.size(); e++) {
            all.add(edge.apply(edges.get(e), cells.get(e)));
        }
        return all;
    }

    private static Map<String, Object> edge(Edge edge, Grid.Cell cell) {
        return Json.object("sender", edge.sender().toString(), "receiver", edge.receiver().toString(), "difference",
                cell.difference(), "effect", cell.effect(), "normalised", cell.normalised(), "kl", cell.kl());
    }

    private static Map<String, Object> edge(Edge edge, Averages.Cell cell) {
        return Json.object("sender", edge.sender().toString(), "receiver", edge.receiver().toString(), "effect",
                cell.effect(), "sameSign", cell.sameSign(), "normalised", cell.normalised(), "kl", cell.kl());
    }
}
