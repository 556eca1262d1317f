package org.lmdebugger.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.TestFiles;
import org.lmdebugger.tokenizer.Tokenizer;

/** The programs do what they say, on the sample model of 4 layers with 768 neurons each. */
class ExamplesTest {
    private static final String MODEL = TestFiles.sample().toString();
    private static final String PROMPT = "Once upon a time there was a little";

    private static final List<String> PROGRAMS = List.of("AblationSweep", "LogitLens", "Patching", "OwnMeasure",
            "OwnDeviceWork", "IoiPairs");

    @TempDir
    Path folder;

    private interface Program {
        void main(String... args) throws Exception;
    }

    private static List<String> printed(Program program, String... args) throws Exception {
        var bytes = new ByteArrayOutputStream();
        var before = System.out;
        try (var out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
            System.setOut(out);
            program.main(args);
        } finally {
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private Path prompts() throws Exception {
        return Files.writeString(folder.resolve("prompts.txt"), PROMPT + "\nThe king\n");
    }

    @Test
    void anAblationSweepOfSeveralPromptsBecomesAParquetFile() throws Exception {
        var file = folder.resolve("effects.parquet");
        AblationSweep.main(MODEL, prompts().toString(), file.toString());
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement();
                var rows = statement.executeQuery(
                        "select count(*), count(distinct prompt), arg_max('L' || layer || 'D' || neuron, kl) "
                                + "filter (prompt = 0) from '" + file + "'")) {
            rows.next();
            assertThat(rows.getInt(1)).isEqualTo(2 * 4 * 768);
            assertThat(rows.getInt(2)).isEqualTo(2);
            assertThat(rows.getString(3)).isEqualTo("L0D409"); // as the README shows
        }
    }

    @Test
    void theLogitLensHasARowForEachPromptAndLayer() throws Exception {
        var lines = printed(LogitLens::main, MODEL, prompts().toString());
        assertThat(lines).hasSize(1 + 2 * 4).startsWith("prompt\tlayer\ttoken\tlog_probability");
        assertThat(lines.get(4)).startsWith("0\t3\t girl\t-0.73"); // log 0.4801
    }

    @Test
    void patchingShowsTheNeuronsThatCarryTheDifference() throws Exception {
        var lines = printed(Patching::main, MODEL, PROMPT, "Once upon a time there was a big", " girl", " dog");
        assertThat(lines).hasSize(11).first().asString()
                .startsWith("difference:\" girl\"/\" dog\" of the prompt itself: ");
        assertThat(lines.subList(1, 11)).allMatch(line -> line.matches("L[0-3]D\\d+\t[+-]\\d\\.\\d{4}"))
                .doesNotHaveDuplicates();
    }

    @Test
    void anOwnMeasureIsMeasured() throws Exception {
        assertThat(printed(OwnMeasure::main, MODEL, PROMPT)).hasSize(4 * 20)
                .allMatch(line -> line.matches("L[0-3]D\\d+(\t[+-]\\d\\.\\d{4}){2}"));
    }

    @Test
    void ownWorkOnTheDeviceChangesWhatTheHeadReads() throws Exception {
        var lines = printed(OwnDeviceWork::main, MODEL, PROMPT, "7");
        assertThat(lines).hasSize(5).first().asString().contains("token= girl");
    }

    private List<String> ioiPairs(String seed, String corruption) throws Exception {
        var file = folder.resolve("pairs.jsonl");
        IoiPairs.main(MODEL, "40", seed, corruption, file.toString());
        assertThat(Files.readString(file)).endsWith("}\n");
        return Files.readAllLines(file);
    }

    @ParameterizedTest
    @ValueSource(strings = {"abc", "swap"})
    void pairsOfTheIndirectObjectDifferInTheSecondPlaceOfTheSubject(String corruption) throws Exception {
        var tokenizer = Tokenizer.read(TestFiles.sample(), 8192);
        for (var line : ioiPairs("7", corruption)) {
            var pair = new ObjectMapper().readTree(line);
            var clean = tokenizer.encode(pair.get("clean").asText());
            var corrupted = tokenizer.encode(pair.get("corrupted").asText());
            int object = tokenizer.single(pair.at("/answers/0").asText());
            int subject = tokenizer.single(pair.at("/wrong/0").asText());
            var positions = pair.get("positions");
            int second = positions.get("S2").asInt();
            assertThat(positions.fieldNames()).toIterable().containsExactly("IO", "S1", "S2", "END");
            assertThat(positions.get("END").asInt()).isEqualTo(clean.length - 1);
            assertThat(clean[positions.get("IO").asInt()]).as(line).isEqualTo(object);
            assertThat(clean[positions.get("S1").asInt()]).as(line).isEqualTo(subject);
            assertThat(clean[second]).isEqualTo(subject);
            assertThat(second).isGreaterThan(Math.max(positions.get("S1").asInt(), positions.get("IO").asInt()));
            assertThat(Arrays.mismatch(clean, corrupted)).isEqualTo(second);
            assertThat(corrupted[second]).isNotEqualTo(subject)
                    .matches(id -> corruption.equals("swap") == (id == object));
            corrupted[second] = subject;
            assertThat(corrupted).isEqualTo(clean);
        }
    }

    @Test
    void pairsOfOneSeedAreTheSameBytes() throws Exception {
        var lines = ioiPairs("7", "abc");
        assertThat(lines).hasSize(40);
        assertThat(ioiPairs("7", "abc")).isEqualTo(lines);
        assertThat(ioiPairs("8", "abc")).isNotEqualTo(lines);
        assertThat(Files.readString(TestFiles.project("README.md"))).contains(ioiPairs("7", "swap").getFirst());
        assertThatThrownBy(() -> ioiPairs("7", "both")).hasMessage("corruption: both (expected: abc or swap)");
    }

    /** Line by line, but for indentation and comments. */
    @Test
    void theReadmeQuotesThePrograms() throws Exception {
        var readme = Files.readString(TestFiles.project("README.md"));
        var section = readme.substring(readme.indexOf("## Programs"));
        var quoted = section.substring(section.indexOf("```java") + 7);
        var sources = new StringBuilder();
        for (var program : PROGRAMS) {
            sources.append(Files.readString(TestFiles
                    .project("interpret/examples/src/main/java/org/lmdebugger/examples/" + program + ".java")));
        }
        assertThat(quoted.substring(0, quoted.indexOf("```")).lines()
                .map(line -> line.replaceFirst(" +// .*", "").strip()))
                        .isNotEmpty().allMatch(line -> sources.indexOf(line) >= 0);
        assertThat(PROGRAMS).allMatch(program -> section.contains("| `" + program + " MODEL "));
    }

    @Test
    void withoutArgumentsEachProgramNamesThoseThatTheReadmeHas() throws Exception {
        var readme = Files.readString(TestFiles.project("README.md"));
        for (Program program : List.<Program>of(AblationSweep::main, LogitLens::main, Patching::main, OwnMeasure::main,
                OwnDeviceWork::main, IoiPairs::main)) {
            assertThatThrownBy(program::main).hasMessageStartingWith("usage: ")
                    .satisfies(usage -> assertThat(readme).contains("| `" + usage.getMessage().substring(7) + "` |"));
        }
    }
}
