package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.files.ProcessLock;
import picocli.CommandLine.Help;

/** {@code lmdebug patch}, as a user types it. */
class PatchCommandTest {
    private static final String CLEAN = "Once upon a time there was a little girl named";
    private static final String CORRUPTED = "Once upon a time there was a little boy named";
    private static final String PAIR = "{\"clean\":\"Sara was sad. Then\",\"corrupted\":\"Tom was sad. Then\","
            + "\"answers\":[\" she\"],\"wrong\":[\" he\"],\"positions\":{\"subject\":0,\"end\":4}}";
    private static final String LONGER = "{\"clean\":\"One day Sara was very sad. Then\",\"corrupted\":"
            + "\"One day Tom was very sad. Then\",\"answers\":[\" she\"],\"wrong\":[\" he\"],"
            + "\"positions\":{\"subject\":2,\"end\":7}}";
    private static final Pattern ESCAPE = Pattern.compile("\u001b\\[[0-9;]*m");

    @TempDir
    private Path directory;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int patch(String... arguments) {
        return patch(Help.Ansi.OFF, arguments);
    }

    private int patch(Help.Ansi ansi, String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine().setColorScheme(Help.defaultColorScheme(ansi)).setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(Stream.concat(Stream.of("patch"), Stream.of(arguments)).toArray(String[]::new));
    }

    private String pairs(String... lines) throws Exception {
        return Files.write(directory.resolve("pairs.jsonl"), List.of(lines)).toString();
    }

    private JsonNode json() throws Exception {
        return new ObjectMapper().readTree(out.toString());
    }

    @Test
    void theHeadThatCarriesTheNameIsFound() {
        assertThat(patch(CLEAN, CORRUPTED, "--sites", "pre,heads", "--top", "5")).as("%s", err).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(100));
        assertThat(out.toString())
                .contains("direction denoise: the corrupted prompt runs, with activations of the clean one",
                        "answer ␣Lily, wrong ␣Timmy", "L0.pre  +1.00      ·", "without any effect: 0 1 2 3 4 5 6 7")
                .contains("L2H5  +0.00  +0.82").doesNotContain("\u001b");
        assertThat(out.toString().lines().toList().getLast()).startsWith("L2H5@9 ␣named ").contains(" +0.82");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void colourIsForTerminalsAlone() {
        assertThat(patch(Help.Ansi.ON, CLEAN, CORRUPTED, "--sites", "mid", "--top", "0")).isZero();
        var coloured = out.toString();
        assertThat(coloured).contains("\u001b[30;48;5;196m  +1.00", "\u001b[1mmid");
        assertThat(patch(CLEAN, CORRUPTED, "--sites", "mid", "--top", "0")).isZero();
        assertThat(ESCAPE.matcher(coloured).replaceAll("")).isEqualTo(out.toString());
    }

    @Test
    void headsAtAllPositionsAreLayersByHeads() {
        assertThat(patch(CLEAN, CORRUPTED, "--sites", "heads", "--at", "all", "--direction", "noise")).isZero();
        assertThat(out.toString())
                .contains("direction noise: the clean prompt runs, with activations of the corrupted one",
                        "heads, all positions")
                .containsPattern("\n +H0 +H1 +H2 +H3 +H4 +H5\nL0 ").containsPattern("\nL3( +[+-]\\d\\.\\d\\d){6}\n");
    }

    /** The head that carries the name is off in every run: patching it restores nothing, and the baseline is smaller. */
    @Test
    void editsHoldInEveryRun() throws Exception {
        var arguments = List.of(CLEAN, CORRUPTED, "--sites", "heads", "--at", "all", "--edit", "L2H5=0");
        assertThat(patch(arguments.toArray(String[]::new))).as("%s", err).isZero();
        assertThat(out.toString()).contains("edits in every run: L2H5=0")
                .containsPattern("\nL2( +[+-]\\d\\.\\d\\d){5} +·\n");
        assertThat(patch(Stream.concat(arguments.stream(), Stream.of("--json")).toArray(String[]::new))).isZero();
        assertThat(json().at("/edits/0").textValue()).isEqualTo("L2H5=0");
        assertThat(json().at("/grids/0/effect/17/0").doubleValue()).isZero();
        assertThat(json().get("divisor").doubleValue()).isBetween(0.5, 5.0); // 9.2 without the edit
    }

    @Test
    void promptsThatAnswerAlikeHaveNothingToDivideBy() throws Exception {
        var arguments = new ArrayList<>(
                List.of(CLEAN, CLEAN, "--answer", " Lily", "--wrong", " Tim", "--sites", "pre"));
        assertThat(patch(arguments.toArray(String[]::new))).isZero();
        assertThat(out.toString()).contains("not normalised, as clean and corrupted differ by less than 0.01",
                "no effect anywhere");
        arguments.add("--json");
        assertThat(patch(arguments.toArray(String[]::new))).isZero();
        assertThat(json().get("divisor").isNull()).isTrue();
        assertThat(json().at("/grids/0/normalised/0/0").isNull()).isTrue();
        assertThat(json().at("/grids/0/effect/0/0").asDouble(1)).isZero();
    }

    @Test
    void jsonAndFilesHaveTheSameNumbers() throws Exception {
        for (var name : List.of("grids.csv", "grids.parquet", "grids.jsonl")) {
            var file = directory.resolve(name).toString();
            assertThat(patch(CLEAN, CORRUPTED, "--sites", "heads,q", "--json", "--out", file)).as("%s", err).isZero();
            var json = json();
            assertThat(json.get("direction").asText()).isEqualTo("denoise");
            assertThat(json.at("/answers/0/token").asText()).isEqualTo(" Lily");
            assertThat(json.at("/clean/tokens/8/token").asText()).isEqualTo(" girl");
            assertThat(json.at("/grids/1/sites").asText()).isEqualTo("q");
            assertThat(json.at("/grids/0/columns")).hasSize(10);
            int row = 2 * 6 + 5; // of six heads a layer
            assertThat(json.at("/grids/0/parts/" + row).asText()).isEqualTo("L2H5");
            out.getBuffer().setLength(0);
            assertThat(Main.commandLine().setOut(new PrintWriter(out, true)).execute("query", file,
                    "select count(*) n, count(distinct sites) s, sum(case when part = 'L2H5' and cast(\"at\" as integer) = 9"
                            + " then normalised end) x, min(direction) d from effects"))
                                    .isZero();
            var numbers = out.toString().lines().toList().getLast().split(" +");
            assertThat(numbers[0]).isEqualTo("480");
            assertThat(numbers[1]).isEqualTo("2");
            assertThat(Double.parseDouble(numbers[2]))
                    .isCloseTo(json.at("/grids/0/normalised/" + row + "/9").asDouble(), within(1e-9));
            assertThat(numbers[3]).isEqualTo("denoise");
        }
    }

    @Test
    void pairsAreAveragedByRole() throws Exception {
        var file = pairs(PAIR, "", LONGER);
        assertThat(patch("--pairs", file, "--by", "role", "--sites", "pre,heads")).as("%s", err).isZero();
        assertThat(err.toString()).startsWith("the model is right on 2 of 2 pairs; ");
        assertThat(out.toString()).contains("the model is right on 2 of 2 pairs; ", "direction denoise")
                .containsPattern("\n +subject +end\nL0.pre +\\+1\\.00 +·\n")
                .containsPattern("L2H5@end +\\+\\d\\.\\d{4} ± \\d\\.\\d{4} +100 % +\\+0\\.\\d{4} ± ");
        assertThat(patch("--pairs", file, "--at", "all", "--sites", "v", "--json")).isZero();
        assertThat(json().get("pairs").asInt()).isEqualTo(2);
        assertThat(json().at("/grids/0/columns/0").asText()).isEqualTo("all");
        assertThat(json().at("/grids/0/effect/17/0/count").asInt()).isEqualTo(2);
        assertThat(json().at("/grids/0/sameSign/17/0").isNumber()).isTrue();
    }

    private static List<List<String>> table(Path csv) throws Exception {
        return Files.readAllLines(csv).stream().map(row -> List.of(row.split(",", -1))).toList();
    }

    private String query(Path results, String sql) {
        out.getBuffer().setLength(0);
        assertThat(Main.commandLine().setOut(new PrintWriter(out, true)).execute("query", results.toString(), sql))
                .isZero();
        return out.toString().lines().toList().getLast().replaceAll(" +", " ");
    }

    /** Each pair's rows are those of that pair alone, with its number, the positions of its roles and the baseline. */
    @Test
    void aDataSetsRowsAreThoseOfItsPairs() throws Exception {
        var wrong = LONGER.replace("[\" she\"]", "[\" dog\"]").replace("\"wrong\":[\" he\"]", "\"wrong\":[\" she\"]");
        var file = pairs(PAIR, "", wrong);
        var csv = directory.resolve("rows.csv");
        assertThat(patch("--pairs", file, "--by", "role", "--sites", "post,heads:L2", "--direction", "noise", "--out",
                csv.toString())).as("%s", err).isZero();
        assertThat(err.toString()).startsWith("the model is right on 1 of 2 pairs; ").hasLineCount(1);
        var rows = table(csv);
        assertThat(rows.getFirst()).isEqualTo(List.of("pair_id", "model_right", "direction", "sites", "part", "layer",
                "at", "position", "difference", "effect", "normalised", "kl"));
        assertThat(rows).hasSize(1 + 2 * (4 + 6) * 2);
        assertThat(rows.get(1).subList(0, 8))
                .isEqualTo(List.of("0", "true", "noise", "post", "L0.post", "0", "subject", "0"));
        assertThat(rows.getLast().subList(0, 8))
                .isEqualTo(List.of("1", "false", "noise", "heads:L2", "L2H5", "2", "end", "7"));

        var one = directory.resolve("one.csv");
        assertThat(patch("One day Sara was very sad. Then", "One day Tom was very sad. Then", "--answer", " dog",
                "--wrong", " she", "--sites", "post,heads:L2", "--direction", "noise", "--out", one.toString()))
                        .isZero();
        var alone = table(one).stream().filter(row -> row.get(4).equals("2") || row.get(4).equals("7")).toList();
        var second = rows.stream().filter(row -> row.getFirst().equals("1")).toList();
        assertThat(second).hasSize(20).hasSameSizeAs(alone);
        for (int r = 0; r < alone.size(); r++) {
            assertThat(second.get(r).subList(2, 6)).isEqualTo(alone.get(r).subList(0, 4));
            assertThat(second.get(r).get(7)).isEqualTo(alone.get(r).get(4));
            for (int number = 0; number < 4; number++) { // other rows are computed beside it: not the same bits
                assertThat(Double.parseDouble(second.get(r).get(8 + number)))
                        .isCloseTo(Double.parseDouble(alone.get(r).get(5 + number)), within(1e-3));
            }
        }
        try (var left = Files.list(directory)) {
            assertThat(left).containsExactlyInAnyOrder(csv, one, Path.of(file));
        }
    }

    @Test
    void meansAreThoseOfTheRowsInEveryFormat() throws Exception {
        var file = pairs(PAIR, PAIR.replace("Sara", "Lily"), PAIR.replace("Tom", "Ben"));
        for (var name : List.of("rows.csv", "rows.jsonl.gz", "rows.parquet", "rows/")) {
            var results = directory.resolve(name);
            assertThat(patch("--pairs", file, "--sites", "heads", "--json", "--out",
                    name.endsWith("/") ? results + "/" : results.toString())).as("%s", err).isZero();
            var json = json();
            int part = 2 * 6 + 5; // of six heads a layer
            var numbers = query(results, "select count(*), count(distinct pair_id), sum(position),"
                    + " avg(effect) filter (part = 'L2H5' and position = 4), stddev(effect) filter (part = 'L2H5' and"
                    + " position = 4) / sqrt(3), avg(kl) filter (part = 'L2H5' and position = 4) from effects")
                            .split(" ");
            assertThat(numbers[0]).isEqualTo("360");
            assertThat(numbers[1]).isEqualTo("3");
            assertThat(numbers[2]).isEqualTo("720");
            for (int i = 3; i < 6; i++) {
                assertThat(Double.parseDouble(numbers[i])).isCloseTo(json.at("/grids/0/"
                        + List.of("effect/%d/4/mean", "effect/%d/4/error", "kl/%d/4/mean").get(i - 3).formatted(part))
                        .asDouble(), within(1e-9));
            }
            assertThat(patch("--pairs", file, "--sites", "heads", "--json")).isZero();
            assertThat(json()).isEqualTo(json);
        }
    }

    @Test
    void rowsWithoutANumberOrAPositionHaveNone() throws Exception {
        var file = pairs(PAIR.replace("Tom", "Sara"));
        var results = directory.resolve("rows.jsonl");
        assertThat(patch("--pairs", file, "--at", "all", "--sites", "pre", "--out", results.toString())).isZero();
        assertThat(Files.readAllLines(results)).hasSize(4).allSatisfy(
                line -> assertThat(line).contains("\"at\":\"all\",\"position\":null,", "\"normalised\":null,")
                        .contains("\"effect\":0.0,"));
    }

    @Test
    void aFileHasOneWriterAtATime() throws Exception {
        var file = directory.resolve("rows.csv");
        try (var lock = ProcessLock.tryTake(directory.resolve(".rows.csv.lock")).orElseThrow()) {
            assertThat(lock).isNotNull();
            refused(file + ": another process is going to write it (expected: a file of its own)", CLEAN, CORRUPTED,
                    "--sites", "pre", "--out", file.toString());
            refused(file + ": another process is going to write it", "--pairs", pairs(PAIR), "--sites", "pre", "--out",
                    file.toString());
        }
        Files.writeString(file, "older");
        Files.writeString(directory.resolve(".rows.csv.rows"), "left by a process that was killed");
        assertThat(patch("--pairs", pairs(PAIR), "--sites", "pre", "--out", file.toString())).as("%s", err).isZero();
        assertThat(table(file)).hasSize(1 + 4 * 5);
    }

    private static Map<String, String> files(Path directory) throws Exception {
        var contents = new TreeMap<String, String>();
        try (var files = Files.list(directory)) {
            for (var file : (Iterable<Path>) files::iterator) {
                contents.put(file.getFileName().toString(), Files.readString(file, StandardCharsets.ISO_8859_1));
            }
        }
        return contents;
    }

    /** Results as they may be after kills: one part whole, one without its checksum, one not there. */
    @Test
    void anInterruptedDataSetGoesOn() throws Exception {
        var file = pairs(PAIR, LONGER, PAIR.replace("Tom", "Ben"));
        var arguments = new String[] {"--pairs", file, "--by", "role", "--sites", "pre,v", "--json", "--out",
                directory.resolve("whole") + "/"};
        assertThat(patch(arguments)).as("%s", err).isZero();
        var whole = files(directory.resolve("whole"));
        var printed = out.toString();
        assertThat(whole).containsOnlyKeys(".lock", "SHA256SUMS", "manifest.json", "part-000000.parquet",
                "part-000001.parquet", "part-000002.parquet");

        var cut = directory.resolve("cut");
        arguments[8] = cut + "/";
        assertThat(patch(arguments)).isZero();
        assertThat(files(cut)).isEqualTo(whole);
        Files.delete(cut.resolve("part-000002.parquet"));
        Files.writeString(cut.resolve(".part-000002.parquet.part"), "PAR1");
        Files.writeString(cut.resolve("SHA256SUMS"), Files.readAllLines(cut.resolve("SHA256SUMS")).get(1) + "\n");
        refused(cut + ": holds results (expected: a new directory, or --resume to go on)", arguments);
        arguments = Stream.concat(Stream.of(arguments), Stream.of("--resume")).toArray(String[]::new);
        assertThat(patch(arguments)).as("%s", err).isZero();
        assertThat(err.toString()).contains("1 of 3 pairs were there already");
        assertThat(out.toString()).isEqualTo(printed);
        assertThat(files(cut)).isEqualTo(whole);

        assertThat(patch(arguments)).isZero();
        assertThat(err.toString()).contains("3 of 3 pairs were there already");
        assertThat(out.toString()).isEqualTo(printed);
        assertThat(files(cut)).isEqualTo(whole);
    }

    @Test
    void resultsOfAnotherDataSetOrOtherSettingsAreNotMixed() throws Exception {
        var results = directory.resolve("results");
        var arguments = new ArrayList<>(List.of("--pairs", pairs(PAIR, LONGER), "--by", "role", "--sites", "pre",
                "--out", results + "/", "--resume"));
        assertThat(patch(arguments.toArray(String[]::new))).as("%s", err).isZero();
        var manifest = results.resolve("manifest.json") + ": ";
        arguments.set(5, "mid");
        refused(manifest + "sites.0 is \"pre\" (expected: \"mid\"; other results are not mixed with these",
                arguments.toArray(String[]::new));
        arguments.set(5, "pre");
        arguments.addAll(List.of("--direction", "noise"));
        refused(manifest + "direction is \"denoise\" (expected: \"noise\"", arguments.toArray(String[]::new));
        arguments.set(arguments.size() - 1, "denoise");
        arguments.addAll(List.of("--edit", "L2H5=0"));
        refused(manifest + "edits is [] (expected: [\"L2H5=0\"]", arguments.toArray(String[]::new));
        arguments.subList(arguments.size() - 2, arguments.size()).clear();
        pairs(PAIR, LONGER.replace("[\" he\"]", "[\" it\"]"));
        refused(manifest + "pairs.1.wrong.0 is \" he\" (expected: \" it\"", arguments.toArray(String[]::new));
        pairs(PAIR);
        refused(manifest + "pairs is [{", arguments.toArray(String[]::new));
    }

    private void refused(String message, String... arguments) {
        assertThat(patch(arguments)).isNotZero();
        assertThat(err.toString().strip().lines().toList()).as("%s", err).hasSize(1);
        assertThat(err.toString()).startsWith("lmdebug: " + message);
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void aSieveOfNeuronsComputesFewOfThemAndSaysHowManyItMisses() throws Exception {
        var arguments = new String[] {CLEAN, CORRUPTED, "--sites", "neurons", "--sieve", "30", "--sample", "50",
                "--direction", "noise"};
        assertThat(patch(arguments)).as("%s", err).isZero();
        var lines = out.toString().lines().toList();
        assertThat(lines)
                .contains("sieve: 6,144 effects of neurons at positions estimated; computed are the 30 with the "
                        + "largest estimates and 50 drawn at random (seed 0)");
        assertThat(lines.getLast()).matches(
                "recall@30: \\d+\\.\\d %, with 95 % confidence at least \\d+\\.\\d %; rank correlation \\(Spearman\\): 0\\.\\d{3}");
        assertThat(patch(Stream.concat(Stream.of(arguments), Stream.of("--json")).toArray(String[]::new))).isZero();
        assertThat(json().get("neurons")).hasSameSizeAs(json().at("/sieve/estimates")).hasSizeBetween(50, 80);
        assertThat(json().at("/neurons/0/neuron").asText()).matches("L\\dD\\d+");
    }

    @Test
    void promptsAndOptionsThatDoNotFitAreRefusedInOneSentence() {
        refused("patch: 1 prompts (expected: CLEAN and CORRUPTED; or --pairs alone)", CLEAN);
        refused("patch: 2 prompts, --pairs", CLEAN, CORRUPTED, "--pairs", "pairs.jsonl");
        refused("pair: prompts of 10 and 9 tokens, which differ from position 8 on: \" girl\" and \" named\" "
                + "(expected: equal lengths)", CLEAN, "Once upon a time there was a little named", "--answer", " a");
        refused("answers: none, and the likeliest token is the same after both prompts, \" ", CLEAN, CLEAN);
        refused("token: \" Rumpelstiltskin\" (expected: one token, but it is ", CLEAN, CORRUPTED, "--answer",
                " Rumpelstiltskin");
        refused("sites: links (expected: neurons, heads", CLEAN, CORRUPTED, "--sites", "pre,links");
        for (var wrong : List.of(List.of("--sites", "pre,neurons"), List.of("--sites", "neurons", "--at", "all"),
                List.of("--sites", "neurons", "--edit", "L1H1=0"), List.of("--sites", "neurons", "--out", "x.csv"))) {
            refused("--sieve: with --sites %s (expected: --sites neurons of one pair, at each position, without edits "
                    .formatted(wrong.get(1)) + "and --out)",
                    Stream.concat(Stream.of(CLEAN, CORRUPTED, "--sieve", "5"), wrong.stream())
                            .toArray(String[]::new));
        }
        refused("sites: nonsense (expected: ", CLEAN, CORRUPTED, "--sites", "nonsense");
        refused("sites: heads:L4 (expected: L0 to L3 in this model)", CLEAN, CORRUPTED, "--sites", "heads:L4");
        refused("--direction: both (expected: denoise or noise)", CLEAN, CORRUPTED, "--direction", "both");
        refused("--at: last (expected: each or all)", CLEAN, CORRUPTED, "--at", "last");
        refused("--by: role (expected: --pairs, whose lines name roles)", CLEAN, CORRUPTED, "--by", "role");
        refused("--by: role (expected: --at each)", CLEAN, CORRUPTED, "--by", "role", "--at", "all");
        refused("--top: -1 (expected: at least 0)", CLEAN, CORRUPTED, "--top", "-1");
        refused("--out: grid.txt (expected: a name that ends in .csv", CLEAN, CORRUPTED, "--out", "grid.txt");
        refused("nowhere/grid.csv: cannot be written", CLEAN, CORRUPTED, "--out", "nowhere/grid.csv");
        refused("--out: a directory (expected: a file; or --pairs)", CLEAN, CORRUPTED, "--out", directory + "/");
        refused("--resume: no directory (expected: --out DIR/)", CLEAN, CORRUPTED, "--resume");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`',
            textBlock = """
                    {"clean"                                                             | not JSON, or a key twice (expected: a JSON object of clean, corrupted, answers, wrong, positions; see column 9)
                    {"clean":"a","clean":"b"}                                            | not JSON, or a key twice (expected: a JSON object of clean, corrupted
                    null                                                                 | null (expected: a JSON object of clean, corrupted
                    Sara was sad.                                                        | not JSON
                    {"clean":"\\ud800"}                                                  | half of a surrogate pair (expected: whole characters; see column 10)
                    {"clean":"a"}                                                        | corrupted: missing (expected: clean,
                    {"clean":"a","corrupted":"b","answers":[" a"]}                       | wrong: missing
                    {"clean":"a","corrupted":"b","answers":" a","wrong":[" b"]}          | answers: of another kind (expected: a list)
                    {"clean":"a","corrupted":"b","answers":[],"wrong":[" b"]}            | answers: none (expected: at least one token)
                    {"clean":"a","corrupted":"b","answers":[null],"wrong":[" b"]}        | answers: null (expected: texts
                    {"clean":"a","corrupted":"b","answers":[" a"],"wrong":[" b"],"x":1}  | x: unknown (expected: answers, clean
                    {"clean":"a","corrupted":"b","answers":[" a"],"wrong":[" unheardof"]} | token: " unheardof" (expected: one token, but it is
                    {"clean":"a","corrupted":"a b","answers":[" a"],"wrong":[" b"]}      | pair: prompts of 1 and 2 tokens, which differ from position 1 on: the end and " b"
                    {"clean":"a","corrupted":"b","answers":[" a"],"wrong":[" b"],"positions":{"end":1}} | role: end: position 1 (expected: 0 to 0)
                    {"clean":"a","corrupted":"b","answers":[" a"],"wrong":[" b"],"positions":{"end":null}} | positions.end: missing
                    """)
    void aLineThatIsNoPairIsRefusedWithItsNumber(String line, String message) throws Exception {
        var file = pairs(PAIR, "", line);
        refused(file + ": line 3: " + message, "--pairs", file, "--sites", "pre");
    }

    @Test
    void filesThatAreNoDataSetAreRefused() throws Exception {
        refused(directory.resolve("pairs.jsonl") + ": empty (expected: at least one line)", "--pairs", pairs("", " "));
        refused(directory.resolve("none.jsonl") + ": cannot be read", "--pairs",
                directory.resolve("none.jsonl").toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"position", "role"})
    void pairsThatDoNotFitTogetherAreRefused(String by) throws Exception {
        boolean role = by.equals("role");
        var second = role ? PAIR.replace(",\"end\":4", "") : LONGER;
        var file = pairs("", PAIR, "", second);
        refused(file + ": line 4: " + (role ? "no position of the role end (expected: one, as in other pairs)"
                : "8 tokens, where " + file
                        + ": line 2 has 5 (expected: pairs of one length, or averages by role)"),
                "--pairs", file, "--by", by, "--sites", "pre");
    }
}
