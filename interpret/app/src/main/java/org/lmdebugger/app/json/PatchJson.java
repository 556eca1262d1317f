package org.lmdebugger.app.json;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;

/** Results of patching as {@code patch --json} prints them and the server answers them; the keys are part of both. */
public final class PatchJson {
    private PatchJson() {
    }

    /** Returns the grids of one pair. */
    public static Map<String, Object> of(Debugger debugger, Pair pair, List<Grid> grids) {
        var json = head(debugger, grids.getFirst().patching());
        json.putAll(pair(debugger, pair, grids.getFirst().baseline()));
        json.put("grids", grids.stream().map(grid -> {
            var all = grid(grid.patching(), grid.parts(), grid.columns());
            all.put("difference", cells(grid.cells(), Grid.Cell::difference));
            all.put("effect", cells(grid.cells(), Grid.Cell::effect));
            all.put("normalised", cells(grid.cells(), Grid.Cell::normalised));
            all.put("kl", cells(grid.cells(), Grid.Cell::kl));
            return all;
        }).toList());
        return json;
    }

    /** Returns the averages of a data set. */
    public static Map<String, Object> of(Debugger debugger, List<Averages> averages) {
        var first = averages.getFirst();
        var json = head(debugger, first.patching());
        json.putAll(pairs(first.baselines()));
        json.put("grids", averages.stream().map(average -> {
            var all = grid(average.patching(), average.parts(), average.columns());
            all.put("effect", cells(average.cells(), Averages.Cell::effect));
            all.put("sameSign", cells(average.cells(), Averages.Cell::sameSign));
            all.put("normalised", cells(average.cells(), Averages.Cell::normalised));
            all.put("kl", cells(average.cells(), Averages.Cell::kl));
            return all;
        }).toList());
        return json;
    }

    static Map<String, Object> pair(Debugger debugger, Pair pair, Baseline baseline) {
        return Json.object("clean", prompt(debugger, pair.clean(), baseline.clean()),
                "corrupted", prompt(debugger, pair.corrupted(), baseline.corrupted()),
                "answers", tokens(debugger, pair.answers()), "wrong", tokens(debugger, pair.wrong()),
                "right", baseline.right(), "divisor", baseline.divisor());
    }

    static Map<String, Object> pairs(List<Baseline> baselines) {
        return Json.object("pairs", baselines.size(), "right", baselines.stream().filter(Baseline::right).count(),
                "baselines", baselines.stream().map(PatchJson::baseline).toList());
    }

    private static Map<String, Object> head(Debugger debugger, Patching patching) {
        var json = head(debugger, patching.direction());
        json.put("edits", patching.edits().texts());
        return json;
    }

    static Map<String, Object> head(Debugger debugger, Patching.Direction direction) {
        var device = debugger.model().device();
        return Json.object("model", debugger.model().files().name(), "device", device.name(), "precision",
                device.precision().toString().toLowerCase(Locale.ROOT), "direction",
                direction.toString());
    }

    private static Map<String, Object> baseline(Baseline baseline) {
        return Json.object("clean", baseline.clean(), "corrupted", baseline.corrupted(), "right", baseline.right());
    }

    private static Map<String, Object> prompt(Debugger debugger, Prompt prompt, double difference) {
        var model = debugger.model();
        return Json.object("prompt", model.text(prompt), "tokens",
                Arrays.stream(model.encode(prompt)).mapToObj(id -> token(debugger, id)).toList(), "difference",
                difference);
    }

    private static List<Map<String, Object>> tokens(Debugger debugger, List<Measure.Token.Fixed> tokens) {
        return tokens.stream().map(token -> token(debugger, token.idIn(debugger.model().tokenizer()))).toList();
    }

    private static Map<String, Object> token(Debugger debugger, int id) {
        return Json.object("id", id, "token", debugger.model().tokenizer().text(id));
    }

    private static Map<String, Object> grid(Patching patching, List<?> parts, List<String> columns) {
        return Json.object("sites", patching.parts().toString(), "parts",
                parts.stream().map(Object::toString).toList(), "columns", columns);
    }

    private static <T> List<List<Object>> cells(List<List<T>> cells, Function<T, Object> number) {
        return cells.stream().map(row -> row.stream().map(number).toList()).toList();
    }
}
