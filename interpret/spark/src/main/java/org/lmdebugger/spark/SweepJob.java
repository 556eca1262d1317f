package org.lmdebugger.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.monotonically_increasing_id;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.SweepPlanJson;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.app.store.ResultDirectory;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.device.Precision;
import org.lmdebugger.text.Shown;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * A sweep on a Spark cluster. One Spark job plans it: each prompt's units, counted by the executors. A second computes the
 * groups of units whose file is not there yet.
 */
@Command(name = "sweep", mixinStandardHelpOptions = true,
        description = "Computes a sweep's plan, on all executors of a Spark application.",
        footerHeading = "%nExample:%n",
        footer = "  spark-submit … lmdebugger-spark.jar sweep --plan plan.json --prompts prompts.parquet --model gpt2 --out hdfs:///results")
final class SweepJob implements Callable<Integer> {
    /** Options that every JVM needs which computes. */
    private static final String FLAGS = "--enable-native-access=ALL-UNNAMED --add-modules jdk.incubator.vector";
    private static final String JAVA_OPTIONS = "spark.executor.extraJavaOptions";
    private static final String CORES = "spark.executor.cores";
    private static final String ATTEMPTS = "spark.task.maxFailures";

    @Option(names = "--plan", paramLabel = "FILE", required = true,
            description = "The sweep: a file that lmdebug sweep --save-plan wrote, on any file system of Hadoop's.")
    private String plan;

    @Option(names = "--prompts", paramLabel = "FILE",
            description = "Prompts instead of the plan's: JSON Lines as of lmdebug sweep --prompts, if the name ends in "
                    + ".jsonl; else Parquet with some of the columns prompt, ids, target and against.")
    private String prompts;

    @Option(names = "--model", paramLabel = "M", defaultValue = "sample",
            description = "sample (default), a Hub id such as gpt2, or a directory that all executors see.")
    private String model;

    @Option(names = "--precision", paramLabel = "P", defaultValue = "fp32",
            description = "fp32 (default), or on GPUs tf32x3, tf32 or bf16.")
    private Precision precision;

    @Option(names = "--out", paramLabel = "DIR", required = true,
            description = "The folder of the results, on a file system that all executors see.")
    private String out;

    @Option(names = "--resume", description = "Goes on in DIR, if results of the same sweep are there.")
    private boolean resume;

    @Option(names = "--group", paramLabel = "N", defaultValue = "16",
            description = "Units of a task, and of a file (default: ${DEFAULT-VALUE}).")
    private int group;

    @Spec
    private CommandSpec spec;

    /** The units of prompts, up to the first that has a mistake; {@code wrong} names it, empty if there is none. */
    private record Planned(String manifest, List<int[]> effects, String wrong) implements Serializable {
    }

    @Override
    public Integer call() throws IOException {
        if (group < 1) {
            throw new IllegalArgumentException("--group: %d (expected: at least 1)".formatted(group));
        }
        try (var spark = SparkSession.builder().config(configuration()).getOrCreate()) {
            return run(spark, new JavaSparkContext(spark.sparkContext()));
        }
    }

    /** Returns what spark-submit configured, with the options that executors need. */
    private static SparkConf configuration() {
        var set = new SparkConf();
        var options = FLAGS + " " + set.get(JAVA_OPTIONS, "");
        if (set.contains(CORES)) { // a task uses all of its executor's
            set.setIfMissing("spark.task.cpus", set.get(CORES));
            options = "-Dlmdebugger.threads=" + set.get(CORES) + " " + options;
        }
        return set.set(JAVA_OPTIONS, options).setIfMissing(ATTEMPTS, "3").setIfMissing("spark.app.name",
                "lmdebug sweep");
    }

    private int run(SparkSession spark, JavaSparkContext context) throws IOException {
        var printer = spec.commandLine().getOut();
        var configuration = new SerializableConfiguration(context.hadoopConfiguration());
        var read = readPlan(configuration);
        var sweep = Json.line(read.sweep().prompts(List.of()));
        var lines = prompts == null ? read.sweep().prompts().stream().map(Json::line).toList() : readPrompts(spark);
        var executors = new ExecutorModel(model, precision);
        var planned = plan(context, sweep, lines, executors);
        if (prompts == null) {
            check(read, planned.effects());
        }
        var groups = UnitGroup.divide(lines, planned.effects(), group);
        var results = new ResultFolder(out, configuration);
        results.begin(manifest(sweep, lines, planned, groups), resume);
        var kept = results.kept();
        var missing = groups.stream().filter(each -> !kept.contains(ResultDirectory.partName(each.number()))).toList();
        printer.println(
                "%,d prompts, %,d units, %,d effects; %,d of %,d files are there already".formatted(lines.size(),
                        planned.effects().stream().mapToLong(each -> each.length).sum(),
                        planned.effects().stream().flatMapToInt(Arrays::stream).asLongStream().sum(),
                        groups.size() - missing.size(), groups.size()));
        var job = context.broadcast(new UnitGroup.Job(sweep, executors, planned.manifest(), results,
                context.getConf().getInt(ATTEMPTS, 3)));
        var failures = missing.isEmpty() ? List.<String>of()
                : context.parallelize(missing, missing.size())
                        .flatMap(each -> each.compute(job.value()).stream().iterator())
                        .collect();
        failures.forEach(failure -> spec.commandLine().getErr().println("lmdebug: " + failure));
        printer.println("%,d of %,d files are in %s".formatted(groups.size() - failures.size(), groups.size(), out));
        return failures.isEmpty() ? 0 : 1;
    }

    private SweepPlanJson readPlan(SerializableConfiguration configuration) throws IOException {
        var file = new Path(plan);
        try (var in = file.getFileSystem(configuration.value()).open(file)) {
            return SweepPlanJson.read(in.readAllBytes());
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(plan + ": " + wrong.getMessage(), wrong);
        }
    }

    /** Returns the prompts of a file, or of all in a folder in the order of their names, as lines of JSON. */
    private List<String> readPrompts(SparkSession spark) {
        var rows = prompts.toLowerCase(Locale.ROOT).endsWith(".jsonl") ? spark.read().text(prompts)
                : spark.read().parquet(prompts);
        var columns = Arrays.asList(rows.columns());
        var line = columns.equals(List.of("value")) ? col("value")
                : to_json(struct(columns.stream().map(name -> col(name)).toArray(Column[]::new)));
        return rows
                .select(line.as("line"), col("_metadata.file_path").as("file"), monotonically_increasing_id().as("row"))
                .orderBy("file", "row").select("line").as(Encoders.STRING()).collectAsList().stream()
                .filter(each -> !each.isBlank()).toList();
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
                manifest = manifest.isEmpty() ? ExecutorModel.manifest(debugger, plan) : manifest;
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

    /** Returns all that the results depend on. */
    private static Map<String, Object> manifest(String sweep, List<String> lines, Planned planned,
            List<UnitGroup> groups) throws IOException {
        var prompts = Digests.sha256();
        lines.forEach(line -> prompts.update((line + "\n").getBytes(StandardCharsets.UTF_8)));
        var manifest = Json.object("prompts", lines.size(), "prompts_sha256", Digests.hex(prompts), "sweep",
                ExecutorModel.tree(sweep), Manifest.CHUNKS,
                groups.stream().map(each -> Arrays.stream(each.effects()).asLongStream().sum()).toList());
        ExecutorModel.tree(planned.manifest).properties().forEach(each -> manifest.put(each.getKey(), each.getValue()));
        return manifest;
    }
}
