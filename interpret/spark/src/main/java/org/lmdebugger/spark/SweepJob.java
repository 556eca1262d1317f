package org.lmdebugger.spark;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.SweepPlanJson;
import org.lmdebugger.text.Shown;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A sweep on a Spark cluster. Executors plan it: each prompt's units, which they count. */
@Command(name = "sweep", mixinStandardHelpOptions = true,
        description = "Computes a sweep's plan, on all executors of a Spark application.",
        footerHeading = "%nExample:%n",
        footer = "  spark-submit … lmdebugger-spark.jar sweep --plan plan.json --prompts prompts.parquet --model gpt2 --out hdfs:///results")
final class SweepJob extends Driver {
    @Option(names = "--plan", paramLabel = "FILE", required = true,
            description = "The sweep: a file that lmdebug sweep --save-plan wrote, on any file system of Hadoop's.")
    private String plan;

    @Option(names = "--prompts", paramLabel = "FILE",
            description = "Prompts instead of the plan's: JSON Lines as of lmdebug sweep --prompts, if the name ends in "
                    + ".jsonl; else Parquet with some of the columns prompt, ids, target and against.")
    private String prompts;

    /** The units of prompts, up to the first that has a mistake; {@code wrong} names it, empty if there is none. */
    private record Planned(String manifest, List<int[]> effects, String wrong) implements Serializable {
    }

    @Override
    Plan plan(SparkSession spark, JavaSparkContext context, ExecutorModel executors, int size) throws IOException {
        var read = readPlan(context);
        var sweep = Json.line(read.sweep().prompts(List.of()));
        var lines = prompts == null ? read.sweep().prompts().stream().map(Json::line).toList() : lines(spark, prompts);
        var planned = plan(context, sweep, lines, executors);
        if (prompts == null) {
            check(read, planned.effects());
        }
        return new Plan("prompts", lines, sweep, planned.manifest,
                UnitGroup.divide(lines, planned.effects(), size));
    }

    private SweepPlanJson readPlan(JavaSparkContext context) throws IOException {
        var file = new Path(plan);
        try (var in = file.getFileSystem(context.hadoopConfiguration()).open(file)) {
            return SweepPlanJson.read(in.readAllBytes());
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(plan + ": " + wrong.getMessage(), wrong);
        }
    }

    private static Planned plan(JavaSparkContext context, String sweep, List<String> lines, ExecutorModel model) {
        if (lines.isEmpty()) {
            throw new IllegalArgumentException("prompts: none (expected: at least one)");
        }
        int parts = Math.min(lines.size(), 4 * context.defaultParallelism());
        var planned = context.parallelize(lines, parts)
                .mapPartitions(some -> List.of(plan(sweep, some, model)).iterator())
                .collect();
        var effects = new ArrayList<int[]>();
        for (var each : planned) {
            effects.addAll(each.effects);
            if (!each.wrong.isEmpty()) {
                throw new IllegalArgumentException("prompt %d: %s: %s".formatted(effects.size(),
                        Shown.of(lines.get(effects.size())), each.wrong));
            }
            ExecutorModel.check(each.manifest, planned.getFirst().manifest);
        }
        return new Planned(planned.getFirst().manifest, effects, "");
    }

    /** Plans prompts up to the first with a mistake, which another attempt would find, too. */
    private static Planned plan(String sweep, Iterator<String> lines, ExecutorModel model) {
        var debugger = model.debugger();
        var effects = new ArrayList<int[]>();
        String manifest = "";
        while (lines.hasNext()) {
            try {
                var plan = debugger.plan(UnitGroup.sweep(sweep, List.of(lines.next())));
                effects.add(plan.chunks().stream().mapToInt(chunk -> chunk.count()).toArray());
                manifest = manifest.isEmpty() ? ExecutorModel.manifest(debugger, plan.sweep().corpora()) : manifest;
            } catch (IllegalArgumentException wrong) {
                return new Planned(manifest, effects, String.valueOf(wrong.getMessage()));
            }
        }
        return new Planned(manifest, effects, "");
    }

    /** Checks that the executors divide the sweep as the plan says. */
    private static void check(SweepPlanJson plan, List<int[]> effects) {
        var expected = plan.units().stream().mapToInt(SweepPlanJson.Unit::effects).toArray();
        var found = effects.stream().flatMapToInt(Arrays::stream).toArray();
        int unit = Arrays.mismatch(expected, found);
        if (unit >= 0) {
            throw new IllegalArgumentException(
                    "plan: unit %d: %s effects (expected: %s, as on the executors)".formatted(unit,
                            unit < expected.length ? expected[unit] : "no", unit < found.length ? found[unit] : "no"));
        }
    }
}
