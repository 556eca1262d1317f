package org.lmdebugger.app.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.app.cli.Main;

/** Other processes, with this one's class path. */
public final class Processes {
    private Processes() {
    }

    static Process start(Path log, Class<?> main, String... arguments) throws IOException {
        return new ProcessBuilder(java(main, arguments)).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    }

    /** {@code lmdebug serve} on a free port of loopback, started by {@code starter}, with the flags of the command. */
    public static Process serve(List<String> starter, Path folder, String... options) throws IOException {
        var command = new ArrayList<>(starter);
        command.addAll(java(Main.class, "serve", "--port", "0", "--device", "cpu", "--data",
                folder.resolve("data").toString()));
        command.addAll(List.of(options));
        return new ProcessBuilder(command).redirectError(folder.resolve("errors").toFile()).start();
    }

    private static List<String> java(Class<?> main, String... arguments) {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-XX:+UseSerialGC",
                "-Xmn16m",
                "-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        return command;
    }
}
