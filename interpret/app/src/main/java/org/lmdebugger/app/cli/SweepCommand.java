package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.Targets;
import org.lmdebugger.app.ranking.StrongestEffects;
import org.lmdebugger.app.store.EffectFormat;
import org.lmdebugger.app.store.SweepDirectory;
import org.lmdebugger.app.store.SweepFile;
import org.lmdebugger.app.store.SweepOutput;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.model.Prompt;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "sweep", mixinStandardHelpOptions = true,
        description = "Edits many neurons or other parts of the network, each by itself, and measures what every edit does to the prediction.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug sweep \"Once upon a time there was a little\" --neurons all",
                "  lmdebug sweep \"The man is a\" --neurons L2-3 --op set:3 --measure 'logit:\" king\"' --out effects.csv",
                "  lmdebug sweep \"The man is a\" --sites heads --at each --measure 'logit:\" king\"'",
                "  lmdebug sweep --prompts prompts.txt --neurons all --at all --out results/ --resume",
                "  lmdebug query results \"select layer, avg(kl) from effects group by layer order by layer\""})
final class SweepCommand extends ModelCommand {
    @Mixin
    private SweepOptions options;

    @Mixin
    private NameOptions names;

    @Option(names = "--top", paramLabel = "N", defaultValue = "20",
            description = "How many of the strongest effects are shown "
                    + "(default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--out", paramLabel = "FILE|DIR", description = "Keeps all effects in a file, whose name ends in "
            + EffectFormat.ENDINGS
            + ", or in a directory of Parquet files that an interrupted sweep goes on from: one that is there, or DIR/.")
    private String out;

    @Option(names = "--resume", description = "Goes on where the sweep that wrote DIR was interrupted.")
    private boolean resume;

    @Option(names = "--dry-run", description = "Prints the size of the sweep and computes nothing.")
    private boolean dryRun;

    @Override
    public Integer call() {
        var sweep = options.sweep();
        options.showPrompts(spec.commandLine().getErr());
        checkOut();
        if (top < 0) {
            throw new IllegalArgumentException("--top: %d (expected: at least 0)".formatted(top));
        }
        return model.withAll(debuggers -> {
            run(debuggers, sweep);
            return 0;
        });
    }

    /** A new directory's name ends in a slash, so that a mistyped ending makes none. */
    private boolean isDirectory() {
        return out.endsWith("/") || !out.isEmpty() && Files.isDirectory(Path.of(out));
    }

    private void checkOut() {
        if (resume && (out == null || !isDirectory())) {
            throw new IllegalArgumentException("--resume: no directory (expected: --out DIR/)");
        }
        if (out != null && !isDirectory() && EffectFormat.of(out).isEmpty()) {
            throw new IllegalArgumentException(
                    "--out: %s (expected: a name that ends in %s; or a directory: one that is there, or a new name that ends in /)"
                            .formatted(Text.fit(out, 60).strip(), EffectFormat.ENDINGS));
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
        var measures = sweep.measures().stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
        var strongest = measures.isEmpty() ? null : new StrongestEffects(top, measures.getFirst());
        try (var output = out == null ? null : output(debugger, plan)) {
            var missing = output == null ? all(plan) : output.missing();
            long done = plan.effects() - missing.stream().mapToLong(chunk -> plan.chunks().get(chunk).count()).sum();
            try (var bar = bar(plan, done)) {
                compute(debuggers, plan, missing, effects -> {
                    if (strongest != null) {
                        strongest.add(effects);
                    }
                    if (output != null) {
                        output.add(effects);
                    }
                    if (bar != null) {
                        bar.stepBy(effects.size());
                    }
                });
            }
            if (output != null) {
                output.complete();
            }
            if (done > 0) {
                printer.println(
                        "%,d of %,d effects were there already; of the others:".formatted(done, plan.effects()));
            }
        }
        if (strongest != null) {
            new StrongestTable(printer, measures).print(strongest, debugger, names.names(debugger).all());
        }
    }

    private SweepOutput output(Debugger debugger, SweepPlan plan) {
        var tokenizer = debugger.model().tokenizer();
        return isDirectory()
                ? SweepDirectory.open(Path.of(out), manifest(debugger, plan), resume, plan, tokenizer,
                        spec.commandLine().getErr()::println)
                : SweepFile.open(Path.of(out), plan, tokenizer);
    }

    private static BitSet all(SweepPlan plan) {
        var all = new BitSet();
        all.set(0, plan.chunks().size());
        return all;
    }

    /** Computes these chunks, run by run. */
    private static void compute(List<Debugger> debuggers, SweepPlan plan, BitSet chunks, Consumer<Effects> taker) {
        for (int from = chunks.nextSetBit(0); from >= 0; from = chunks.nextSetBit(chunks.nextClearBit(from))) {
            int end = chunks.nextClearBit(from);
            Debugger.sweep(debuggers, plan, from, effects -> {
                taker.accept(effects);
                return effects.chunk() + 1 < end;
            });
        }
    }

    /** Returns a bar of the progress, speed and remaining time; null for a single chunk. */
    private static ProgressBar bar(SweepPlan plan, long done) {
        return plan.chunks().size() == 1 ? null
                : Bars.build(new ProgressBarBuilder().setTaskName("sweep")
                        .setInitialMax(plan.effects()).startsFrom(done, Duration.ZERO).setUnit(" effects", 1)
                        .showSpeed());
    }

    private static void print(PrintWriter out, SweepPlan plan) {
        out.println("%,d effects: %,d rows in %,d chunk%s, %,.1f GFLOP, %,.0f MB beside the model".formatted(
                plan.effects(), plan.rows(),
                plan.chunks().size(), plan.chunks().size() == 1 ? "" : "s", plan.flop() / 1e9, plan.bytes() / 1e6));
    }

    private static Object json(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Text(var text) -> text;
            case Prompt.Ids(var ids) -> ids;
        };
    }

    /** Returns everything that the results depend on: a resumed sweep must have all of it equal. */
    private static Map<String, Object> manifest(Debugger debugger, SweepPlan plan) {
        var model = debugger.model();
        var sweep = plan.sweep();
        return Json.object("version", Version.NUMBER, "model", model.files().name(), "fingerprint", model.fingerprint(),
                "device", model.device().name() + ": " + model.device().description(), "precision",
                model.device().precision().toString(),
                "prompts", sweep.prompts().stream().map(SweepCommand::json).toList(),
                "targets", Targets.tokens(sweep.targets()), "against", Targets.against(sweep.targets()), "neurons",
                String.valueOf(sweep.parts()),
                "edits", sweep.base().texts(),
                "operations", sweep.operations().stream().map(Object::toString).toList(),
                "interventions", sweep.interventions().stream().map(edits -> edits.texts()).toList(),
                "at", sweep.positions().toString(), "measures",
                sweep.measures().stream().map(Object::toString).toList(),
                "memory", sweep.memory(), "chunks", plan.chunks().stream().map(SweepPlan.Chunk::count).toList());
    }
}
