package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** Sweeps on a standalone cluster whose parts are killed. */
@Tag("slow")
class ClusterTest {
    private static final Sweep SWEEP = Sweep.of("The man is a", "The king").layers(0, 1).off().atAll()
            .measure(Measure.kl()).memory(1 << 20);
    private static final int GROUP = 16;

    @TempDir
    private static Path directory;
    private static Cluster cluster;
    private static int files;

    @BeforeAll
    static void start() throws IOException {
        cluster = new Cluster(directory.resolve("cluster"));
        SingleProcess.run("cpu", SWEEP, GROUP, directory.resolve("plan.json"), directory.resolve("single"));
        files = SingleProcess.parts(directory.resolve("single")).size();
    }

    @AfterAll
    static void end() throws InterruptedException {
        cluster.stop();
    }

    private static Process submit(String log, String out, String... more) throws IOException {
        return cluster
                .submit(log, List.of(),
                        Stream.concat(Stream.of("sweep", "--plan", directory.resolve("plan.json").toString(),
                                "--group", "" + GROUP, "--out", out), Stream.of(more))
                                .toArray(String[]::new));
    }

    /** Waits until a driver's results have more than {@code count} files. */
    private static void awaitMore(Process driver, Path out, int count) throws IOException, InterruptedException {
        while (SingleProcess.parts(out).size() <= count) {
            assertThat(driver.isAlive()).as("the driver is at work").isTrue();
            Thread.sleep(20);
        }
    }

    /** The folder is named relatively: it is the driver's, though executors have working directories of their own. */
    @Test
    void rowsAreThoseOfASingleProcessThoughDriverAndWorkerAreKilled() throws IOException, InterruptedException {
        var out = directory.resolve("cluster/results");
        var driver = submit("killed", "results");
        awaitMore(driver, out, 0);
        Cluster.kill(driver);
        int before = SingleProcess.parts(out).size();
        assertThat(before).isLessThan(files);

        driver = submit("resumed", "results", "--resume");
        awaitMore(driver, out, before);
        cluster.killWorker(0);
        assertThat(SingleProcess.parts(out).size()).isLessThan(files);
        var printed = cluster.await(driver, "resumed", 0);
        assertThat(printed).containsPattern("[1-9]\\d* of %d files are there already".formatted(files))
                .contains("%d of %d files are in results".formatted(files, files));
        SingleProcess.assertSame(out, directory.resolve("single"));
    }

    @Test
    void aUnitThatFailsThreeTimesIsReportedWithItsPromptAndNeurons() throws IOException, InterruptedException {
        var out = directory.resolve("failing");
        Files.createDirectories(out.resolve("part-000003.parquet")); // no place for the file of this group
        var prompt = Files.writeString(directory.resolve("prompt.jsonl"), "{\"prompt\":\"The man is a\"}");
        var printed = cluster.await(submit("failing", out.toString(), "--prompts", prompt.toString()), "failing", 1);
        assertThat(printed)
                .containsPattern("lmdebug: unit 48, prompt 0 \\{\"prompt\":\"The man is a\"}, \\[L\\dD\\d+=0], "
                        + "to unit 63, prompt 0 .*part-000003.parquet: cannot be written");
        var others = SingleProcess.parts(out);
        assertThat(others).hasSizeGreaterThan(3).doesNotContainKey("part-000003.parquet");
        others.remove(others.lastKey()); // whose last units are of the next prompt in the other sweep
        assertThat(SingleProcess.parts(directory.resolve("single"))).containsAllEntriesOf(others);
    }
}
