package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Parts of a sweep and of a patching, each a process's of its own, are the whole together. */
class PartCommandTest {
    private static final String[] SWEEP = {"sweep", "The king", "The man is a", "--neurons", "L0-1D0-199", "--memory",
            "1",
            "--top", "0"};

    @TempDir
    private Path directory;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int lmdebug(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    private int run(String[] command, String... more) {
        return lmdebug(Stream.of(command, more).flatMap(Stream::of).toArray(String[]::new));
    }

    /** Returns the bytes of the results of a directory and those in it, by their names. */
    private static Map<String, String> results(Path results) throws IOException {
        var contents = new TreeMap<String, String>();
        try (var files = Files.walk(results)) {
            for (var file : files.filter(each -> each.toString().endsWith(".parquet")).toList()) {
                var bytes = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
                assertThat(contents.put(file.getFileName().toString(), bytes)).as("%s is there twice", file).isNull();
            }
        }
        return contents;
    }

    private void checkParts(int count, String... command) throws IOException {
        var whole = directory.resolve("whole");
        var parts = directory.resolve("parts");
        assertThat(run(command, "--out", whole + "/")).as("%s", err).isZero();
        for (int number = count; number >= 1; number--) { // in any order
            assertThat(run(command, "--out", parts + "/", "--part", number + "/" + count)).as("%s", err).isZero();
        }
        assertThat(results(parts)).hasSizeGreaterThan(count).isEqualTo(results(whole));
        var sql = "select * from effects"; // as sums of DuckDB depend on its threads
        assertThat(lmdebug("query", whole.toString(), sql)).isZero();
        var expected = out.toString();
        assertThat(lmdebug("query", parts.toString(), sql)).as("%s", err).isZero();
        assertThat(out.toString()).isEqualTo(expected);
        assertThat(err.toString()).isEmpty();
        var each = new ArrayList<>(List.of("query"));
        for (int number = 1; number <= count; number++) {
            each.add(parts.resolve(number + "-of-" + count).toString());
        }
        each.add(sql);
        assertThat(lmdebug(each.toArray(String[]::new))).as("%s", err).isZero();
        assertThat(out.toString()).isEqualTo(expected);
    }

    @Test
    void partsOfASweepAreTheWholeTogether() throws IOException {
        checkParts(3, SWEEP);
    }

    @Test
    void aPlanIsTheSameSweep() throws IOException {
        var file = directory.resolve("plan.json");
        assertThat(run(SWEEP, "--save-plan", file.toString())).as("%s", err).isZero();
        assertThat(out.toString()).contains("800 effects: ");
        var plan = new ObjectMapper().readTree(file.toFile());
        assertThat(plan.at("/sweep/prompts/1/prompt").asText()).isEqualTo("The man is a");
        assertThat(plan.at("/units")).hasSizeGreaterThan(3)
                .allSatisfy(unit -> assertThat(unit.get("effects").asInt()).isPositive());
        assertThat(run(SWEEP, "--out", directory + "/whole/")).as("%s", err).isZero();
        for (var number : List.of("1/2", "2/2")) {
            assertThat(lmdebug("sweep", "--plan", file.toString(), "--out", directory + "/parts/", "--part", number))
                    .as("%s", err).isZero();
        }
        assertThat(results(directory.resolve("parts"))).isEqualTo(results(directory.resolve("whole")));

        assertThat(run(SWEEP, "--plan", file.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("beside options of a sweep (expected: one or the other)");
        var text = Files.readString(file);
        Files.writeString(file, text.replaceFirst("\"effects\" ?: ?\\d+", "\"effects\":1"));
        assertThat(lmdebug("sweep", "--plan", file.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("plan: unit 0: Unit[prompt=0, effects=1,", "as with this model)");
        Files.writeString(file, text.replace("\"units\"", "\"unit\""));
        assertThat(lmdebug("sweep", "--plan", file.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("plan.json: unit: unknown (expected: sweep, units)");
        Files.writeString(file, "{\"units\": []}");
        assertThat(lmdebug("sweep", "--plan", file.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("plan.json: sweep: missing (expected: a plan that --save-plan wrote)");
    }

    @Test
    void partsOfAPatchingAreTheWholeTogether() throws IOException {
        var pairs = directory.resolve("pairs.jsonl");
        Files.write(pairs, Stream.of("Sara", "Lily", "Ben").map(name -> ("{\"clean\":\"One day %s was sad. Then\","
                + "\"corrupted\":\"One day Tom was sad. Then\",\"answers\":[\" she\"],\"wrong\":[\" he\"]}")
                        .formatted(name))
                .toList());
        checkParts(2, "patch", "--pairs", pairs.toString(), "--sites", "attention", "--at", "all");
    }

    @Test
    void aMissingPartIsNamed() {
        var parts = directory.resolve("parts");
        for (int number : new int[] {1, 4}) {
            assertThat(run(SWEEP, "--out", parts + "/", "--part", number + "/4")).as("%s", err).isZero();
        }
        assertThat(lmdebug("query", parts.toString(), "select count(*) from effects")).isZero();
        assertThat(err.toString()).isEqualTo(parts + ": missing: part 2/4, 3/4\n");
    }

    @Test
    void onlyPartsOfOneCommandAreReadTogether() throws IOException {
        var parts = directory.resolve("parts");
        var first = parts.resolve("1-of-2").toString();
        for (var number : List.of("1/2", "2/2", "1/3")) {
            assertThat(run(SWEEP, "--out", parts + "/", "--part", number)).as("%s", err).isZero();
        }
        assertThat(run(SWEEP, "--measure", "entropy", "--out", directory + "/other/", "--part", "2/2")).isZero();
        var count = "select count(*) from effects";
        assertThat(lmdebug("query", first, directory.resolve("other/2-of-2").toString(), count)).isEqualTo(1);
        assertThat(err.toString()).contains("other/2-of-2/manifest.json: measures.0 is \"entropy\" (expected: \"kl\"");
        assertThat(lmdebug("query", first, first, count)).isEqualTo(1);
        assertThat(err.toString()).contains("part 1/2, beside ", "(expected: each part once, of one command)");
        assertThat(lmdebug("query", parts.toString(), count)).isEqualTo(1);
        assertThat(err.toString()).contains("part 1/3, beside ", "(expected: each part once, of one command)");

        var manifest = parts.resolve("2-of-2/manifest.json"); // as of another kind of device
        var changed = (ObjectNode) new ObjectMapper().readTree(manifest.toFile());
        assertThat(changed.get("arithmetic").asText()).contains("products by").doesNotContain("threads");
        assertThat(changed.get("bits").asText()).matches("[0-9a-f]{64}");
        new ObjectMapper().writeValue(manifest.toFile(), changed.put("bits", "00"));
        assertThat(lmdebug("query", first, parts.resolve("2-of-2").toString(), count)).isEqualTo(1);
        assertThat(err.toString()).contains("2-of-2/manifest.json: bits is \"00\" (expected: ");
        assertThat(run(SWEEP, "--out", parts + "/", "--part", "2/2", "--resume")).isEqualTo(1);
        assertThat(err.toString()).contains("2-of-2/manifest.json: bits is \"00\" (expected: ");
    }

    @Test
    void aPartWithoutWorkIsAPartToo() {
        var parts = directory.resolve("parts");
        String[] small = {"sweep", "The king", "--neurons", "L0D1-2"};
        for (var number : List.of("1/2", "2/2")) {
            assertThat(run(small, "--out", parts + "/", "--part", number)).as("%s", err).isZero();
        }
        assertThat(lmdebug("query", parts.toString(), "select count(*) n from effects")).as("%s", err).isZero();
        assertThat(out.toString().lines()).containsExactly("n", "2");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void aPartNeedsADirectory() {
        assertThat(run(SWEEP, "--part", "1/2")).isEqualTo(1);
        assertThat(err.toString()).contains("--part: no directory (expected: --out DIR/)");
        assertThat(run(SWEEP, "--part", "3/2", "--out", directory + "/")).isEqualTo(2);
        assertThat(err.toString()).contains("part: 3/2 (expected: K/N, with K from 1 to N)");
    }
}
