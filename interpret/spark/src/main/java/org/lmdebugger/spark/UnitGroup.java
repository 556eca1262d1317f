package org.lmdebugger.spark;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.apache.spark.TaskContext;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.json.PromptLine;
import org.lmdebugger.app.json.SweepJson;
import org.lmdebugger.app.store.EffectTable;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.text.Shown;

/**
 * Some units of a sweep, one after the other in its plan.
 *
 * @param number      of the group, and of its file
 * @param firstUnit   number of its first unit in the sweep's plan
 * @param firstPrompt number of the first prompt that they are of
 * @param prompts     these prompts, as lines of JSON
 * @param skipped     units of the first prompt that belong to groups before
 * @param effects     the number of effects in each unit
 */
record UnitGroup(int number, int firstUnit, int firstPrompt, List<String> prompts, int skipped, int[] effects)
        implements TaskGroup {
    /**
     * Divides a sweep.
     *
     * @param effects the number of effects in each unit of each prompt
     * @param size    units of a group
     */
    static List<UnitGroup> divide(List<String> prompts, List<int[]> effects, int size) {
        var first = new int[prompts.size() + 1]; // number of each prompt's first unit
        for (int prompt = 0; prompt < prompts.size(); prompt++) {
            first[prompt + 1] = Math.addExact(first[prompt], effects.get(prompt).length);
        }
        var all = effects.stream().flatMapToInt(Arrays::stream).toArray();
        var groups = new ArrayList<UnitGroup>();
        int prompt = 0;
        for (int from = 0; from < all.length; from += size) {
            int to = Math.min(from + size, all.length);
            while (first[prompt + 1] <= from) {
                prompt++;
            }
            int end = prompt + 1;
            while (first[end] < to) {
                end++;
            }
            groups.add(new UnitGroup(groups.size(), from, prompt, new ArrayList<>(prompts.subList(prompt, end)),
                    from - first[prompt], Arrays.copyOfRange(all, from, to)));
        }
        return groups;
    }

    /** Reads a sweep of these prompts. @throws IllegalArgumentException naming what is wrong */
    static Sweep sweep(String sweep, List<String> prompts) {
        return JsonReader.read(sweep.getBytes(StandardCharsets.UTF_8), SweepJson.class)
                .prompts(prompts.stream().map(line -> JsonReader.readLine(line, PromptLine.class)).toList()).read();
    }

    @Override
    public long rows() {
        return Arrays.stream(effects).asLongStream().sum();
    }

    @Override
    public void compute(Job job, Debugger debugger) {
        var plan = debugger.plan(sweep(job.work(), prompts));
        check(job, debugger, plan);
        int end = skipped + effects.length;
        var units = new ArrayList<Effects>();
        try {
            synchronized (debugger) {
                debugger.sweep(plan, skipped, unit -> {
                    units.add(unit);
                    return unit.chunk() + 1 < end && !TaskContext.get().isInterrupted();
                });
            }
            if (units.size() < effects.length) {
                throw new CancellationException("cancelled by Spark");
            }
            keep(job, debugger, plan, units);
        } catch (RuntimeException | IOException failure) {
            int next = skipped + units.size();
            var failed = next == end ? describe(debugger, plan, skipped, end - 1)
                    : describe(debugger, plan, next, next);
            throw new IllegalStateException(failed + ": " + failure, failure);
        }
    }

    private void keep(Job job, Debugger debugger, SweepPlan plan, List<Effects> units) throws IOException {
        try (var rows = new EffectTable(plan.sweep().measures(), debugger.model().tokenizer(), Optional.empty(),
                firstPrompt)) {
            units.forEach(rows::add);
            keep(job, rows);
        }
    }

    /** Checks that this executor computes the same bits as that which planned the sweep, and divides it in the same way. */
    private void check(Job job, Debugger debugger, SweepPlan plan) {
        ExecutorModel.check(ExecutorModel.manifest(debugger, plan.sweep().corpora()), job.manifest());
        var found = plan.chunks().stream().mapToInt(SweepPlan.Chunk::count).skip(skipped).limit(effects.length)
                .toArray();
        if (!Arrays.equals(found, effects)) {
            throw new IllegalArgumentException("executor: units of %s effects (expected: %s)".formatted(
                    Arrays.toString(found), Arrays.toString(effects)));
        }
    }

    /** Names units, their prompts and the first and last of their interventions. */
    private String describe(Debugger debugger, SweepPlan plan, int first, int last) {
        var model = debugger.model();
        return "unit %d, %s, %s, to unit %d, %s, %s".formatted(firstUnit + first - skipped, prompt(plan, first),
                plan.interventions(model, first).getFirst().texts(), firstUnit + last - skipped, prompt(plan, last),
                plan.interventions(model, last).getLast().texts());
    }

    private String prompt(SweepPlan plan, int unit) {
        int prompt = plan.chunks().get(unit).prompt();
        return "prompt %d %s".formatted(firstPrompt + prompt, Shown.of(prompts.get(prompt)));
    }
}
