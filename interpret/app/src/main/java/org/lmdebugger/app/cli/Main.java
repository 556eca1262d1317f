package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Locale;
import org.lmdebugger.app.Version;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.bindings.Terminal;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code lmdebug}. Exit codes: 0 done, 1 it could not be done, 2 the command line was wrong. */
@Command(name = "lmdebug", mixinStandardHelpOptions = true, version = "lmdebug " + Version.NUMBER,
        description = "See and change how a GPT-2 model makes a prediction.",
        subcommands = {TraceCommand.class, GenerateCommand.class, SweepCommand.class, PatchCommand.class,
                EdgesCommand.class, CircuitCommand.class,
                QueryCommand.class, ValuesCommand.class, CorpusCommand.class,
                ServeCommand.class, ModelsCommand.class, DevicesCommand.class,
                GenerateCompletion.class, HelpCommand.class},
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug trace \"Once upon a time there was a little\"",
                "  lmdebug trace \"Once upon a time there was a little\" --edit L3D42=0 --token \" girl\"",
                "  lmdebug generate \"Once upon a time\" --tokens 40",
                "  lmdebug sweep \"Once upon a time there was a little\" --neurons all",
                "  lmdebug values show L3D42",
                "  lmdebug help trace"})
public final class Main extends CommandGroup {
    private static final int HELP_WIDTH = 100; // columns: no example is broken

    private Main() {
    }

    public static void main(String[] arguments) {
        var standardError = Integer.getInteger("lmdebug.stderr"); // where it leads after the JVM's start, see the launcher
        if (standardError != null) {
            Terminal.standardErrorTo(standardError);
        }
        Locale.setDefault(Locale.ROOT); // for libraries that ask for it; this project's own code does not
        System.setOut(Utf8.stream(System.out));
        System.setErr(Utf8.stream(System.err));
        var commandLine = commandLine().setOut(new PrintWriter(System.out, true))
                .setErr(new PrintWriter(System.err, true));
        if (!Utf8.isIntact(arguments)) {
            say(commandLine, "arguments: not UTF-8, or read as " + Utf8.encoding()
                    + ", the locale's encoding (expected: UTF-8, and LC_ALL=C.UTF-8, which ./lmdebug sets)");
            System.exit(CommandLine.ExitCode.USAGE);
        }
        System.exit(commandLine.execute(arguments));
    }

    static CommandLine commandLine() {
        var commandLine = new CommandLine(new Main());
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setUsageHelpWidth(HELP_WIDTH);
        commandLine.setParameterExceptionHandler(Main::wrongUsage);
        commandLine.setExecutionExceptionHandler(Main::failed);
        return commandLine;
    }

    private static int wrongUsage(ParameterException failure, String[] arguments) {
        var commandLine = failure.getCommandLine();
        var meant = failure instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions()
                : List.<String>of();
        commandLine.getErr().println("lmdebug: %s (%ssee: %s --help)".formatted(failure.getMessage(),
                meant.isEmpty() ? "" : "did you mean " + String.join(" or ", meant) + "? ",
                commandLine.getCommandSpec().qualifiedName()));
        return CommandLine.ExitCode.USAGE;
    }

    /** Prints a failure that a user can mend on one line; any other is a bug, and is shown with its stack trace. */
    private static int failed(Exception failure, CommandLine commandLine, CommandLine.ParseResult result)
            throws Exception {
        switch (failure) {
            case IllegalArgumentException wrong -> say(commandLine, wrong.getMessage());
            case InvalidModelException wrong -> say(commandLine, wrong.getMessage());
            case NativeLibraryException wrong -> say(commandLine, wrong.getMessage());
            case OutOfDeviceMemoryException wrong -> say(commandLine, wrong.getMessage());
            case UncheckedIOException wrong -> say(commandLine, wrong.getMessage() + ": " + wrong.getCause());
            default -> throw failure;
        }
        return CommandLine.ExitCode.SOFTWARE;
    }

    private static void say(CommandLine commandLine, String message) {
        commandLine.getErr().println("lmdebug: " + message);
    }
}
