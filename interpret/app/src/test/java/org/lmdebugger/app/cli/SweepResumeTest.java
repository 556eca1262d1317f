package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sweep that is killed again and again has, in the end, the results of one that was not. */
@Tag("slow")
class SweepResumeTest {
    private static final int KILLS = 10;
    private static final String[] SWEEP = {"sweep", "Once upon a time there was a little", "--neurons", "all",
            "--measure", "kl",
            "--measure", "logit:\" girl\"", "--memory", "1"};

    @Test
    void killedTenTimes(@TempDir Path directory) throws Exception {
        var killed = directory.resolve("killed");
        var random = new Random(Long.getLong("test.seed", 7));
        for (int kill = 0; kill < KILLS; kill++) {
            killAfter(killed, parts(killed) + random.nextInt(10), random.nextInt(20));
        }
        long left = parts(killed);
        var whole = directory.resolve("whole");
        sweep(whole);
        System.out.println("killed " + KILLS + " times, with " + left + " of " + parts(whole) + " parts written");
        assertThat(left).isLessThan(parts(whole));
        sweep(killed);
        assertThat(parts(killed)).isEqualTo(parts(whole));
        assertThat(difference(killed, whole)).isZero();
        assertThat(difference(whole, killed)).isZero();
    }

    private static long parts(Path results) throws IOException {
        if (!Files.isDirectory(results)) {
            return 0;
        }
        try (var files = Files.list(results)) {
            return files.filter(file -> file.getFileName().toString().startsWith("part-")).count();
        }
    }

    /** Kills a sweep {@code millis} after it has written as many parts as that, at whatever it is doing. */
    private static void killAfter(Path results, long parts, int millis) throws Exception {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
                "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(SWEEP));
        command.addAll(List.of("--out", results + "/", "--resume"));
        var log = results.resolveSibling("log");
        var process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        try {
            while (process.isAlive() && parts(results) < parts) {
                Thread.sleep(1);
            }
            Thread.sleep(millis);
            assertThat(process.isAlive()).as("%s", Files.readString(log)).isTrue();
        } finally {
            process.destroyForcibly().waitFor(); // SIGKILL
        }
    }

    private static void sweep(Path results) {
        var arguments = new ArrayList<>(List.of(SWEEP));
        arguments.addAll(List.of("--out", results + "/", "--resume"));
        var err = new StringWriter();
        assertThat(Main.commandLine().setOut(new PrintWriter(new StringWriter())).setErr(new PrintWriter(err, true))
                .execute(arguments.toArray(String[]::new))).as("%s", err).isZero();
    }

    /** How many rows, with all their bits, are in one and not in the other, counting repeated ones. */
    private static long difference(Path one, Path other) throws Exception {
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement();
                var rows = statement.executeQuery(
                        "select count(*) from (select * from '%s/part-*.parquet' except all select * from '%s/part-*.parquet')"
                                .formatted(one, other))) {
            rows.next();
            return rows.getLong(1);
        }
    }
}
