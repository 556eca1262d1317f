package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.app.json.Targets;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The options that define a sweep. */
final class SweepOptions {
    private static final int SHOWN = 8;

    @Parameters(paramLabel = "PROMPT", arity = "0..*",
            description = "Texts; effects are read at the last token of each.")
    private List<String> prompts = new ArrayList<>();

    @Option(names = "--prompts", paramLabel = "FILE", description = "More prompts, one a line; in a file that ends in "
            + ".jsonl a line is {\"prompt\":\"The man is a\",\"target\":\" king\",\"against\":\" queen\"}, or has ids "
            + "instead of a prompt: {\"ids\":[464,582,318]}.")
    private Path promptFile;

    @Option(names = "--target", paramLabel = "T", description = "A prompt's target, for measures such as logit:target: "
            + "one token, or its id (#620). Given once it is that of all prompts, else one for each, in order; a "
            + "prompt's own in a .jsonl file goes first.")
    private List<String> targets = new ArrayList<>();

    @Option(names = "--against", paramLabel = "T",
            description = "The same for the second token of difference:target/against.")
    private List<String> against = new ArrayList<>();

    @Option(names = "--neurons", paramLabel = "N",
            description = "all; L0-3; L2D5,L3D7; L2D5-99; or dominant:20, those of each "
                    + "layer that weigh most. Each is edited by itself.")
    private String neurons;

    @Option(names = "--sites", paramLabel = "S",
            description = "Other parts than neurons, each edited by itself: heads, q, k, v, pattern, links, pre, mid, post, "
                    + "attention or ffn, also of some layers (heads:L2-4); or by name, with + for parts that are edited "
                    + "together: L5H3,L5D1+L5D7,L6H*.")
    private String sites;

    @Option(names = "--op", paramLabel = "OP",
            description = "off (default), set:3, scale:2, add:1.5, add:4*L3D42 or project-out:L3D42 (a direction), "
                    + "from:\"other prompt\", or mean:NAME, mean-at:NAME or resample:NAME#SEED of a corpus; on or off in "
                    + "mode lm-debugger. Repeatable.")
    private List<String> operations = new ArrayList<>();

    @Option(names = "--samples", paramLabel = "N",
            description = "Does each operation resample:NAME with N texts of the corpus, and shows means and standard "
                    + "errors. Files have a row for each text.")
    private Integer samples;

    @Option(names = "--interventions", paramLabel = "FILE",
            description = "Interventions of your own, one a line, each of one or "
                    + "more edits: L1D2=0@last; L3D4*=2")
    private Path interventionFile;

    @Option(names = "--edit", paramLabel = "E",
            description = "An edit that holds in the clean and in every edited run, before the sweep's own: see lmdebug "
                    + "help trace. Repeatable.")
    private List<String> edits = new ArrayList<>();

    @Option(names = "--at", paramLabel = "P", defaultValue = "last",
            description = "Where parts are edited: last (default, and the fastest), all, 3, 1,4 or 2..5; or each: one "
                    + "intervention for each position.")
    private String at;

    @Option(names = "--mode", paramLabel = "MODE", defaultValue = "exact", converter = EditOptions.ModeConverter.class,
            description = "exact, or lm-debugger (default: ${DEFAULT-VALUE}).")
    private Mode mode;

    @Option(names = "--measure", paramLabel = "M",
            description = "kl (default), entropy, logit:\" king\", probability:\" king\", "
                    + "log-probability:\" king\", rank:\" king\" (from 0 in files), difference:\" king\"/\" queen\" "
                    + "or top:5; for a token of each prompt's own logit:target and difference:target/against. "
                    + "Repeatable; only these are computed.")
    private List<String> measures = new ArrayList<>();

    @Option(names = "--memory", paramLabel = "MB",
            description = "How much a chunk of the work may take "
                    + "(default: 256; on a GPU 2048, or an eighth of its memory).")
    private Integer memory;

    Sweep sweep() {
        var sweep = ofPrompts().at(Positions.parse(at)).memory(memory == null ? Sweep.AS_SUITS : (long) memory << 20)
                .measure((measures.isEmpty() ? List.of("kl") : measures).stream().map(Measure::parse)
                        .toArray(Measure[]::new));
        if (neurons != null && sites != null) {
            throw new IllegalArgumentException("--sites: %s beside --neurons (expected: one of them)"
                    .formatted(Text.fit(sites, 60).strip()));
        }
        if (neurons != null || sites != null) {
            sweep = sweep.parts(sites == null ? NeuronSelection.parse(neurons) : PartSelection.parse(sites));
            for (var text : operations.isEmpty() ? List.of("off") : operations) {
                sweep = sweep.operation(mode.operation(text));
            }
        } else if (!operations.isEmpty()) {
            throw new IllegalArgumentException(
                    "--op: no parts (expected: --neurons, such as all, or --sites, such as heads)");
        }
        sweep = samples == null ? sweep : sweep.samples(samples);
        sweep = sweep.base(Intervention.parse(mode, edits));
        if (samples != null && interventionFile != null) {
            throw new IllegalArgumentException(
                    "--samples: %d beside --interventions (expected: one of them; seeds are written in the file)"
                            .formatted(samples));
        }
        return interventionFile == null ? sweep : sweep.interventions(EditOptions.read(interventionFile, mode));
    }

    /** Returns whether there is any option that defines a sweep. */
    boolean isGiven() {
        return Stream.of(prompts, targets, against, operations, edits, measures).anyMatch(list -> !list.isEmpty())
                || Stream.of(promptFile, neurons, sites, samples, interventionFile, memory).anyMatch(Objects::nonNull)
                || !at.equals("last") || mode != Mode.EXACT;
    }

    /** Returns means over the samples of a corpus' texts, if several of them were asked for. */
    Optional<SampleMeans> means(List<Measure> of) {
        return Optional.ofNullable(samples).map(count -> new SampleMeans(of, count));
    }

    private Sweep ofPrompts() {
        var all = new ArrayList<>(prompts.stream().map(SweepPrompt::of).toList());
        if (promptFile != null) {
            all.addAll(SweepPrompt.read(promptFile));
        }
        var targetTokens = Targets.each("--target", targets, all.size());
        var againstTokens = Targets.each("--against", against, all.size());
        return Sweep.of(all.stream().map(SweepPrompt::prompt).toList())
                .targets(IntStream.range(0, all.size())
                        .mapToObj(i -> new Target(all.get(i).target().token().or(() -> targetTokens.get(i)),
                                all.get(i).target().against().or(() -> againstTokens.get(i))))
                        .toList());
    }

    /** Shows several prompts before they cost time: they may be the words of one that lacks its quotation marks. */
    void showPrompts(PrintWriter out) {
        if (prompts.size() > 1) {
            out.println(
                    prompts.stream().limit(SHOWN).map(prompt -> '"' + Text.fit(Text.visible(prompt), 40).strip() + '"')
                            .collect(Collectors.joining(", ", prompts.size() + " prompts: ",
                                    prompts.size() > SHOWN ? ", …" : "")));
        }
    }
}
