package org.lmdebugger.spark;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.apache.spark.TaskContext;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.app.json.PatchingJson;
import org.lmdebugger.app.store.PatchTable;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.text.Shown;

/**
 * Some pairs of prompts that are patched, one after the other.
 *
 * @param number of the group, and of its file
 * @param first  number of the first pair
 * @param pairs  as lines of JSON
 * @param rows   the number of effects
 */
record PairGroup(int number, int first, List<String> pairs, long rows) implements TaskGroup {
    /** Reads patchings that are computed together. */
    static List<Patching> patchings(String work) {
        return JsonReader.read(work.getBytes(StandardCharsets.UTF_8), PatchingJson.class).read();
    }

    /** Names a pair by its line, for messages. */
    static String name(int number, String line) {
        return "pair %d %s".formatted(number, Shown.of(line));
    }

    /** Reads a pair. @throws IllegalArgumentException naming it, and what is wrong */
    static Pair pair(int number, String line) {
        try {
            return JsonReader.readLine(line, PairLine.class).pair();
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(name(number, line) + ": " + wrong.getMessage(), wrong);
        }
    }

    @Override
    public void compute(Job job, Debugger debugger) {
        var patchings = patchings(job.work());
        ExecutorModel.check(ExecutorModel.manifest(debugger, patchings.getFirst().edits().corpora()), job.manifest());
        int next = 0;
        try (var rows = new PatchTable(true, Optional.empty())) {
            for (; next < pairs.size(); next++) {
                var pair = pair(first + next, pairs.get(next));
                List<Grid> grids;
                synchronized (debugger) {
                    grids = debugger.patch(pair, patchings, (_, _) -> checkInterruption());
                }
                rows.add(new PatchTable.Patched(first + next, pair, grids));
            }
            keep(job, rows);
        } catch (RuntimeException | IOException failure) {
            var failed = next < pairs.size() ? describe(next) : describe(0) + ", to " + describe(next - 1);
            throw new IllegalStateException(failed + ": " + failure, failure);
        }
    }

    private static void checkInterruption() {
        if (TaskContext.get().isInterrupted()) {
            throw new CancellationException("cancelled by Spark");
        }
    }

    /** Names a pair and its prompts. */
    private String describe(int index) {
        var line = JsonReader.readLine(pairs.get(index), PairLine.class);
        return "pair %d, clean %s, corrupted %s".formatted(first + index, Shown.of(line.clean()),
                Shown.of(line.corrupted()));
    }
}
