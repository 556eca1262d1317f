package org.lmdebugger.app.cli;

import picocli.CommandLine.Command;

@Command(name = "corpus", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND",
        description = "Computes what every neuron, head and output does over many texts. Edits take means and samples from "
                + "there (L3D42=mean:NAME, L5H3=resample:NAME), and lmdebug values examples shows when a neuron is active.",
        subcommands = {CorpusBuildCommand.class, CorpusListCommand.class, CorpusShowCommand.class,
                CorpusDeleteCommand.class},
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug corpus build texts.txt",
                "  lmdebug corpus build wiki.jsonl.gz --field body --name wiki --window 128",
                "  lmdebug corpus show texts --out units.parquet --examples examples.parquet",
                "  lmdebug values examples L3D42 --corpus texts",
                "  lmdebug sweep \"The man is a\" --sites heads --op mean:texts"})
final class CorpusCommand extends CommandGroup {
}
