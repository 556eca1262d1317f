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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.checkpoint.CheckpointCases;
import org.lmdebugger.checkpoint.Fuzz;
import org.lmdebugger.checkpoint.TestFiles;

/** The command as a user types it. */
class CommandLineTest {
    private static final String PROMPT = "Once upon a time there was a little";

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int lmdebug(String... arguments) {
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    @Test
    void traceFitsATerminal() {
        assertThat(lmdebug("trace", PROMPT, "--token", " boy")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString())
                .contains("Position 7, ␣little   effects on ␣boy", "Layer 3", "␣girl       0.4801", "(rank 2)")
                .doesNotContain("\u001b");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void cleanAndEditedSideBySide() {
        assertThat(lmdebug("trace", PROMPT, "--edit", "L1D483=0", "--edit", "L0D95*=3@last", "--top", "4", "--token",
                " boy")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString()).contains("clean: before", "edited: before", "*");
    }

    @Test
    void totalEffectsBesideDirectOnes() throws Exception {
        assertThat(lmdebug("trace", PROMPT, "--total")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString()).containsPattern(
                "score   direct    total  after\n +\\S+ +0\\.\\d+  L0D479 +\\+3\\.138   2\\.31   \\+0\\.188   [+-]0\\.\\d{3}  ␣girl");
        out.getBuffer().setLength(0);
        assertThat(lmdebug("trace", PROMPT, "--total", "--edit", "L1D483=0")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString()).containsPattern("\n  total  L0D479: [+-]0\\.\\d{3}  L0D95: ");
        out.getBuffer().setLength(0);
        assertThat(lmdebug("trace", PROMPT, "--total", "--top", "2", "--json")).isZero();
        assertThat(names(new ObjectMapper().readTree(out.toString()).at("/positions/0/layers/2/dominant/0")))
                .contains("total");
    }

    @Test
    void attributionAddsUpToTheDifferenceOfLogits() {
        assertThat(lmdebug("trace", PROMPT, "--attribution", "--target", " girl", "--against", " boy", "--top", "4",
                "--neurons", "2")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString()).contains("effects on ␣girl − ␣boy").doesNotContain("attention of position")
                .containsPattern("\n  part +direct +renorm\\. +total .*\n(  \\S+ .*\n"
                        + "((    L\\dD\\d+ +[+-]0\\.\\d{3} +coefficient [+-]\\d\\.\\d{3}\n){2}"
                        + "    other neurons +[+-]0\\.\\d{3}\n)?){4}  35 other parts +[+-]"
                        + "0\\.\\d{3}\n  sum +\\+0\\.450\n  logit +\\+0\\.450\n  remainder +[+-]\\d\\.\\de-0[5-9]\n");
    }

    @Test
    void attributionListsTheNeuronsWithTheLargestCoefficientsOfAll() throws Exception {
        assertThat(
                lmdebug("trace", PROMPT, "--attribution", "--neurons", "768", "--neurons-by", "coefficient", "--json"))
                        .isZero();
        var parts = new ObjectMapper().readTree(out.toString()).at("/positions/0/attribution/parts").valueStream()
                .filter(part -> part.has("neurons")).toList();
        assertThat(parts).hasSize(4).allSatisfy(part -> assertThat(
                part.get("neurons").valueStream().map(each -> -Math.abs(each.get("coefficient").doubleValue())))
                        .isSorted().hasSize(768));
    }

    @Test
    void effectsOfValueVectorsAreOnTheDifferenceOfLogits() throws Exception {
        assertThat(lmdebug("trace", PROMPT, "--target", " girl", "--against", " boy", "--top", "1", "--total"))
                .isZero();
        assertThat(out.toString()).contains("effects on ␣girl − ␣boy");
        out.getBuffer().setLength(0);
        assertThat(
                lmdebug("trace", PROMPT, "--target", " girl", "--against", " boy", "--top", "1", "--total", "--json"))
                        .isZero();
        var position = new ObjectMapper().readTree(out.toString()).at("/positions/0");
        assertThat(names(position)).containsExactly("position", "target", "against", "layers");
        assertThat(position.at("/against/token").textValue()).isEqualTo(" boy");
        out.getBuffer().setLength(0);
        assertThat(
                lmdebug("trace", PROMPT, "--target", " boy", "--against", " girl", "--top", "1", "--total", "--json"))
                        .isZero();
        var opposite = new ObjectMapper().readTree(out.toString()).at("/positions/0");
        for (int l = 0; l < 4; l++) {
            for (var effect : List.of("direct", "total")) {
                var pointer = "/layers/%d/dominant/0/%s".formatted(l, effect);
                assertThat(position.at(pointer).doubleValue()).as(pointer)
                        .isCloseTo(-opposite.at(pointer).doubleValue(), within(1e-5)); // of logits of about 10
            }
        }
    }

    @Test
    void attentionOfEachHeadCleanAndEdited() {
        assertThat(lmdebug("trace", PROMPT, "--attention", "--edit", "L1H2*=2@last")).isZero();
        assertThat(out.toString().lines())
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(out.toString().lines().filter(line -> line.matches(
                "  L\\dH\\d +direct [+-]\\d+\\.\\d{3}  total [+-]\\d+\\.\\d{3}  promotes \\S+ .*"))).hasSize(2 * 24);
        assertThat(out.toString()).contains("clean: attention of position 7", "edited: attention of position 7")
                .containsOnlyOnce("its mixed values are edited");
    }

    @Test
    void attributionAndAttentionAsJson() throws Exception {
        assertThat(lmdebug("trace", PROMPT, "--attribution", "--attention", "--target", " girl", "--against", "#441",
                "--edit", "L1.mid*=2@last", "--top", "2", "--json")).isZero();
        var json = new ObjectMapper().readTree(out.toString());
        for (var position : List.of(json.at("/positions/0"), json.at("/edited/positions/0"))) {
            assertThat(position.at("/target/token").textValue()).isEqualTo(" girl");
            assertThat(names(position.at("/layers/0/chosen/0"))).contains("before");
            var attribution = position.get("attribution");
            assertThat(names(attribution)).containsExactly("token", "against", "logit", "sum", "remainder", "parts");
            assertThat(attribution.get("token").textValue() + attribution.get("against").textValue())
                    .isEqualTo(" girl little");
            double sum = attribution.get("parts").valueStream().mapToDouble(part -> part.get("direct").doubleValue())
                    .sum();
            assertThat(sum).isCloseTo(attribution.get("logit").doubleValue(), within(1e-4)); // of numbers in single precision
            assertThat(attribution.at("/parts/2/part").textValue()).isEqualTo("L0H0");
            assertThat(names(attribution.at("/parts/2"))).containsExactly("part", "direct", "renormalised", "total",
                    "sources");
            assertThat(attribution.at("/parts/2/sources")).hasSize(8);
            assertThat(names(attribution.at("/parts/2/sources/0"))).containsExactly("position", "direct");
            assertThat(names(attribution.at("/parts/0"))).containsExactly("part", "direct", "renormalised");
            var ffn = attribution.at("/parts/9");
            assertThat(names(ffn)).containsExactly("part", "direct", "renormalised", "total", "neurons",
                    "other_neurons");
            assertThat(ffn.get("neurons")).hasSize(5);
            assertThat(names(ffn.at("/neurons/0"))).containsExactly("neuron", "coefficient", "direct");
            assertThat(ffn.at("/neurons/0/neuron").textValue()).matches("L0D\\d+");
            assertThat(ffn.get("neurons").valueStream().mapToDouble(neuron -> neuron.get("direct").doubleValue()).sum()
                    + ffn.get("other_neurons").doubleValue())
                            .isCloseTo(ffn.get("direct").doubleValue(), within(1e-5)); // of numbers in single precision
            assertThat(position.get("attention")).hasSize(24);
            var head = position.at("/attention/1");
            assertThat(names(head)).containsExactly("layer", "head", "sources", "promotes", "direct", "total");
            assertThat(head.get("sources")).hasSize(2);
            assertThat(head.get("promotes")).hasSize(2);
            assertThat(names(head.at("/sources/0"))).containsExactly("position", "token", "weight", "norm");
        }
        assertThat(json.at("/positions/0/attribution/parts")).hasSize(39);
        assertThat(json.at("/edited/positions/0/attribution/parts")).hasSize(40);
        assertThat(json.at("/edited/positions/0/attribution/parts").valueStream()
                .map(part -> part.get("part").textValue())).contains("L1.edits");
    }

    @ParameterizedTest
    @ValueSource(strings = {"trace", "trace --json", "generate", "generate --compare", "generate --json",
            "generate --temperature 1", "generate --top-k 5 --json"})
    void aNetworkThatOverflowsIsRefusedInOneSentence(String command) {
        var arguments = new ArrayList<>(List.of(command.split(" ")));
        arguments.addAll(List.of("Once upon a time", "--edit", "L0D1=1e38", "--edit", "L0D1*=1e38"));
        assertThat(lmdebug(arguments.toArray(String[]::new))).isEqualTo(1);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString().lines())
                .containsExactly("lmdebug: edits: L0D1=1.0E38; L0D1*=1.0E38: the network's numbers are not finite "
                        + "from layer 0 on (expected: smaller edits, as FP32 ends at 3.4e38)");
    }

    @Test
    void jsonHasNullWhereANumberIsNone() {
        var numbers = List.of(1.5f, Float.NaN, Double.NEGATIVE_INFINITY, new float[] {Float.POSITIVE_INFINITY, 2});
        assertThat(Json.line(numbers)).isEqualTo("[1.5,null,null,[null,2.0]]");
        assertThat(Json.print(numbers).replaceAll("\\s", "")).isEqualTo("[1.5,null,null,[null,2.0]]");
    }

    @Test
    void traceAsJson() throws Exception {
        assertThat(lmdebug("trace", PROMPT, "--edit", "L1D5=2", "--position", "all", "--top", "3", "--token", " boy",
                "--json")).isZero();
        var json = new ObjectMapper().readTree(out.toString());
        assertThat(names(json)).containsExactly("model", "device", "precision", "mode", "prompt", "tokens", "added",
                "positions", "edited");
        assertThat(json.get("model").asText() + json.get("device").asText() + json.get("precision").asText()
                + json.get("mode").asText())
                        .isEqualTo("samplecpufp32exact");
        assertThat(json.at("/tokens/7").toString()).isEqualTo("{\"id\":441,\"text\":\" little\"}");
        assertThat(json.get("positions")).hasSize(8);
        var layer = json.at("/positions/7/layers/2");
        assertThat(names(layer)).containsExactlyInAnyOrder("layer", "before", "after", "dominant", "chosen");
        assertThat(names(layer.at("/before/0"))).containsExactly("id", "token", "probability");
        assertThat(names(layer.at("/dominant/0"))).containsExactly("neuron", "coefficient", "score", "direct");
        assertThat(names(layer.at("/chosen/0"))).containsExactly("id", "token", "before", "after");
        assertThat(names(layer.at("/chosen/0/after"))).containsExactly("probability", "rank");
        assertThat(json.at("/edited/positions/7/layers/3/after")).hasSize(3);
    }

    /** A checkpoint whose tokenizer begins every text by itself, and of which a merge is missing. */
    @Test
    void showsWhatTheTokenizerAdds(@TempDir Path folder) throws Exception {
        for (var name : List.of("config.json", "model.safetensors", "vocab.json")) {
            Files.copy(TestFiles.sample().resolve(name), folder.resolve(name));
        }
        var merges = Files.readAllLines(TestFiles.sample().resolve("merges.txt"));
        Files.write(folder.resolve("merges.txt"), merges.subList(0, merges.size() - 1));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"add_bos_token\": true}");
        assertThat(lmdebug("trace", "Once upon", "--model", folder.toString())).isZero();
        assertThat(out.toString().lines().skip(1)).startsWith("0:<|endoftext|>  1:Once  2:␣upon",
                "added by the tokenizer  0");
        assertThat(err.toString()).hasLineCount(1)
                .startsWith("lmdebug: " + folder.resolve("vocab.json") + ": no merge makes 1 of 8192 tokens");
        out.getBuffer().setLength(0);
        assertThat(lmdebug("trace", "Once upon", "--model", folder.toString(), "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out.toString()).get("added").toString()).isEqualTo("[0]");
    }

    private static Iterable<String> names(JsonNode node) {
        return node::fieldNames;
    }

    @Test
    void lmDebuggerMode() throws Exception {
        assertThat(lmdebug("trace", PROMPT, "--mode", "lm-debugger", "--edit", "L1D5=on", "--json")).isZero();
        var trace = new ObjectMapper().readTree(out.toString());
        assertThat(trace.get("mode").asText()).isEqualTo("lm-debugger");
        assertThat(lmdebug("trace", PROMPT, "--edit", "L1D5=on", "--json")).isZero();
        assertThat(new ObjectMapper().readTree(out.toString())).isEqualTo(trace);
    }

    @Test
    void generatePrintsPromptAndContinuation() {
        assertThat(lmdebug("generate", PROMPT, "--tokens", "5")).isZero();
        assertThat(out).hasToString(PROMPT + " girl named Lily. She" + System.lineSeparator());
    }

    @Test
    void theSameSeedGivesTheSameText() {
        var drawn = new String[] {"generate", PROMPT, "--temperature", "1.2", "--top-k", "50", "--top-p", "0.9",
                "--seed", "3"};
        assertThat(lmdebug(drawn)).isZero();
        var first = out.toString();
        out.getBuffer().setLength(0);
        assertThat(lmdebug(drawn)).isZero();
        assertThat(out).hasToString(first);
        out.getBuffer().setLength(0);
        drawn[drawn.length - 1] = "4";
        assertThat(lmdebug(drawn)).isZero();
        assertThat(out.toString()).isNotEqualTo(first);
    }

    @Test
    void generateComparesAndPrintsJson() throws Exception {
        assertThat(lmdebug("generate", PROMPT, "--tokens", "4", "--edit", "L1D5=9", "--compare")).isZero();
        assertThat(out.toString()).startsWith("clean: " + PROMPT)
                .contains(System.lineSeparator() + "edited: " + PROMPT);
        out.getBuffer().setLength(0);
        assertThat(lmdebug("generate", PROMPT, "--tokens", "4", "--edit", "L1D5=9", "--compare", "--json")).isZero();
        var json = new ObjectMapper().readTree(out.toString());
        assertThat(json.get("generations")).hasSize(2);
        assertThat(json.at("/generations/1/edits/0").asText()).isEqualTo("L1D5=9");
        assertThat(json.at("/generations/0/tokens")).hasSize(4);
        assertThat(json.at("/generations/0/tokens/0/log_probability").asDouble()).isBetween(-1.0, -0.5);
        assertThat(json.at("/generations/0/end").asText()).isEqualTo("length");
    }

    @Test
    void continuationsUnderManyInterventions(@TempDir Path directory) throws Exception {
        var file = Files.writeString(directory.resolve("edits"), "L1D5=9@generated\nL0D3=4; L2D7=6@generated\n");
        assertThat(lmdebug("generate", PROMPT, "--tokens", "6", "--compare", "--interventions", file.toString()))
                .isZero();
        var lines = out.toString().lines().toList();
        assertThat(lines).hasSize(3);
        assertThat(lines.get(1)).startsWith("L1D5=9@generated: ");
        out.getBuffer().setLength(0);
        assertThat(lmdebug("generate", PROMPT, "--tokens", "6", "--edit", "L0D3=4", "--edit", "L2D7=6@generated"))
                .isZero();
        assertThat("L0D3=4; L2D7=6@generated: " + out.toString().strip()).isEqualTo(lines.get(2));
    }

    @Test
    void modelsAndDevices() {
        assertThat(lmdebug("models")).isZero();
        assertThat(out.toString()).startsWith("sample ").contains("6.8 MB", "Hugging Face cache");
        assertThat(lmdebug("devices")).isZero();
        assertThat(out.toString()).contains("cpu    usable", "products by ", "cuda ");
        assertThat(lmdebug("devices", "--json")).isZero();
        assertThat(out.toString().replaceAll("\\s", "")).contains("[{\"name\":\"cpu\",\"usable\":true,\"detail\":\"");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--help", "trace --help", "generate --help", "models --help", "devices --help", "help trace"})
    void help(String arguments) {
        assertThat(lmdebug(arguments.split(" "))).isZero();
        assertThat(out.toString()).contains("Usage: lmdebug");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|',
            textBlock = """
                    trace|''|prompt: empty (expected: at least one token)
                    trace|Once --edit L9D0=0|edit: L9D0 (expected: L0 to L3 and D0 to D767 in this model)
                    trace|Once --edit L1D0=x|edit: L1D0=x: x is not a number
                    trace|Once --edit L1D0=NaN|edit: L1D0=NaN: NaN (expected: a finite number)
                    trace|Once --token boyhoods|(expected: one token, but it is
                    trace|Once --token girl|" girl", with a space, is one
                    trace|Once --target boyhoods --attribution|(expected: one token, but it is
                    trace|Once --attribution --neurons 999|neurons: 999 (expected: 0 to 768)
                    trace|Once --attribution --neurons-by score|order of neurons: score (expected: direct or coefficient)
                    trace|Once --against #99999 --attention|token: 99999 (expected: 0 to 8191)
                    trace|Once --target #620 --against #620|against:  girl (expected: another token than the target)
                    trace|Once --target #620 --against #620 --attribution|against:  girl (expected: another token than the target)
                    trace|Once --position 5|position: 5 (expected: 0 to 0, or -1 to -1 from the end)
                    trace|Once --position first|position: first (expected: an index from 0, last or all)
                    trace|Once --top 0|top: 0 (expected: 1 to 768)
                    trace|Once --model ./none|model: ./none: not found
                    trace|Once --device gpu|device: gpu (expected: cpu, cuda, or cuda:1 for the second GPU)
                    trace|Once --device cuda|device: cuda:0: not usable
                    trace|Once --precision bf16|device: cuda:0: not usable
                    trace|Once --device cpu --precision tf32|precision: TF32 (expected: FP32 on the CPU)
                    generate|Once --tokens 128|tokens: 128 after a prompt of 1 (expected: at most 128 together in this model)
                    generate|Once --top-p 2|topP: 2.0 (expected: more than 0, at most 1)
                    generate|Once --compare|--compare: no edits
                    """)
    void whatCannotBeDoneIsSaidInALine(String command, String rest, String message) {
        var arguments = new ArrayList<>(List.of(command));
        arguments.addAll(List.of(rest.split(" ")));
        assertThat(lmdebug(arguments.toArray(String[]::new))).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: ").contains(message).doesNotContain("\tat ");
        assertThat(out.toString()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"trace", "trace Once --top many", "trace Once --mode sloppy", "trace Once --nonsense", "traces"})
    void aWrongCommandLineIsSaidInALine(String arguments) {
        assertThat(lmdebug(arguments.split(" "))).isEqualTo(2);
        assertThat(err.toString()).startsWith("lmdebug: ").contains("--help").hasLineCount(1);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            trase Once|did you mean trace
            trace Once --edits L0D0=0|did you mean --edit
            trace Once --mode EXACT|mode: EXACT (expected: exact or lm-debugger)
            sweep Once --mode lm|mode: lm (expected: exact or lm-debugger)
            sweep Once --device ,|device:  (expected: cpu, cuda, or cuda:1 for the second GPU)
            """)
    void whoMistypesIsShownTheWay(String arguments, String message) {
        assertThat(lmdebug(arguments.split(" "))).isPositive();
        assertThat(err.toString()).contains(message).hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "values"})
    void aCommandGroupAloneListsItsCommandsWithAnExample(String arguments) {
        assertThat(lmdebug(arguments.isEmpty() ? new String[0] : arguments.split(" "))).isEqualTo(2);
        assertThat(err.toString()).contains("Usage: lmdebug", arguments.isEmpty() ? "trace " : "similar ",
                "For example:" + System.lineSeparator() + "  lmdebug ");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void noExampleOfTheHelpIsBroken() {
        var commands = Main.commandLine().getSubcommands();
        for (var command : commands.values()) {
            for (var line : command.getCommandSpec().usageMessage().footer()) {
                assertThat(command.getUsageMessage()).contains(line);
            }
        }
    }

    @Test
    void severalPromptsAreShownAsTheyMayBeOneWithoutQuotationMarks() {
        assertThat(lmdebug("sweep", "Once", "upon", "--neurons", "L0D0")).isZero();
        assertThat(err.toString()).contains("2 prompts: \"Once\", \"upon\"").hasLineCount(1);
    }

    @Test
    void aShellCompletesTheCommands() {
        assertThat(lmdebug("generate-completion")).isZero();
        assertThat(out.toString()).contains("complete -F", "_picocli_lmdebug_trace");
    }

    @Test
    void longLinesOfInterventionsAreReadInOnePass(@TempDir Path folder) throws Exception {
        var edits = Files.writeString(folder.resolve("edits"), "L0D0=0; ".repeat(40_000) + "L0D768=0");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", edits.toString())).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: edit: L0D768 (expected: ").hasLineCount(1);
        err.getBuffer().setLength(0);
        var prompts = Files.writeString(edits, "L0D0=from:\"a;b\"; ".repeat(2_000) + "L9D0=0");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", prompts.toString())).isEqualTo(1);
        assertThat(err.toString()).contains("L9D0 (expected: ").hasLineCount(1);
    }

    @Test
    void aFileThatIsNoTextIsNamed(@TempDir Path folder) throws Exception {
        var latin = Files.write(folder.resolve("latin1"), "Once\nna\u00efve\n".getBytes(StandardCharsets.ISO_8859_1));
        for (var option : List.of("--prompts", "--interventions")) {
            err.getBuffer().setLength(0);
            assertThat(lmdebug("sweep", "--neurons", "L0D0", option, latin.toString())).isEqualTo(1);
            assertThat(err.toString()).startsWith("lmdebug: " + latin + ": line 2: not UTF-8 (expected: ")
                    .hasLineCount(1);
            err.getBuffer().setLength(0);
            assertThat(lmdebug("sweep", "--neurons", "L0D0", option, folder.toString())).isEqualTo(1);
            assertThat(err.toString()).startsWith("lmdebug: " + folder + ": cannot be read").hasLineCount(1);
        }
    }

    @Test
    void aByteOrderMarkIsNoText(@TempDir Path folder) throws Exception {
        var edits = Files.writeString(folder.resolve("edits"), "\ufeffL0D1=0\n\nL0D2=x\n");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", edits.toString())).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: " + edits + ": line 3: edit: L0D2=x").hasLineCount(1);
        Files.writeString(edits, "\ufeffL0D1=0\n");
        assertThat(lmdebug("sweep", PROMPT, "--interventions", edits.toString())).isZero();
    }

    @Test
    void spoiltCommandLinesAreRefusedInALineOrRun() {
        var right = List.of("trace|Once|--edit|L1D2*=2@last|--token| a|--top|3",
                "generate|Once upon|--tokens|2|--seed|7|--top-p|0.9",
                "sweep|Once upon|--neurons|L0D0-3|--op|set:3|--at|last|--measure|rank:\" a\"|--top|2",
                "values|promote| king| queen|--top|3", "models", "devices");
        var outcomes = Fuzz.run("command lines", 60, random -> {
            var arguments = right.get(random.nextInt(right.size())).split("\\|");
            int which = random.nextInt(arguments.length);
            var text = arguments[which].getBytes(StandardCharsets.UTF_8);
            arguments[which] = new String(Fuzz.spoilt(text, random), StandardCharsets.UTF_8);
            err.getBuffer().setLength(0);
            int code = lmdebug(arguments);
            assertThat(code).as("%s", List.of(arguments)).isBetween(0, 2);
            assertThat(err.toString()).as("%s", List.of(arguments)).doesNotContain("\tat ", "Exception");
            var last = err.toString().lines().reduce("", (before, line) -> line); // there may be a list of the prompts before
            assertThat(code == 1 && !last.startsWith("lmdebug: ")).as("%s", List.of(arguments)).isFalse();
            return code == 0 ? "ran" : "refused";
        });
        assertThat(outcomes.keySet()).isSubsetOf("ran", "refused");
    }

    @Test
    void weightsThatAreNotUsedAreSaidOnce(@TempDir Path folder) {
        CheckpointCases.all().get("more-layers-than-config").checkpoint().write(folder);
        var said = "lmdebug: %s: 12 tensors are not used: transformer.h.2.attn.c_attn.bias, transformer.h.2.attn.c_attn.weight, "
                .formatted(folder) + "transformer.h.2.attn.c_proj.bias, … (in a GPT-2 of n_layer 2)"
                + System.lineSeparator();
        assertThat(lmdebug("trace", "Once", "--model", folder.toString())).isZero();
        assertThat(err.toString()).isEqualTo(said);
        err.getBuffer().setLength(0);
        assertThat(lmdebug("sweep", "Once", "--model", folder.toString(), "--device", "cpu,cpu", "--neurons", "L0D0-3",
                "--out", folder.resolve("e.csv").toString())).isZero();
        assertThat(err.toString()).containsOnlyOnce("not used");
    }

    @Test
    void aDamagedModelIsSaidWithItsFile(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"llama\"}");
        assertThat(lmdebug("trace", "Once", "--model", directory.toString())).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: " + directory).contains("model.safetensors");
    }
}
