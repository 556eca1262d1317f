package org.lmdebugger.app.cli;

import picocli.CommandLine.Command;

@Command(name = "values", mixinStandardHelpOptions = true, synopsisSubcommandLabel = "COMMAND",
        description = "Looks into the value vectors, of which each feed-forward layer adds up some: what they say, and which of them "
                + "answer a question.",
        subcommands = {ValuesShowCommand.class, ValuesExamplesCommand.class, ValuesSearchCommand.class,
                ValuesPromoteCommand.class,
                ValuesSimilarCommand.class,
                ValuesClusterCommand.class, ValuesNameCommand.class, ValuesNamesCommand.class},
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug values show L3D42",
                "  lmdebug values examples L3D42",
                "  lmdebug values search \"king, queen\"",
                "  lmdebug values promote \" king\" \" queen\"",
                "  lmdebug values promote \" king\" --suppress",
                "  lmdebug values similar L3D42",
                "  lmdebug values cluster L3D42",
                "  lmdebug values name L3D42 \"royalty\""})
final class ValuesCommand extends CommandGroup {
}
