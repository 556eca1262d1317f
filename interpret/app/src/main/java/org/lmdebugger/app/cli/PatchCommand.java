package org.lmdebugger.app.cli;

import java.util.List;
import java.util.Map;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.PatchJson;
import org.lmdebugger.app.json.SieveJson;
import org.lmdebugger.app.store.PatchTable;
import org.lmdebugger.app.store.Share;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.NeuronEstimates;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "patch", mixinStandardHelpOptions = true,
        description = "Activation patching: each part of the network, by itself, becomes in one prompt's run what it is in the "
                + "other's. Measures how much of the answers' logit difference that restores or breaks. "
                + "Edits (--edit) hold in every run: that of CLEAN, that of CORRUPTED, and each patched one, before the patch.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug patch \"Once upon a time there was a little girl named\" \\",
                "      \"Once upon a time there was a little boy named\" --sites pre,heads",
                "  lmdebug patch CLEAN CORRUPTED --answer \" she\" --wrong \" he\" --sites heads,q,k,v --at all",
                "  lmdebug patch CLEAN CORRUPTED --edit L2H5=0 --sites heads --at all",
                "  lmdebug patch CLEAN CORRUPTED --sites neurons --sieve 1000",
                "  lmdebug patch --pairs pairs.jsonl --by role --out results/"})
final class PatchCommand extends ModelCommand {
    @Mixin
    private PairOptions pairs;

    @Mixin
    private PatchOptions options;

    @Option(names = "--top", paramLabel = "N", defaultValue = "10",
            description = "How many of the strongest effects are listed (default: ${DEFAULT-VALUE}).")
    private int top;

    @Mixin
    private SieveOptions sieve;

    @Mixin
    private OutputOptions output;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var asked = options.patchings();
        var patchings = asked.read();
        output.check();
        if (top < 0) {
            throw new IllegalArgumentException("--top: %d (expected: at least 0)".formatted(top));
        }
        pairs.check();
        sieve.check(output);
        if (sieve.isGiven()) {
            if (pairs.isDataSet() || output.isGiven() || !patchings.equals(List.of(new Patching(NeuronSelection.ALL,
                    patchings.getFirst().direction(), Columns.POSITIONS)))) {
                throw new IllegalArgumentException(
                        "--sieve: with --sites %s%s (expected: --sites neurons of one pair, at each position, without edits and --out)"
                                .formatted(String.join(",", asked.sites()), pairs.isDataSet() ? " and --pairs" : ""));
            }
            return model.with(
                    debugger -> neurons(debugger, pairs.pair(debugger), patchings.getFirst().direction()));
        }
        if (!pairs.isDataSet()) {
            if (patchings.getFirst().columns() == Columns.ROLES) {
                throw new IllegalArgumentException("--by: role (expected: --pairs, whose lines name roles)");
            }
            if (output.isDirectory()) {
                throw new IllegalArgumentException("--out: a directory (expected: a file; or --pairs)");
            }
            return model.with(debugger -> one(debugger, pairs.pair(debugger), patchings));
        }
        var dataSet = new PairsPatching(pairs.lines(), patchings, output, spec.commandLine().getErr());
        return model.with(debugger -> many(debugger, dataSet));
    }

    private int one(Debugger debugger, Pair pair, List<Patching> patchings) {
        List<Grid> grids;
        try (var results = output.<PatchTable.Patched>open(debugger, List.of(), new Share.Range(0, 1),
                Map.of(),
                place -> new PatchTable(false, place))) {
            try (var bar = new BuildBar("patching")) {
                grids = debugger.patch(pair, patchings, bar);
            }
            if (results != null) {
                results.add(0, new PatchTable.Patched(0, pair, grids));
                results.complete();
            }
        }
        if (json.isGiven()) {
            spec.commandLine().getOut().println(Json.print(PatchJson.of(debugger, pair, grids)));
        } else {
            printer(debugger).print(pair, grids);
        }
        return 0;
    }

    private int neurons(Debugger debugger, Pair pair, Direction way) {
        var estimates = NeuronEstimates.of(debugger.model(), pair, way);
        var choice = sieve.choose(estimates::sieve);
        var baseline = debugger.baseline(pair);
        Map<Integer, Grid.Cell> cells;
        try (var bar = new BuildBar("neurons")) {
            cells = estimates.exact(debugger.model(), choice, bar);
        }
        var out = spec.commandLine().getOut();
        if (json.isGiven()) {
            out.println(Json.print(SieveJson.of(debugger, baseline, estimates, choice, cells)));
        } else {
            printer(debugger).print(baseline, estimates, cells);
            SieveOptions.print(out, "effects of neurons at positions", choice,
                    choice.quality(index -> cells.get(index).effect()));
        }
        return 0;
    }

    private int many(Debugger debugger, PairsPatching dataSet) {
        var averages = dataSet.averages(debugger);
        if (json.isGiven()) {
            spec.commandLine().getOut().println(Json.print(PatchJson.of(debugger, averages)));
        } else {
            printer(debugger).print(averages);
        }
        return 0;
    }

    private PatchPrinter printer(Debugger debugger) {
        return new PatchPrinter(spec.commandLine().getOut(), spec.commandLine().getColorScheme().ansi(),
                debugger.model(), top);
    }
}
