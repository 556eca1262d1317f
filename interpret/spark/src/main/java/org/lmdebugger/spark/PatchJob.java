package org.lmdebugger.spark;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.lmdebugger.app.cli.PatchOptions;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.interpret.sweep.Sweep;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Activation patching of a data set of pairs on a Spark cluster. All pairs are checked by one executor. */
@Command(name = "patch", mixinStandardHelpOptions = true,
        description = "Activation patching of a data set of pairs, on all executors of a Spark application: options are as of "
                + "lmdebug patch, rows as it writes them.",
        footerHeading = "%nExample:%n",
        footer = "  spark-submit … lmdebugger-spark.jar patch --pairs pairs.jsonl --by role --model gpt2 --out hdfs:///results")
final class PatchJob extends Driver {
    @Option(names = "--pairs", paramLabel = "FILE", required = true,
            description = "The data set, on any file system of Hadoop's: JSON Lines as of lmdebug patch --pairs, if the name "
                    + "ends in .jsonl; else Parquet with the columns clean, corrupted, answers, wrong and, it may be, positions.")
    private String pairs;

    @Mixin
    private PatchOptions options;

    /** What an executor finds: the number of effects of each pair; or what is {@code wrong}, empty if nothing is. */
    private record Checked(String manifest, long effects, String wrong) implements Serializable {
    }

    @Override
    public Integer call() throws IOException {
        options.patchings().read(); // before Spark starts
        return super.call();
    }

    @Override
    Plan plan(SparkSession spark, JavaSparkContext context, ExecutorModel executors, int size) {
        var work = Json.line(options.patchings());
        var lines = lines(spark, pairs);
        var all = context.broadcast(lines);
        var checked = context.parallelize(List.of(work), 1).map(some -> check(all.value(), some, executors)).first();
        if (!checked.wrong.isEmpty()) {
            throw new IllegalArgumentException(checked.wrong);
        }
        var groups = new ArrayList<PairGroup>();
        for (int from = 0; from < lines.size(); from += size) {
            var some = List.copyOf(lines.subList(from, Math.min(from + size, lines.size())));
            groups.add(new PairGroup(groups.size(), from, some, some.size() * checked.effects));
        }
        return new Plan("pairs", lines, work, checked.manifest, groups);
    }

    /** Checks pairs as one process would. */
    private static Checked check(List<String> lines, String work, ExecutorModel model) {
        var debugger = model.debugger();
        try {
            var patchings = PairGroup.patchings(work);
            var pairs = IntStream.range(0, lines.size()).mapToObj(p -> PairGroup.pair(p, lines.get(p))).toList();
            debugger.averaging(pairs, patchings.getFirst(), p -> PairGroup.name(p, lines.get(p)));
            return new Checked(ExecutorModel.manifest(debugger, patchings.getFirst().edits().corpora()),
                    debugger.plan(pairs.getFirst(), patchings, Sweep.AS_SUITS).cells(), "");
        } catch (IllegalArgumentException wrong) { // another attempt would find it, too
            return new Checked("", 0, String.valueOf(wrong.getMessage()));
        }
    }
}
