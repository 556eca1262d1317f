package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.checkpoint.Digests;

/** A command that is killed again and again has, in the end, the results of one that was not, byte for byte. */
@Tag("slow")
class ResumeTest {
    private static final List<String> SWEEP = List.of("sweep", "Once upon a time there was a little", "--neurons",
            "all",
            "--measure", "kl", "--measure", "logit:\" girl\"", "--memory", "1");
    private static final String PAIR = "{\"clean\":\"One day %s was sad. Then\",\"corrupted\":\"One day Tom was sad. Then\","
            + "\"answers\":[\" she\"],\"wrong\":[\" he\"]}";

    @TempDir
    private Path directory;

    @ParameterizedTest
    @CsvSource({"sweep, 10, 10", "patch, 3, 2"})
    void killedAndResumed(String command, int kills, int most) throws Exception {
        var arguments = command.equals("sweep") ? SWEEP : patch();
        var killed = directory.resolve("killed");
        var random = new Random(Long.getLong("test.seed", 7));
        for (int kill = 0; kill < kills; kill++) {
            killAfter(arguments, killed, parts(killed) + random.nextInt(most), random.nextInt(20));
        }
        long left = parts(killed);
        var whole = directory.resolve("whole");
        var printed = run(arguments, whole);
        System.out.println(
                "%s killed %d times, with %d of %d parts written".formatted(command, kills, left, parts(whole)));
        assertThat(left).isLessThan(parts(whole));
        var printedInTheEnd = run(arguments, killed);
        assertThat(contents(killed)).isEqualTo(contents(whole));
        if (command.equals("patch")) { // a sweep prints the strongest effects of the chunks that it computed
            assertThat(printedInTheEnd).isEqualTo(printed);
        }
    }

    private List<String> patch() throws IOException {
        var pairs = directory.resolve("pairs.jsonl");
        Files.write(pairs, Stream.of("Sara", "Lily", "Ben", "Sam", "Tim", "Anna", "Jack", "Jane").map(PAIR::formatted)
                .toList());
        return List.of("patch", "--pairs", pairs.toString(), "--sites", "heads,v", "--json");
    }

    private static long parts(Path results) throws IOException {
        if (!Files.isDirectory(results)) {
            return 0;
        }
        try (var files = Files.list(results)) {
            return files.filter(file -> file.getFileName().toString().startsWith("part-")).count();
        }
    }

    private static List<String> into(Path results, List<String> arguments) {
        var all = new ArrayList<>(arguments);
        all.addAll(List.of("--out", results + "/", "--resume"));
        return all;
    }

    /** Kills a command {@code millis} after it has written as many parts as that, at whatever it is doing. */
    private static void killAfter(List<String> arguments, Path results, long parts, int millis) throws Exception {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
                "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(into(results, arguments));
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

    /** Returns what a command prints. */
    private static String run(List<String> arguments, Path results) {
        var out = new StringWriter();
        var err = new StringWriter();
        assertThat(Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(into(results, arguments).toArray(String[]::new))).as("%s", err).isZero();
        return out.toString();
    }

    /** Returns the files and their checksums. */
    private static TreeMap<String, String> contents(Path results) throws IOException {
        var contents = new TreeMap<String, String>();
        try (var files = Files.list(results)) {
            for (var file : (Iterable<Path>) files::iterator) {
                contents.put(file.getFileName().toString(), Digests.sha256(file));
            }
        }
        return contents;
    }
}
