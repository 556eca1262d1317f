package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command with subcommands; alone it lists them, with an example. */
abstract class CommandGroup implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public final Integer call() {
        var help = spec.commandLine().getHelp();
        var err = spec.commandLine().getErr();
        err.print(help.synopsisHeading() + help.synopsis(help.synopsisHeadingLength()) + help.commandListHeading()
                + help.commandList());
        err.println("For example:" + System.lineSeparator() + spec.usageMessage().footer()[0]);
        return CommandLine.ExitCode.USAGE;
    }
}
