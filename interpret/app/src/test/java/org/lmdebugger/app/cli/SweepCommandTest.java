package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code lmdebug sweep} and {@code lmdebug query}, as a user types them. */
class SweepCommandTest {
    private static final String PROMPT = "Once upon a time there was a little";

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

    private List<String> query(Path results, String sql) {
        assertThat(lmdebug("query", results.toString(), sql)).as("%s", err).isZero();
        return out.toString().lines().toList();
    }

    @Test
    void theStrongestEffectsAndWhatTheirNeuronsSay() {
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "all", "--top", "3")).isZero();
        var lines = out.toString().lines().toList();
        assertThat(lines).hasSize(4)
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(lines.get(1)).startsWith("L0D409=0@last      0.006323 ").contains("␣liked");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void ranksOfTheTableCountFromOne() {
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "L1D5", "--op", "set:3", "--measure", "rank:\" girl\""))
                .isZero();
        assertThat(out.toString()).containsPattern("L1D5=3@last +1 ");
    }

    @Test
    void csvAndParquetHoldAllEffects() throws Exception {
        var csv = directory.resolve("effects.csv");
        var parquet = directory.resolve("effects.parquet");
        var arguments = List.of("sweep", PROMPT, "The king", "--neurons", "L1D5,L3D0-1", "--op", "set:3", "--op",
                "scale:-0.5",
                "--measure", "logit:\" girl\"", "--measure", "rank:\" girl\"", "--measure", "top:2", "--at", "0,1",
                "--out");
        for (var file : List.of(csv, parquet)) {
            assertThat(lmdebug(Stream.concat(arguments.stream(), Stream.of(file.toString())).toArray(String[]::new)))
                    .as("%s", err).isZero();
        }
        var lines = Files.readAllLines(csv);
        assertThat(lines).hasSize(13);
        assertThat(lines.getFirst()).isEqualTo(
                "prompt_id,intervention,part,layer,head,neuron,operation,value,at,\"logit:\"\" girl\"\"\",\"rank:\"\" girl\"\"\",top:2");
        assertThat(lines.get(1)).startsWith("0,\"L1D5=3@0,1\",L1D5,1,,5,set,3.0,\"0,1\",")
                .contains(",0,\"[{\"\"id\"\":620,\"\"token\"\":\"\" girl\"\",\"\"probability\"\":0.4");
        assertThat(query(parquet, "select prompt_id, layer, neuron, operation, value from effects limit 2"))
                .containsExactly("prompt_id  layer  neuron  operation  value",
                        "0          1      5       set        3.0", "0          1      5       scale      -0.5");
        assertThat(query(parquet, "select count(*) n from effects").getLast()).isEqualTo("12");
        try (var files = Files.list(directory)) {
            assertThat(files).containsExactlyInAnyOrder(csv, parquet);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"e.csv", "e.TSV", "e.jsonl", "e.csv.gz", "e.tsv.gz", "e.jsonl.gz", "e.parquet",
            "run[1]*?'\"/", "[a]'b.csv"})
    void theSameEffectsInEveryFormat(String name) throws Exception {
        var edits = Files.writeString(directory.resolve("edits"),
                "L1D2=0@last; L3D4*=2\nL2D7=from:\"Once,\tupon a; 'time' there was \u00fc\"@0\nL1D5=0\n");
        Files.createDirectories(directory.resolve("run[1]*?'\"/deeper")); // a pattern would find it, too
        var results = directory.resolve(name.endsWith("/") ? name + "results" : name);
        assertThat(lmdebug("sweep", PROMPT, "--interventions", edits.toString(), "--measure", "logit:\" girl\"",
                "--measure", "rank:\" girl\"",
                "--measure", "top:1", "--out", name.endsWith("/") ? results + "/" : results.toString())).as("%s", err)
                        .isZero();
        assertThat(query(results,
                "select intervention, layer, neuron, operation, value, \"at\", round(\"logit:\"\" girl\"\"\", 3) l, \"rank:\"\" girl\"\"\" r"
                        + " from effects order by layer nulls first")).containsExactly(
                                "intervention                              layer  neuron  operation                                value  at   l      r",
                                "L1D2=0@last;␣L3D4*=2                                                                                          9.627  0",
                                "L1D5=0                                    1      5       set                                      0.0    all  9.59   0",
                                "L2D7=from:\"Once,⇥upon␣a;␣'time'␣there␣w…  2      7       from:\"Once,⇥upon␣a;␣'time'␣there␣was␣ü\"         0    9.589  0");
        assertThat(
                query(results, "select count(*) from effects where \"top:1\"::json->0->>'token' = ' girl'").getLast())
                        .isEqualTo("3");
        try (var left = Files.list(directory)) {
            assertThat(left.map(file -> file.getFileName().toString())).containsOnlyOnce("edits")
                    .noneMatch(file -> file.startsWith("."));
        }
    }

    @Test
    void tokensThatDifferInCaseOnlyHaveColumnsOfTheirOwn() {
        for (var name : List.of("e.csv", "e.jsonl", "e.parquet", "results/")) {
            var results = directory.resolve(name);
            assertThat(lmdebug("sweep", PROMPT, "--neurons", "L1D5", "--measure", "logit:\" king\"", "--measure",
                    "logit:\" King\"", "--measure", "kl",
                    "--measure", "difference:\" king\"/\" King\"", "--measure", "difference:\" King\"/\" king\"",
                    "--out", name.equals("results/") ? results + "/" : results.toString())).as("%s", err).isZero();
            assertThat(query(results, "describe effects").stream().skip(10).map(line -> line.split(" {2}")[0]))
                    .containsExactly(
                            "logit:\"␣king\"#812", "logit:\"␣King\"#718", "kl",
                            "difference:\"␣king\"#812/\"␣King\"#718", "difference:\"␣King\"#718/\"␣king\"#812");
            assertThat(query(results,
                    "select round(\"logit:\"\" king\"\"#812\", 3) a, round(\"logit:\"\" King\"\"#718\", 3) b from effects")
                            .getLast())
                                    .isEqualTo("2.221  0.563");
            refused("query: ", "query", results.toString(), "select \"logit:\"\" King\"\"\" from effects");
        }
    }

    @Test
    void effectsThatAreNotFiniteAreSaidAndComeLast() throws Exception {
        var edits = Files.writeString(directory.resolve("edits"), "L1D5=0\nL3D0=3e38; L3D0*=9\n");
        var sweep = List.of("sweep", PROMPT, "--interventions", edits.toString(), "--measure", "kl", "--measure",
                "rank:\" girl\"", "--measure", "top:1", "--out");
        var nones = new TreeMap<>(Map.of("e.csv", "nan,,", "e.tsv", "nan\t\t", "e.jsonl",
                "\"kl\":null,\"rank:\\\" girl\\\"\":null,\"top:1\":null}"));
        for (var name : nones.keySet()) {
            var file = directory.resolve(name);
            assertThat(lmdebug(Stream.concat(sweep.stream(), Stream.of(file.toString())).toArray(String[]::new)))
                    .as("%s", err).isZero();
            assertThat(Files.readAllLines(file).getLast())
                    .startsWith(name.equals("e.jsonl") ? "{\"prompt_id\":0," : "0").endsWith(nones.get(name));
            assertThat(out.toString().lines().toList().get(1)).startsWith("L1D5=0");
            assertThat(out.toString().lines().toList().get(2)).startsWith("L3D0=3.0E38").contains("NaN          NaN");
            assertThat(out.toString())
                    .endsWith("not finite, and so without an order: 1 effect (the network overflows)\n");
        }
        assertThat(query(directory.resolve("e.csv"), "select count(*) from effects where isfinite(kl)").getLast())
                .isEqualTo("1");
    }

    @Test
    void headsAreSweptAtEachPositionOnTopOfEdits() throws Exception {
        var results = directory.resolve("heads.parquet");
        assertThat(lmdebug("sweep", PROMPT, "--sites", "heads:L1-2", "--at", "each", "--edit", "L0H1=0", "--measure",
                "kl", "--out", results.toString())).as("%s", err).isZero();
        assertThat(query(results, "select count(*) n, count(distinct part) parts, count(distinct \"at\") positions, "
                + "sum(head) heads, count(neuron) neurons from effects").getLast().split("\\s+"))
                        .containsExactly("96", "12", "8", "240", "0");
        assertThat(query(results,
                "select intervention, operation, value from effects where part = 'L2H3' and \"at\" = '4'")
                        .getLast().split("\\s+")).containsExactly("L2H3=0@4", "set", "0.0");
        assertThat(lmdebug("sweep", PROMPT, "--sites", "links:L3", "--measure", "kl")).as("%s", err).isZero();
        assertThat(out.toString()).contains(".link=off@7->");
        assertThat(lmdebug("sweep", PROMPT, "--sites", "L1D5+L1D7,L2H*", "--op", "scale:2")).as("%s", err).isZero();
        assertThat(out.toString()).contains("L1D5*=2@last; L1D7*=2@last").contains("L2H**=2@last");
    }

    @Test
    void interventionsOfSeveralEdits() throws Exception {
        var file = Files.writeString(directory.resolve("edits"),
                "L1D2=0@last; L3D4*=2\n\nL2D7=from:\"Once upon; a time there was a big\"\n");
        var results = directory.resolve("results");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", file.toString(), "--out", results + "/")).as("%s", err)
                .isZero();
        assertThat(lmdebug("query", results.toString(),
                "select intervention, layer, operation from effects order by layer nulls first")).isZero();
        assertThat(out.toString().lines().skip(1)).satisfiesExactly(
                line -> assertThat(line).isEqualTo("L1D2=0@last;␣L3D4*=2"),
                line -> assertThat(line).startsWith("L2D7=from:").contains("…  2      from:"));
        Files.writeString(file, "L1D2=on; L0D9=off");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", file.toString(), "--mode", "lm-debugger")).as("%s", err)
                .isZero();
        assertThat(out.toString()).contains("L1D2=on; L0D9=off");
    }

    @Test
    void switchesAreOperationsOfTheTable() throws Exception {
        var file = Files.writeString(directory.resolve("edits"), "L1D2=on@last\nL3D4=off\nL1D2=on; L3D4*=2\n");
        var csv = directory.resolve("e.csv");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", file.toString(), "--out", csv.toString()))
                .as("%s", err).isZero();
        assertThat(Files.readAllLines(csv)).anyMatch(row -> row.startsWith("0,L1D2=on@last,L1D2,1,,2,on,,last,"))
                .anyMatch(row -> row.startsWith("0,L3D4=off,L3D4,3,,4,off,,all,"))
                .anyMatch(row -> row.startsWith("0,L1D2=on; L3D4*=2,,,,,,,,"));
    }

    @Test
    void aDryRunSaysWhatWouldBeDone() {
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "all", "--dry-run")).isZero();
        assertThat(out.toString()).startsWith("3,072 effects: 3,072 rows in 1 chunk, ").contains("GFLOP", "MB");
    }

    @Test
    void resultsOfAnotherSweepAreNotMixed() throws Exception {
        var results = directory.resolve("results") + "/";
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "L1D0-9", "--out", results)).isZero();
        refused("holds results (expected: a new directory, or --resume to go on)", "sweep", PROMPT, "--neurons",
                "L1D0-9", "--out", results);
        refused("manifest.json: neurons is \"L1D0-9\" (expected: \"L1D0-8\"", "sweep", PROMPT, "--neurons", "L1D0-8",
                "--out", results, "--resume");
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "L1D0-9", "--out", results, "--resume")).isZero();
        assertThat(out.toString()).startsWith("10 of 10 effects were there already");
        assertThat(query(Path.of(results), "select count(*) from effects").getLast()).isEqualTo("10");
        Files.createDirectories(directory.resolve("mine"));
        Files.writeString(directory.resolve("mine/notes"), "…");
        refused("not empty, and without manifest.json", "sweep", PROMPT, "--neurons", "all", "--out",
                directory.resolve("mine").toString());
    }

    /** Linux's /dev/full in place of the file that a part is written to first. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void aFullDiskIsSaidAndTheSweepGoesOnLater() throws Exception {
        var results = directory.resolve("results");
        var sweep = new String[] {"sweep", PROMPT, "--neurons", "L0-3D0-9", "--memory", "1", "--out", results + "/",
                "--resume"};
        assertThat(lmdebug(sweep)).isZero();
        Files.delete(results.resolve("part-000001.parquet"));
        Files.createSymbolicLink(results.resolve(".part-000001.parquet.part"), Path.of("/dev/full"));
        refused("part-000001.parquet: cannot be written: ", sweep);
        assertThat(err.toString()).contains("No space left on device").hasLineCount(1);
        assertThat(results.resolve("part-000001.parquet")).doesNotExist();
        assertThat(lmdebug(sweep)).isZero();
        assertThat(query(results, "select count(*) from effects").getLast()).isEqualTo("40");
    }

    /** A text, then ids, each with its own tokens; the numbers are those of the same sweep with the tokens by name. */
    @Test
    void promptsOfAFileHaveTheirOwnTargets() throws Exception {
        var file = directory.resolve("pairs.JSONL");
        Files.writeString(file, """
                {"prompt": "%s", "target": " girl", "against": "#17"}

                {"ids": [464, 17, 9], "target": "#620"}
                """.formatted(PROMPT));
        var results = directory.resolve("results");
        var sweep = new String[] {"sweep", "--prompts", file.toString(), "--against", " boy", "--neurons", "L3D0-4",
                "--measure", "difference:target/against", "--measure", "rank:target", "--out", results + "/",
                "--resume"};
        assertThat(lmdebug(sweep)).as("%s", err).isZero();
        assertThat(out.toString()).contains("differen");
        assertThat(Files.readString(results.resolve("manifest.json")).replaceAll("\\s+", " ")).contains(
                "\"prompts\" : [ \"" + PROMPT + "\", [ 464, 17, 9 ] ]", "\"targets\" : [ \" girl\", \"#620\" ]",
                "\"against\" : [ \"#17\", \" boy\" ]");
        var found = query(results,
                "select \"difference:target/against\" d, \"rank:target\" r from effects order by prompt_id, neuron");
        var expected = new ArrayList<>(List.of(found.getFirst()));
        for (var prompt : List.of("{\"prompt\": \"" + PROMPT + "\"}", "{\"ids\": [464, 17, 9]}")) {
            var other = expected.size() == 1 ? "#17" : "\" boy\"";
            var one = Files.writeString(directory.resolve("one.jsonl"), prompt);
            var csv = directory.resolve("effects.parquet");
            assertThat(lmdebug("sweep", "--prompts", one.toString(), "--neurons", "L3D0-4", "--measure",
                    "difference:\" girl\"/" + other, "--measure", "rank:\" girl\"", "--out", csv.toString()))
                            .as("%s", err).isZero();
            expected.addAll(
                    query(csv,
                            "select * exclude (prompt_id, intervention, part, layer, head, neuron, operation, value, \"at\")"
                                    + " from effects order by neuron").subList(1, 6));
        }
        assertThat(found).map(line -> line.replaceAll(" +", " "))
                .isEqualTo(expected.stream().map(line -> line.replaceAll(" +", " ")).toList());

        assertThat(lmdebug(sweep)).isZero();
        assertThat(out.toString()).startsWith("10 of 10 effects were there already");
        sweep[4] = " girl";
        refused("manifest.json: against.1 is \" boy\" (expected: \" girl\"; other results are not mixed with these",
                sweep);
        Files.writeString(file, Files.readString(file).replace("#620", "#621"));
        sweep[4] = " boy";
        refused("manifest.json: targets.1 is \"#620\" (expected: \"#621\"", sweep);
    }

    @Test
    void aTargetForAllPromptsOrOneForEach() throws Exception {
        var prompts = Files.writeString(directory.resolve("prompts.txt"), PROMPT + "\nThe king\n");
        var sweep = List.of("sweep", "--prompts", prompts.toString(), "--neurons", "L1D5", "--measure", "logit:target");
        assertThat(lmdebug(with(sweep, "--target", " girl"))).as("%s", err).isZero();
        var both = out.toString().lines().skip(1).toList();
        assertThat(lmdebug(with(sweep, "--target", " girl", "--target", "#620"))).as("%s", err).isZero();
        assertThat(out.toString().lines().skip(1)).isEqualTo(both);
        assertThat(lmdebug(with(sweep, "--target", " girl", "--target", " boy"))).as("%s", err).isZero();
        assertThat(out.toString().lines().skip(1)).isNotEqualTo(both);
        refused("measure: logit:target: prompt 1, \"" + PROMPT + "\", has no target (expected: one for each prompt)",
                with(sweep));
        refused("--target: 3 for 2 prompts (expected: one for all, or one for each)",
                with(sweep, "--target", "a", "--target", "b", "--target", "c"));
        refused("--against: 3 for 2 prompts", with(sweep, "--against", "a", "--against", "b", "--against", "c"));
        refused("token: \" xylophonist\" (expected: one token", with(sweep, "--target", " xylophonist"));
    }

    private static String[] with(List<String> arguments, String... more) {
        return Stream.concat(arguments.stream(), Stream.of(more)).toArray(String[]::new);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {}                             | prompt: missing (expected: either prompt, a text, or ids, a list)
            {"prompt": "a", "ids": [1]}    | prompt: beside ids (expected: either
            {"ids": [1, null]}             | ids: null among them
            {"ids": ["1"]}                 | ids.0: of another kind (expected: a whole number)
            {"ids": 5}                     | ids: of another kind (expected: a list)
            {"prompt": "a", "token": "b"}  | token: unknown (expected: against, ids, prompt, target)
            {"prompt": "a", "target": 620} | target: of another kind (expected: a text)
            {"prompt": "a"                 | not JSON
            The king                       | not JSON
            """)
    void aLineOfPromptsThatIsWrongIsNamed(String line, String message) throws Exception {
        var file = Files.writeString(directory.resolve("prompts.jsonl"), "{\"prompt\": \"The king\"}\n" + line + "\n");
        refused(file + ": line 2: ", "sweep", "--prompts", file.toString(), "--neurons", "all");
        assertThat(err.toString()).contains(message);
    }

    @Test
    void badInputIsNamed() {
        refused("measure: perplexity (expected: kl,", "sweep", PROMPT, "--neurons", "all", "--measure", "perplexity");
        refused("expected: one token", "sweep", PROMPT, "--neurons", "all", "--measure", "logit:\" xylophonist\"");
        refused("sweep: nothing selected", "sweep", PROMPT);
        refused("prompts: none", "sweep", "--neurons", "all");
        refused("position 8 (expected: at most 7)", "sweep", PROMPT, "--neurons", "all", "--at", "8");
        refused("(expected: a finite number)", "sweep", PROMPT, "--neurons", "all", "--op", "set:NaN");
        refused("operation: double (expected: off, set:3", "sweep", PROMPT, "--neurons", "all", "--op", "double");
        refused("operation: set:3 (expected: on or off in this mode)", "sweep", PROMPT, "--neurons", "all", "--op",
                "set:3", "--mode", "lm-debugger");
        refused("--sites: heads beside --neurons", "sweep", PROMPT, "--neurons", "all", "--sites", "heads");
        refused("sites: hats (expected: neurons, heads", "sweep", PROMPT, "--sites", "hats");
        refused("sites: heads:L2-9 (expected: L0 to L3", "sweep", PROMPT, "--sites", "heads:L2-9");
        refused("edit: L0H0=3 (expected", "sweep", PROMPT, "--sites", "heads", "--op", "set:3");
        refused("--op: no parts", "sweep", PROMPT, "--op", "off");
        refused("measures: [kl, kl] (expected: each once", "sweep", PROMPT, "--neurons", "all", "--measure", "kl",
                "--measure", "kl");
        refused("operations: [", "sweep", PROMPT, "--neurons", "all", "--op", "off", "--op", "set:0");
        for (var name : List.of("results", "e.txt", "e.parquet.gz", "e.csv.zip", "csv", "")) {
            refused("--out: " + name + " (expected: a name that ends in .csv, .csv.gz, ", "sweep", PROMPT, "--neurons",
                    "all", "--out", name);
        }
        refused("--resume: no directory", "sweep", PROMPT, "--neurons", "all", "--resume", "--out", "e.csv");
        refused("--resume: no directory", "sweep", PROMPT, "--neurons", "all", "--resume");
        refused("/no/such/prompts: cannot be read", "sweep", "--prompts", "/no/such/prompts", "--neurons", "all");
        refused("/no/such/file.csv: cannot be written", "sweep", PROMPT, "--neurons", "all", "--out",
                "/no/such/file.csv");
        refused("/proc/results: cannot be used", "sweep", PROMPT, "--neurons", "all", "--out", "/proc/results/");
        refused("/no/such: not there", "query", "/no/such", "select 1");
        assertThat(lmdebug("sweep", PROMPT, "--neurons", "L1D0", "--out", directory.resolve("e.csv").toString()))
                .isZero();
        refused("query: ", "query", directory.resolve("e.csv").toString(), "select nothing from effects");
    }

    private void refused(String message, String... arguments) {
        assertThat(lmdebug(arguments)).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: ").contains(message);
        assertThat(out.toString()).isEmpty();
    }
}
