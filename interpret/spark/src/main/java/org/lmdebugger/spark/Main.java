package org.lmdebugger.spark;

import java.io.FileNotFoundException;
import java.io.PrintWriter;
import org.apache.spark.sql.AnalysisException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The program that spark-submit starts: the driver's side of each command. */
@Command(name = "lmdebugger-spark", mixinStandardHelpOptions = true, subcommands = {SweepJob.class, PatchJob.class},
        description = "Interprets a GPT-2 model on a Spark cluster.")
public final class Main {
    private Main() {
    }

    public static void main(String[] arguments) {
        int code = commandLine().setOut(new PrintWriter(System.out, true)).setErr(new PrintWriter(System.err, true))
                .execute(arguments);
        if (code != 0) {
            System.exit(code);
        }
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main()).setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((failure, line, _) -> failed(failure, line));
    }

    /** Prints a failure that a user can mend on one line; any other has its stack trace. */
    private static int failed(Exception failure, CommandLine line) throws Exception {
        switch (failure) {
            case IllegalArgumentException wrong -> line.getErr().println("lmdebug: " + wrong.getMessage());
            case AnalysisException wrong -> line.getErr().println("lmdebug: " + wrong.getMessage());
            case FileNotFoundException missing -> line.getErr().println("lmdebug: " + missing.getMessage());
            default -> throw failure;
        }
        return CommandLine.ExitCode.SOFTWARE;
    }
}
