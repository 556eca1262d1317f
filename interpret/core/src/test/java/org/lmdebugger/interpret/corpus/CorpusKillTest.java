package org.lmdebugger.interpret.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** A build that is killed again and again, or meets a full disk, has in the end the bytes of one that was not. */
@Tag("slow")
class CorpusKillTest {
    private static final int KILLS = Integer.getInteger("test.kills", 3);

    /** Builds the corpus, in small batches, and saves the state after each. Arguments: model, cache. */
    public static void main(String[] arguments) {
        try (var device = TestDevice.open();
                var model = Gpt2.load(new ModelFiles("small", Path.of(arguments[0])), device)) {
            new Corpora(Path.of(arguments[1]), model, 64, 0).build("a",
                    Corpus.of(model, CorpusTest.documents(400, 60, 1), 32), Progress.NONE);
        }
    }

    @Test
    void killedAndResumed(@TempDir Path model, @TempDir Path whole, @TempDir Path killed) throws Exception {
        new RandomCheckpoint(2, 2, 32, 64, 8192).write(model, 1);
        main(new String[] {model.toString(), whole.toString()});
        var random = new Random(Long.getLong("test.seed", 7));
        for (int kill = 0; kill < KILLS; kill++) {
            killAfterStates(1 + random.nextInt(3), random.nextInt(10), model, killed);
        }
        assertThat(files(killed, ".corpus")).as("it was not finished before the last kill").isEmpty();
        main(new String[] {model.toString(), killed.toString()});
        assertThat(Files.readAllBytes(files(killed, ".corpus").getFirst()))
                .isEqualTo(Files.readAllBytes(files(whole, ".corpus").getFirst()));
    }

    /** A limit on the size of files stands for a full disk: it, too, makes a write fail in the middle. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void aFullDiskEndsTheBuildAndLosesNothing(@TempDir Path model, @TempDir Path whole, @TempDir Path full)
            throws Exception {
        new RandomCheckpoint(2, 2, 32, 64, 8192).write(model, 1);
        main(new String[] {model.toString(), whole.toString()});
        killAfterStates(2, 0, model, full);
        var state = files(full, ".building").getFirst();
        var saved = Files.readAllBytes(state);
        int limit = saved.length / 2 >> 10; // KiB, more than the kernels, which are written to a temporary folder
        assertThat(limit).isGreaterThan(500);

        var process = start(model, full, "bash", "-c", "ulimit -f " + limit + "; exec \"$@\"", "bash");
        assertThat(process.waitFor()).isNotZero();
        assertThat(full.resolve("log")).content().contains("UncheckedIOException")
                .contains("cannot be written (see --cache)").contains("File too large");
        assertThat(Files.readAllBytes(state)).isEqualTo(saved);
        assertThat(files(full, ".corpus")).isEmpty();
        assertThat(files(full, ".part")).isEmpty();

        main(new String[] {model.toString(), full.toString()});
        assertThat(Files.readAllBytes(files(full, ".corpus").getFirst()))
                .isEqualTo(Files.readAllBytes(files(whole, ".corpus").getFirst()));
    }

    /** Starts a build in a process. @param before the words before the command */
    private static Process start(Path model, Path cache, String... before) throws IOException {
        var command = new ArrayList<>(List.of(before));
        command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-XX:-UsePerfData",
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp",
                System.getProperty("java.class.path"), CorpusKillTest.class.getName(), model.toString(),
                cache.toString()));
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(cache.resolve("log").toFile())
                .start();
    }

    /** Kills a build {@code millis} after it has saved so many states. */
    private static void killAfterStates(int states, int millis, Path model, Path cache) throws Exception {
        var process = start(model, cache);
        try {
            Object last = key(cache);
            for (int seen = 0; process.isAlive() && seen < states;) {
                var now = key(cache);
                seen += now.equals(last) ? 0 : 1;
                last = now;
                Thread.sleep(1);
            }
            Thread.sleep(millis);
            assertThat(process.isAlive()).as("%s", Files.readString(cache.resolve("log"))).isTrue();
        } finally {
            process.destroyForcibly().waitFor(); // SIGKILL
        }
    }

    /** Returns what changes when a state is saved. */
    private static Object key(Path cache) throws Exception {
        var states = files(cache, ".building");
        return states.isEmpty() ? "" : Files.getLastModifiedTime(states.getFirst());
    }

    private static List<Path> files(Path cache, String ending) throws Exception {
        try (var files = Files.walk(cache)) {
            return files.filter(file -> file.toString().endsWith(ending)).toList();
        }
    }
}
