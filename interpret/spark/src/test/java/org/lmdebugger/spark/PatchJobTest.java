package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;

class PatchJobTest extends LocalMode {
    private static final List<String> LINES = List.of(
            "{\"clean\":\"Sara was sad. Then\",\"corrupted\":\"Tom was sad. Then\",\"answers\":[\" she\"],"
                    + "\"wrong\":[\" he\"],\"positions\":{\"subject\":0,\"end\":4}}",
            "{\"clean\":\"One day Sara was very sad. Then\",\"corrupted\":\"One day Tom was very sad. Then\","
                    + "\"answers\":[\" she\",\" her\"],\"wrong\":[\" he\"],\"positions\":{\"subject\":2,\"end\":7}}",
            "{\"clean\":\"Tom was sad. Then\",\"corrupted\":\"Sara was sad. Then\",\"answers\":[\" he\"],"
                    + "\"wrong\":[\" she\"],\"positions\":{\"subject\":0,\"end\":4}}");
    private static final List<Patching> PATCHINGS = Stream.of("pre", "mid", "post", "heads:L2-3")
            .map(site -> new Patching(PartSelection.parse(site), Direction.NOISE, Columns.ROLES,
                    Intervention.parse("L1H3*=0.5")))
            .toList();
    private static final String[] OPTIONS = {"--sites", "streams,heads:L2-3", "--direction", "noise", "--by", "role",
            "--edit", "L1H3*=0.5"};
    private static final int GROUP = 2; // not a divisor of the pairs

    @BeforeAll
    static void oneProcess() throws IOException {
        Files.write(single.resolve("pairs.jsonl"), LINES);
        SingleProcess.run(LINES.stream().map(line -> JsonReader.readLine(line, PairLine.class).pair()).toList(),
                PATCHINGS, GROUP, single.resolve("results"));
    }

    private int patch(Path pairs, String... options) {
        return run("patch", GROUP, Stream.concat(Stream.of("--pairs", pairs.toString()), Stream.of(options))
                .toArray(String[]::new));
    }

    private static String[] and(String option) {
        return Stream.concat(Stream.of(OPTIONS), Stream.of(option)).toArray(String[]::new);
    }

    private void refused(String message, Path pairs, String... options) {
        assertThat(patch(pairs, options)).isEqualTo(1);
        assertThat(errors.toString()).startsWith("lmdebug: " + message).hasLineCount(1);
        assertThat(out).doesNotExist();
    }

    @Test
    void rowsAreThoseOfASingleProcessAndStayAfterARestart() throws IOException {
        var pairs = single.resolve("pairs.jsonl");
        assertThat(patch(pairs, OPTIONS)).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
        int rows = 3 * (3 * 4 + 2 * 6) * 2; // pairs, with parts of four layers or heads of two, by roles
        assertThat(printed.toString()).contains("3 pairs, %d effects; 0 of 2 files are there already".formatted(rows));

        Files.delete(out.resolve("part-000001.parquet"));
        Files.writeString(out.resolve(".unfinished-1"), "of a task that was killed");
        var first = Files.getLastModifiedTime(out.resolve("part-000000.parquet"));
        assertThat(patch(pairs, and("--resume"))).as("%s", errors).isZero();
        assertThat(printed.toString()).contains("1 of 2 files are there already", "2 of 2 files are in " + out);
        SingleProcess.assertSame(out, single.resolve("results"));
        assertThat(Files.getLastModifiedTime(out.resolve("part-000000.parquet"))).isEqualTo(first);

        assertThat(patch(pairs, "--sites", "pre", "--by", "role", "--resume")).isEqualTo(1);
        assertThat(errors.toString()).contains("manifest.json: patch.");
    }

    @Test
    void aGroupThatFailsThreeTimesIsReportedWithItsPrompts() throws IOException, SQLException {
        var table = directory.resolve("pairs.parquet");
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement()) {
            statement.execute("copy (select * from read_json('%s')) to '%s'".formatted(single.resolve("pairs.jsonl"),
                    table));
        }
        var obstacle = Files.createDirectories(out.resolve("part-000000.parquet"));
        assertThat(patch(table, OPTIONS)).isEqualTo(1);
        assertThat(errors.toString())
                .startsWith("lmdebug: pair 0, clean Sara was sad. Then, corrupted Tom was sad. Then, "
                        + "to pair 1, clean One day Sara was very sad. Then, corrupted One day Tom was very sad. Then: ")
                .contains("part-000000.parquet: cannot be written").hasLineCount(1);
        assertThat(printed.toString()).contains("1 of 2 files are in " + out);

        Files.delete(obstacle);
        assertThat(patch(single.resolve("pairs.jsonl"), and("--resume"))).as("%s", errors).isZero();
        SingleProcess.assertSame(out, single.resolve("results"));
    }

    @Test
    void mistakesAreNamedBeforeAnythingIsComputed() throws IOException {
        var pairs = single.resolve("pairs.jsonl");
        refused("--direction: both (expected: denoise or noise)", pairs, "--direction", "both");
        refused("sites: nonsense (expected: ", pairs, "--sites", "nonsense");
        refused("patchings: ", pairs, "--by", "role", "--sites", "heads:L0,heads:L1");
        refused("pair 1 {\"clean\":\"One day Sara", pairs); // of another length
        assertThat(errors.toString()).contains(": 8 tokens, where pair 0 {\"clean\":\"Sara")
                .contains("has 5 (expected: pairs of one length, or averages by role)");
        refused("[PATH_NOT_FOUND] Path does not exist: ", directory.resolve("none.jsonl"));
        var wrong = Files.write(directory.resolve("wrong.jsonl"), List.of(LINES.getFirst(), "", "{\"clean\":\"a\"}"));
        refused("pair 1 {\"clean\":\"a\"}: corrupted: missing (expected: ", wrong);
    }
}
