package org.lmdebugger.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.monotonically_increasing_id;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
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
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.app.store.ResultDirectory;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.device.Precision;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The driver's side of a command. One Spark job plans: executors check the inputs, and the driver divides them into groups.
 * A second computes the groups whose file is not there yet.
 */
abstract class Driver implements Callable<Integer> {
    /** Options that every JVM needs which computes. */
    private static final String FLAGS = "--enable-native-access=ALL-UNNAMED --add-modules jdk.incubator.vector";
    private static final String JAVA_OPTIONS = "spark.executor.extraJavaOptions";
    private static final String CORES = "spark.executor.cores";
    private static final String ATTEMPTS = "spark.task.maxFailures";

    @Option(names = "--model", paramLabel = "M", defaultValue = "sample",
            description = "sample (default), a Hub id such as gpt2, or a directory that all executors see.")
    private String model;

    @Option(names = "--precision", paramLabel = "P", defaultValue = "fp32",
            description = "fp32 (default), or on GPUs tf32x3, tf32 or bf16.")
    private Precision precision;

    @Option(names = "--out", paramLabel = "DIR", required = true,
            description = "The folder of the results, on a file system that all executors see.")
    private String out;

    @Option(names = "--resume", description = "Goes on in DIR, if results of the same work are there.")
    private boolean resume;

    @Option(names = "--group", paramLabel = "N", defaultValue = "16",
            description = "Units of a sweep, or pairs, of a task, and of a file (default: ${DEFAULT-VALUE}).")
    private int group;

    @Spec
    private CommandSpec spec;

    /**
     * What is going to be computed.
     *
     * @param kind     of the inputs: prompts or pairs
     * @param inputs   as lines of JSON
     * @param work     that is done on each, as JSON
     * @param manifest as {@link ExecutorModel#manifest} returns it on all executors
     * @param groups   of the inputs, each of a task
     */
    record Plan(String kind, List<String> inputs, String work, String manifest, List<? extends TaskGroup> groups) {
    }

    /**
     * Plans the work.
     *
     * @param size of a group
     * @throws IllegalArgumentException naming what is wrong
     */
    abstract Plan plan(SparkSession spark, JavaSparkContext context, ExecutorModel executors, int size)
            throws IOException;

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
    private SparkConf configuration() {
        var set = new SparkConf();
        var options = FLAGS + " " + set.get(JAVA_OPTIONS, "");
        if (set.contains(CORES)) { // a task uses all of its executor's
            set.setIfMissing("spark.task.cpus", set.get(CORES));
            options = "-Dlmdebugger.threads=" + set.get(CORES) + " " + options;
        }
        return set.set(JAVA_OPTIONS, options).setIfMissing(ATTEMPTS, "3").setIfMissing("spark.app.name",
                "lmdebug " + spec.name());
    }

    private int run(SparkSession spark, JavaSparkContext context) throws IOException {
        var printer = spec.commandLine().getOut();
        var executors = new ExecutorModel(model, precision);
        var plan = plan(spark, context, executors, group);
        var groups = List.<TaskGroup>copyOf(plan.groups());
        var folder = new Path(out); // of this process, where it is relative: executors have folders of their own
        var place = folder.getFileSystem(context.hadoopConfiguration()).makeQualified(folder).toString();
        var results = new ResultFolder(place, new SerializableConfiguration(context.hadoopConfiguration()));
        results.begin(manifest(plan), resume);
        var kept = results.kept();
        var missing = groups.stream().filter(each -> !kept.contains(ResultDirectory.partName(each.number()))).toList();
        printer.println("%,d %s, %,d effects; %,d of %,d files are there already".formatted(plan.inputs().size(),
                plan.kind(), groups.stream().mapToLong(TaskGroup::rows).sum(), groups.size() - missing.size(),
                groups.size()));
        var job = context.broadcast(new TaskGroup.Job(plan.work(), executors, plan.manifest(), results,
                context.getConf().getInt(ATTEMPTS, 3)));
        var failures = missing.isEmpty() ? List.<String>of()
                : context.parallelize(missing, missing.size())
                        .flatMap(each -> each.run(job.value()).stream().iterator())
                        .collect();
        failures.forEach(failure -> spec.commandLine().getErr().println("lmdebug: " + failure));
        printer.println("%,d of %,d files are in %s".formatted(groups.size() - failures.size(), groups.size(), out));
        return failures.isEmpty() ? 0 : 1;
    }

    /** Returns all that the results depend on. */
    private Map<String, Object> manifest(Plan plan) throws IOException {
        var inputs = Digests.sha256();
        plan.inputs().forEach(line -> inputs.update((line + "\n").getBytes(StandardCharsets.UTF_8)));
        var manifest = Json.object(plan.kind(), plan.inputs().size(), plan.kind() + "_sha256", Digests.hex(inputs),
                spec.name(), ExecutorModel.tree(plan.work()), Manifest.CHUNKS,
                plan.groups().stream().map(TaskGroup::rows).toList());
        ExecutorModel.tree(plan.manifest()).properties()
                .forEach(each -> manifest.put(each.getKey(), each.getValue()));
        return manifest;
    }

    /** Returns the rows of a file, or of all in a folder in the order of their names, as lines of JSON. */
    static List<String> lines(SparkSession spark, String file) {
        var rows = file.toLowerCase(Locale.ROOT).endsWith(".jsonl") ? spark.read().text(file)
                : spark.read().parquet(file);
        var columns = Arrays.asList(rows.columns());
        var line = columns.equals(List.of("value")) ? col("value")
                : to_json(struct(columns.stream().map(name -> col(name)).toArray(Column[]::new)));
        return rows
                .select(line.as("line"), col("_metadata.file_path").as("file"), monotonically_increasing_id().as("row"))
                .orderBy("file", "row").select("line").as(Encoders.STRING()).collectAsList().stream()
                .filter(each -> !each.isBlank()).toList();
    }
}
