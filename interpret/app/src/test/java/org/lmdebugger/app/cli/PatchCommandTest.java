package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
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
        var table = directory.resolve("means.csv");
        assertThat(patch("--pairs", file, "--by", "role", "--sites", "pre,heads", "--out", table.toString()))
                .as("%s", err).isZero();
        assertThat(err.toString()).startsWith("the model is right on 2 of 2 pairs; ");
        assertThat(out.toString()).contains("the model is right on 2 of 2 pairs; ", "direction denoise")
                .containsPattern("\n +subject +end\nL0.pre +\\+1\\.00 +·\n")
                .containsPattern("L2H5@end +\\+\\d\\.\\d{4} ± \\d\\.\\d{4} +100 % +\\+0\\.\\d{4} ± ");
        assertThat(Files.readAllLines(table)).hasSize(1 + (4 + 24) * 2).first().isEqualTo(
                "direction,sites,part,layer,at,effect,effect_error,effect_count,same_sign,normalised,normalised_error,"
                        + "normalised_count,kl,kl_error,kl_count");
        assertThat(patch("--pairs", file, "--at", "all", "--sites", "v", "--json")).isZero();
        assertThat(json().get("pairs").asInt()).isEqualTo(2);
        assertThat(json().at("/grids/0/columns/0").asText()).isEqualTo("all");
        assertThat(json().at("/grids/0/effect/17/0/count").asInt()).isEqualTo(2);
        assertThat(json().at("/grids/0/sameSign/17/0").isNumber()).isTrue();
    }

    private void refused(String message, String... arguments) {
        assertThat(patch(arguments)).isNotZero();
        assertThat(err.toString().strip().lines().toList()).as("%s", err).hasSize(1);
        assertThat(err.toString()).startsWith("lmdebug: " + message);
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void promptsAndOptionsThatDoNotFitAreRefusedInOneSentence() {
        refused("patch: 1 prompts (expected: CLEAN and CORRUPTED; or --pairs alone)", CLEAN);
        refused("patch: 2 prompts, --pairs", CLEAN, CORRUPTED, "--pairs", "pairs.jsonl");
        refused("pair: prompts of 10 and 9 tokens, which differ from position 8 on: \" girl\" and \" named\" "
                + "(expected: equal lengths)", CLEAN, "Once upon a time there was a little named", "--answer", " a");
        refused("--answer: none, and the likeliest token is the same after both prompts, \" ", CLEAN, CLEAN);
        refused("token: \" Rumpelstiltskin\" (expected: one token, but it is ", CLEAN, CORRUPTED, "--answer",
                " Rumpelstiltskin");
        refused("sites: links (expected: neurons, heads", CLEAN, CORRUPTED, "--sites", "pre,links");
        refused("sites: nonsense (expected: ", CLEAN, CORRUPTED, "--sites", "nonsense");
        refused("sites: heads:L4 (expected: L0 to L3 in this model)", CLEAN, CORRUPTED, "--sites", "heads:L4");
        refused("--direction: both (expected: denoise or noise)", CLEAN, CORRUPTED, "--direction", "both");
        refused("--at: last (expected: each or all)", CLEAN, CORRUPTED, "--at", "last");
        refused("--by: role (expected: --pairs, whose lines name roles)", CLEAN, CORRUPTED, "--by", "role");
        refused("--by: role (expected: --at each)", CLEAN, CORRUPTED, "--by", "role", "--at", "all");
        refused("--top: -1 (expected: at least 0)", CLEAN, CORRUPTED, "--top", "-1");
        refused("--out: grid.txt (expected: a name that ends in .csv", CLEAN, CORRUPTED, "--out", "grid.txt");
        refused("--out: nowhere/grid.csv (expected: a name", CLEAN, CORRUPTED, "--out", "nowhere/grid.csv");
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
        var file = pairs(PAIR, second);
        assertThat(patch("--pairs", file, "--by", by, "--sites", "pre")).isNotZero();
        assertThat(err.toString()).endsWith("lmdebug: " + (role
                ? "pair 2: no position of the role end (expected: one, as in other pairs)"
                : "pair 2: 8 tokens, where pair 1 has 5 (expected: pairs of one length, or averages by role)")
                + System.lineSeparator());
    }
}
