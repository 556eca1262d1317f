package org.lmdebugger.app;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.Sweep;
import org.lmdebugger.interpret.SweepPlan;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "sweep", mixinStandardHelpOptions = true,
        description = "Edits many neurons, each by itself, and measures what every edit does to the prediction.",
        footerHeading = "%nExamples:%n", footer = {
            "  lmdebug sweep \"Once upon a time there was a little\" --neurons all",
            "  lmdebug sweep \"The man is a\" --neurons L2-3 --op set:3 --measure 'logit:\" king\"' --out effects.csv",
            "  lmdebug sweep --prompts prompts.txt --neurons all --at all --out results --resume",
            "  lmdebug query results \"select layer, avg(kl) from effects group by layer order by layer\""})
final class SweepCommand implements Callable<Integer> {
    @Mixin
    private SweepOptions options;

    @Mixin
    private ModelOptions model;

    @Mixin
    private NameOptions names;

    @Option(names = "--top", paramLabel = "N", defaultValue = "20", description = "How many of the strongest effects are shown "
            + "(default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--out", paramLabel = "FILE|DIR", description = "Keeps all effects: FILE.csv, FILE.parquet, or a directory of "
            + "Parquet files that an interrupted sweep goes on from.")
    private Path out;

    @Option(names = "--resume", description = "Goes on where the sweep that wrote DIR was interrupted.")
    private boolean resume;

    @Option(names = "--dry-run", description = "Says what would be computed.")
    private boolean dryRun;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var sweep = options.sweep();
        if (resume && (out == null || isFile())) {
            throw new IllegalArgumentException("--resume: no directory (expected: --out DIR)");
        }
        if (top < 0) {
            throw new IllegalArgumentException("--top: %d (expected: at least 0)".formatted(top));
        }
        checkWritable();
        return model.withAll(debuggers -> {
            run(debuggers, sweep);
            return 0;
        });
    }

    private boolean isFile() {
        return out.toString().endsWith(".csv") || out.toString().endsWith(".parquet");
    }

    /** Better now than after an hour. */
    private void checkWritable() {
        if (out != null && isFile()) {
            var probe = out.resolveSibling("." + out.getFileName() + ".part");
            try {
                Files.write(probe, new byte[0]);
                Files.delete(probe);
            } catch (IOException failure) {
                throw new UncheckedIOException(out + ": cannot be written", failure);
            }
        }
    }

    private void run(List<Debugger> debuggers, Sweep sweep) {
        var debugger = debuggers.getFirst();
        var plan = debugger.plan(sweep);
        var printer = spec.commandLine().getOut();
        if (dryRun) {
            print(printer, plan);
            return;
        }
        var directory = out == null || isFile() ? null : SweepDirectory.open(out, manifest(debugger, plan), resume);
        int first = directory == null ? 0 : Math.min(directory.firstMissing(), plan.chunks().size());
        long done = plan.chunks().subList(0, first).stream().mapToLong(SweepPlan.Chunk::count).sum();
        var strongest = new Strongest(top, sweep.measures());
        try (var table = out == null ? null : new EffectTable(sweep.measures(), debugger.model().tokenizer());
             var bar = bar(plan, done)) {
            Debugger.sweep(debuggers, plan, first, effects -> {
                strongest.add(effects);
                if (table != null) {
                    table.add(effects);
                }
                if (directory != null) {
                    table.write(directory.part(effects.chunk()));
                }
                if (bar != null) {
                    bar.stepBy(effects.size());
                }
                return true;
            });
            if (table != null && directory == null) {
                table.write(out);
            }
        }
        if (first > 0) {
            printer.println("%,d of %,d effects were there already; of the others:".formatted(done, plan.effects()));
        }
        strongest.print(printer, debugger, names.names(debugger).all());
    }

    /** For work of more than one chunk: how much is done, how fast, and how long it will take. */
    private static ProgressBar bar(SweepPlan plan, long done) {
        return plan.chunks().size() == 1 ? null : new ProgressBarBuilder().setTaskName("sweep").setInitialMax(plan.effects())
                .startsFrom(done, Duration.ZERO).setUnit(" effects", 1).showSpeed().build();
    }

    private static void print(PrintWriter out, SweepPlan plan) {
        out.println("%,d effects: %,d rows in %,d chunk%s, %,.1f GFLOP, %,.0f MB beside the model".formatted(plan.effects(), plan.rows(),
                plan.chunks().size(), plan.chunks().size() == 1 ? "" : "s", plan.flop() / 1e9, plan.bytes() / 1e6));
    }

    /** What the results depend on: a sweep that goes on must have all of it equal. */
    private static Map<String, Object> manifest(Debugger debugger, SweepPlan plan) {
        var model = debugger.model();
        var sweep = plan.sweep();
        return TraceJson.object("version", Main.VERSION, "model", model.files().name(), "fingerprint", model.fingerprint(),
                "device", model.device().name() + ": " + model.device().description(), "precision", model.device().precision().toString(),
                "prompts", sweep.prompts().stream().map(Sweep.Prompt::text).toList(), "neurons", String.valueOf(sweep.neurons()),
                "operations", sweep.operations().stream().map(Object::toString).toList(),
                "interventions", sweep.interventions().stream().map(edits -> edits.texts()).toList(),
                "at", sweep.positions().toString(), "measures", sweep.measures().stream().map(Object::toString).toList(),
                "memory", sweep.memory(), "chunks", plan.chunks().stream().map(SweepPlan.Chunk::count).toList());
    }
}
