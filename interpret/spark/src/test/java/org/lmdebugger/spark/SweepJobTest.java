package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;

class SweepJobTest extends LocalMode {
    private static final Sweep SWEEP = Sweep.of("The king", "The man is a", "Once upon a time")
            .targets(Target.of(" was"), Target.of(" king"), Target.of(" there")).layers(2, 3).off().atLast()
            .measure(Measure.kl(), Measure.parse("logit:target")).memory(1 << 20);
    private static final int GROUP = 7; // not a divisor of a prompt's units

    private String plan;
    private int group = GROUP;

    @BeforeAll
    static void oneProcess() throws IOException {
        SingleProcess.run("cpu", SWEEP, GROUP, single.resolve("plan.json"), single.resolve("results"));
    }

    @BeforeEach
    void plan() {
        plan = single.resolve("plan.json").toString();
    }

    private int sweep(String... more) {
        return run("sweep", group, more);
    }

    @Test
    void rowsAreThoseOfASingleProcessAndStayAfterARestart() throws IOException {
        assertThat(sweep("--plan", plan)).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
        assertThat(printed.toString()).contains("3 prompts, ", "0 of ");

        assertThat(sweep("--plan", plan)).isEqualTo(1);
        assertThat(errors.toString()).contains("holds results (expected: a new folder, or --resume to go on)");

        Files.delete(out.resolve("part-000001.parquet"));
        Files.writeString(out.resolve(".unfinished-1"), "of a task that was killed");
        var first = Files.getLastModifiedTime(out.resolve("part-000000.parquet"));
        assertThat(sweep("--plan", plan, "--resume")).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
        assertThat(Files.getLastModifiedTime(out.resolve("part-000000.parquet"))).isEqualTo(first);

        group++;
        assertThat(sweep("--plan", plan, "--resume")).isEqualTo(1);
        assertThat(errors.toString()).contains("manifest.json: chunks is [");
    }

    @Test
    void promptsAreReadFromJsonLinesAndParquet() throws IOException, SQLException {
        var lines = directory.resolve("prompts.jsonl");
        Files.write(lines, List.of("{\"prompt\":\"The king\",\"target\":\" was\"}", "",
                "{\"prompt\":\"The man is a\",\"target\":\" king\"}",
                "{\"prompt\":\"Once upon a time\",\"target\":\" there\"}"));
        assertThat(sweep("--plan", plan, "--prompts", lines.toString())).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));

        var table = directory.resolve("prompts.parquet");
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement()) {
            statement.execute("copy (select * from read_json('%s')) to '%s'".formatted(lines, table));
        }
        out = directory.resolve("of parquet");
        assertThat(sweep("--plan", plan, "--prompts", table.toString())).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
    }

    @Test
    void aGroupThatFailsThreeTimesIsReportedAndTheOthersAreComputed() throws IOException {
        var obstacle = Files.createDirectories(out.resolve("part-000002.parquet"));
        assertThat(sweep("--plan", plan)).isEqualTo(1);
        assertThat(errors.toString())
                .contains("lmdebug: unit 14, prompt 0 {\"prompt\":\"The king\",\"target\":\" was\"}, [L2D",
                        "part-000002.parquet: cannot be written")
                .doesNotContain("unit 0,");
        assertThat(SingleProcess.parts(single.resolve("results")).size()).isGreaterThan(4);

        Files.delete(obstacle);
        assertThat(sweep("--plan", plan, "--resume")).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
    }

    @Test
    void mistakesAreNamedBeforeAnythingIsComputed() throws IOException {
        var lines = directory.resolve("prompts.jsonl");
        Files.write(lines, List.of("{\"prompt\":\"The king\",\"target\":\" was\"}", "{\"prompt\":\"\"}"));
        assertThat(sweep("--plan", plan, "--prompts", lines.toString())).isEqualTo(1);
        assertThat(errors.toString()).startsWith("lmdebug: prompt 1: {\"prompt\":\"\"}: ");
        Files.write(lines, List.of(""));
        assertThat(sweep("--plan", plan, "--prompts", lines.toString())).isEqualTo(1);
        assertThat(errors.toString()).isEqualTo("lmdebug: prompts: none (expected: at least one)\n");

        var other = directory.resolve("plan.json");
        Files.writeString(other, Files.readString(Path.of(plan)).replaceFirst("\"effects\" ?: ?\\d+", "\"effects\":1"));
        assertThat(sweep("--plan", other.toString())).isEqualTo(1);
        assertThat(errors.toString()).contains("plan: unit 0: 1 effects (expected: ");
        assertThat(sweep("--plan", directory.resolve("none.json").toString())).isEqualTo(1);
        assertThat(errors.toString()).contains("none.json");
        assertThat(out).doesNotExist();
    }
}
