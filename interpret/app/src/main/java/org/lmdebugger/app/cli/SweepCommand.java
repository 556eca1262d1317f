package org.lmdebugger.app.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.SweepPlanJson;
import org.lmdebugger.app.json.Targets;
import org.lmdebugger.app.ranking.StrongestEffects;
import org.lmdebugger.app.ranking.StrongestEffects.Change;
import org.lmdebugger.app.store.EffectTable;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.files.AtomicFile;
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

    @Mixin
    private OutputOptions output;

    @Option(names = "--dry-run", description = "Prints the size of the sweep and computes nothing.")
    private boolean dryRun;

    @Option(names = "--save-plan", paramLabel = "FILE",
            description = "Writes the sweep and its units of work as JSON, and "
                    + "computes nothing.")
    private Path savedPlan;

    @Option(names = "--plan", paramLabel = "FILE",
            description = "Computes the sweep of a plan that --save-plan wrote, instead of one that options describe.")
    private Path plan;

    @Override
    public Integer call() {
        var read = plan == null ? null : readPlan();
        var sweep = read == null ? options.sweep() : read.sweep().read();
        options.showPrompts(spec.commandLine().getErr());
        output.check();
        if (top < 0) {
            throw new IllegalArgumentException("--top: %d (expected: at least 0)".formatted(top));
        }
        return model.withAll(debuggers -> {
            run(debuggers, sweep, read);
            return 0;
        });
    }

    private SweepPlanJson readPlan() {
        if (options.isGiven()) {
            throw new IllegalArgumentException(
                    "--plan: %s beside options of a sweep (expected: one or the other)".formatted(plan));
        }
        try {
            return SweepPlanJson.read(Files.readAllBytes(plan));
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(plan + ": " + wrong.getMessage(), wrong);
        } catch (IOException failure) {
            throw new UncheckedIOException(plan + ": cannot be read", failure);
        }
    }

    private void savePlan(SweepPlan made) {
        try {
            AtomicFile.write(savedPlan, Json.print(SweepPlanJson.of(made)).getBytes(StandardCharsets.UTF_8));
        } catch (IOException failure) {
            throw new UncheckedIOException(savedPlan + ": cannot be written", failure);
        }
    }

    /** @param read the plan that was read; null without one */
    private void run(List<Debugger> debuggers, Sweep asked, SweepPlanJson read) {
        var debugger = debuggers.getFirst();
        var sweep = asked.memory(asked.memoryOn(debugger.model().device()));
        var plan = debugger.plan(sweep);
        if (read != null) {
            read.check(plan);
        }
        var printer = spec.commandLine().getOut();
        var own = output.own(plan.chunks().stream().map(SweepPlan.Chunk::flop).toList());
        var chunks = plan.chunks().subList(own.from(), own.to());
        if (savedPlan != null) {
            savePlan(plan);
        }
        if (dryRun || savedPlan != null) {
            print(printer, chunks, plan.bytes());
            return;
        }
        long all = chunks.stream().mapToLong(SweepPlan.Chunk::count).sum();
        var measures = sweep.measures().stream().filter(measure -> !(measure instanceof Measure.Top)).toList();
        var strongest = measures.isEmpty() ? null
                : new StrongestEffects(top, measures.getFirst(), Change.ANY, options.means(measures));
        var tokenizer = debugger.model().tokenizer();
        try (var results = output.<Effects>open(debugger, plan.chunks().stream().map(SweepPlan.Chunk::count).toList(),
                own,
                settings(debugger, plan), place -> new EffectTable(sweep.measures(), tokenizer, place))) {
            var missing = new BitSet();
            for (int chunk = own.from(); chunk < own.to(); chunk++) {
                missing.set(chunk, results == null || results.kept(chunk).isEmpty());
            }
            long done = all - missing.stream().mapToLong(chunk -> plan.chunks().get(chunk).count()).sum();
            try (var bar = bar(chunks.size(), all, done)) {
                compute(debuggers, plan, missing, effects -> {
                    if (strongest != null) {
                        strongest.add(effects);
                    }
                    if (results != null) {
                        results.add(effects.chunk(), effects);
                    }
                    if (bar != null) {
                        bar.stepBy(effects.size());
                    }
                });
            }
            if (results != null) {
                results.complete();
            }
            if (done > 0) {
                printer.println(
                        "%,d of %,d effects were there already; of the others:".formatted(done, all));
            }
        }
        if (strongest != null) {
            new StrongestTable(printer, measures).print(strongest, debugger, names.names(debugger).all());
        }
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
    private static ProgressBar bar(int chunks, long effects, long done) {
        return chunks <= 1 ? null
                : Bars.build(new ProgressBarBuilder().setTaskName("sweep")
                        .setInitialMax(effects).startsFrom(done, Duration.ZERO).setUnit(" effects", 1)
                        .showSpeed());
    }

    private static void print(PrintWriter out, List<SweepPlan.Chunk> chunks, long bytes) {
        out.println("%,d effects: %,d rows in %,d chunk%s, %,.1f GFLOP, %,.0f MB beside the model".formatted(
                chunks.stream().mapToLong(SweepPlan.Chunk::count).sum(),
                chunks.stream().mapToLong(SweepPlan.Chunk::rows).sum(), chunks.size(), chunks.size() == 1 ? "" : "s",
                chunks.stream().mapToDouble(SweepPlan.Chunk::flop).sum() / 1e9, bytes / 1e6));
    }

    private static Object json(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Text(var text) -> text;
            case Prompt.Ids(var ids) -> ids;
        };
    }

    /** Returns all but the model that the results depend on. */
    private static Map<String, Object> settings(Debugger debugger, SweepPlan plan) {
        var sweep = plan.sweep();
        return Json.object("prompts", sweep.prompts().stream().map(SweepCommand::json).toList(),
                "targets", Targets.tokens(sweep.targets()), "against", Targets.against(sweep.targets()), "neurons",
                String.valueOf(sweep.parts()),
                "corpora", Manifest.corpora(debugger, sweep.corpora()), "edits", sweep.base().texts(),
                "operations", sweep.operations().stream().map(Object::toString).toList(),
                "interventions", sweep.interventions().stream().map(edits -> edits.texts()).toList(),
                "at", sweep.positions().toString(), "measures",
                sweep.measures().stream().map(Object::toString).toList(),
                "memory", sweep.memory());
    }
}
