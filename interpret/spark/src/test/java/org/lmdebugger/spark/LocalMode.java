package org.lmdebugger.spark;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Commands on two threads of this process, as Spark runs them without a cluster. */
abstract class LocalMode {
    @TempDir
    static Path single;

    @TempDir
    Path directory;
    Path out;
    final StringWriter printed = new StringWriter();
    final StringWriter errors = new StringWriter();

    @BeforeAll
    static void configure() {
        System.setProperty("spark.master", "local[2,3]"); // two threads, three attempts
        System.setProperty("spark.ui.enabled", "false");
        System.setProperty("spark.sql.warehouse.dir", single.resolve("warehouse").toString());
    }

    @AfterAll
    static void clear() {
        List.of("spark.master", "spark.ui.enabled", "spark.sql.warehouse.dir").forEach(System::clearProperty);
    }

    @BeforeEach
    void place() {
        out = directory.resolve("results");
    }

    int run(String command, int group, String... more) {
        printed.getBuffer().setLength(0);
        errors.getBuffer().setLength(0);
        return Main.commandLine().setOut(new PrintWriter(printed, true)).setErr(new PrintWriter(errors, true))
                .execute(Stream.concat(Stream.of(command, "--out", out.toString(), "--group", "" + group),
                        Stream.of(more)).toArray(String[]::new));
    }
}
