package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;

/** {@code lmdebug corpus}, and commands that read a corpus, as a user types them. */
@TestInstance(Lifecycle.PER_CLASS)
class CorpusCommandTest {
    private static final String TEXT = """
            Once upon a time there was a little girl. She had a red ball.
            <|endoftext|>
            The king and the queen lived in a big castle. The queen was sad.
            <|endoftext|>
            A dog ran after the ball, and the girl ran after the dog.
            """;

    private Path folder;
    private String out = "";
    private String err = "";

    @BeforeAll
    void build(@TempDir Path folder) throws IOException {
        this.folder = folder;
        Files.writeString(folder.resolve("tales.v1.txt"), TEXT);
        assertThat(run("corpus", "build", folder.resolve("tales.v1.txt").toString(), "--window", "12")).as(err)
                .isZero();
        assertThat(out).contains("tales: 3 documents, ", " tokens in ", " windows of at most 12", "built in ",
                " tokens a second");
    }

    private int run(String... arguments) {
        return runWith(folder.resolve("cache"), arguments);
    }

    private int runWith(Path cache, String... arguments) {
        var all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("--cache", cache.toString()));
        var printed = new StringWriter();
        var said = new StringWriter();
        int code = Main.commandLine().setOut(new PrintWriter(printed, true)).setErr(new PrintWriter(said, true))
                .execute(all.toArray(String[]::new));
        out = printed.toString();
        err = said.toString();
        return code;
    }

    private JsonNode json() throws IOException {
        return new ObjectMapper().readTree(out);
    }

    private String refused(String... arguments) {
        assertThat(run(arguments)).as(out).isEqualTo(1);
        assertThat(err.lines()).hasSize(1);
        return err;
    }

    @Test
    void theSameCorpusIsNotComputedAgain() {
        assertThat(run("corpus", "build", folder.resolve("tales.v1.txt").toString(), "--window", "12")).isZero();
        assertThat(out).contains("it was there already");
    }

    @Test
    void listsAndDeletes() throws IOException {
        var lines = Files.writeString(folder.resolve("more.jsonl"), "{\"body\": \"A small story.\"}\n");
        assertThat(run("corpus", "build", lines.toString(), "--field", "body", "--name", "more")).as(err).isZero();
        assertThat(run("corpus", "list")).isZero();
        assertThat(out).contains("tales  ", "3 documents", "more  ", "1 document,", "stories  ", "comes along");
        assertThat(run("corpus", "list", "--json")).isZero();
        assertThat(json().at("/corpora").findValuesAsText("name")).containsExactly("more", "tales");
        assertThat(run("corpus", "delete", "more")).isZero();
        assertThat(refused("corpus", "delete", "more")).contains("corpus: more: not there");
        assertThat(refused("corpus", "show", "more"))
                .contains("corpus: more: not built for this model (expected: one of tales)");
    }

    @Test
    void showsLayersAndWritesTables() throws IOException {
        var units = folder.resolve("units.parquet");
        var examples = folder.resolve("examples.jsonl");
        assertThat(run("corpus", "show", "tales", "--out", units.toString(), "--examples", examples.toString())).as(err)
                .isZero();
        assertThat(out.lines().filter(line -> line.matches(" +[0-3] .*L[0-3]H[0-5] .*"))).hasSize(4);
        assertThat(Main.commandLine().setOut(new PrintWriter(new StringWriter())).execute("query", units.toString(),
                "select part from effects")).isZero();
        var printed = new StringWriter();
        Main.commandLine().setOut(new PrintWriter(printed, true)).execute("query", units.toString(),
                "select count(*), count(neuron), count(head), count(distinct layer) from effects");
        assertThat(printed.toString()).contains("3104", "3072", "24", "4"); // 4 · (768 + 6 + 2)
        var first = new ObjectMapper().readTree(Files.readAllLines(examples).getFirst());
        assertThat(first.get("part").asText()).isEqualTo("L0D0");
        assertThat(first.get("kind").asText()).isEqualTo("largest");
        assertThat(first.get("coefficients")).hasSameSizeAs(first.get("ids"));
        assertThat(run("corpus", "show", "tales", "--json")).isZero();
        assertThat(json().at("/layers")).hasSize(4);
        assertThat(json().at("/layers/0/heads")).hasSize(6);
        assertThat(json().at("/edges")).hasSize(63);
        assertThat(refused("corpus", "show", "tales", "--out", "units.txt")).contains("--out: units.txt (expected: ");
    }

    @Test
    void examplesAreShown() throws IOException {
        assertThat(run("values", "examples", "L3D521", "--corpus", "tales", "--top", "2", "--bands")).as(err).isZero();
        assertThat(out).contains("L3D521", "over tales: 3 documents", "above zero", "largest means: ", "\nlargest\n",
                "\nsmallest\n", "\n80 to 100 %\n", "\n0 to 20 %\n");
        assertThat(out.lines().filter(line -> line.contains("["))).isNotEmpty()
                .allSatisfy(line -> assertThat(line.codePointCount(0, line.length())).isLessThanOrEqualTo(80));
        assertThat(run("values", "examples", "L3D521", "--corpus", "tales", "--json")).isZero();
        assertThat(json().at("/corpus/name").asText()).isEqualTo("tales");
        assertThat(json().at("/largest")).hasSize(3); // one of each document
        assertThat(json().at("/bands")).hasSize(5);
        assertThat(json().at("/summary/histogram")).hasSize(64);
        assertThat(refused("values", "examples", "L3D999", "--corpus", "tales")).contains("neuron: L3D999 (expected: ");
        assertThat(refused("values", "examples", "L3D1", "--top", "21")).contains("--top: 21 (expected: 1 to 20)");
        assertThat(refused("values", "examples", "L3D1", "--corpus", "none")).contains("not built for this model");
    }

    @Test
    void wordsNearTheLargestCoefficientsAreFound() throws IOException {
        assertThat(run("values", "search", "castle, river", "--corpus", "tales", "--top", "3")).as(err).isZero();
        assertThat(out.lines().filter(line -> line.matches("L\\dD\\d+ .*"))).hasSize(3);
        assertThat(out).contains("castle");
        assertThat(run("values", "search", "castle", "--corpus", "tales", "--json")).isZero();
        assertThat(json().at("/results")).hasSize(10);
        assertThat(json().at("/results/0/examples/0/tokens").toString()).contains(" castle");
        assertThat(run("values", "search", "nowhere", "--corpus", "tales")).isZero();
        assertThat(out).contains("no neuron has any of these words near its largest coefficients: nowhere");
        assertThat(refused("values", "search", "castle", "--corpus", "tales", "--weigh")).contains("--corpus: with");
    }

    @Test
    void editsAndSweepsTakeMeansAndSamples() throws IOException {
        assertThat(run("trace", "The king", "--edit", "L3D521=mean:tales@last", "--json")).as(err).isZero();
        assertThat(run("sweep", "The king was", "--sites", "heads", "--op", "mean-at:tales", "--op", "resample:tales#1",
                "--op", "resample:tales#2", "--out", folder.resolve("effects.jsonl").toString())).as(err).isZero();
        assertThat(out).contains("=resample:tales#");
        var lines = Files.readAllLines(folder.resolve("effects.jsonl"));
        assertThat(lines).hasSize(72);
        assertThat(lines.get(1)).contains("\"operation\":\"resample:tales\",\"value\":1.0");
        assertThat(refused("trace", "The king", "--edit", "L3D521=mean:none")).contains("corpus: none: not built");
        assertThat(refused("trace", "a ".repeat(14), "--edit", "L3D521=mean-at:tales"))
                .contains("position 12 (expected: one of the 12 that corpus tales has)");
    }

    @Test
    void samplesHaveMeansAndStandardErrors() throws IOException {
        var file = folder.resolve("samples.jsonl");
        assertThat(run("sweep", "The king was", "--sites", "L2H3,L1D5", "--op", "resample:tales#1", "--op", "off",
                "--samples", "4", "--out", file.toString())).as(err).isZero();
        assertThat(out.lines().filter(line -> line.contains("=resample:tales@last "))).hasSize(2)
                .allMatch(line -> line.matches(".*@last +[0-9.e-]+ ± [0-9.e-]+( .*)?"));
        assertThat(out).contains("L2H3=0@last").doesNotContain("#");
        assertThat(Files.readAllLines(file)).hasSize(10).anyMatch(line -> line.contains("\"value\":4.0"));

        var edit = List.of("trace", "The king was", "--edit", "L2H3=resample:tales#1@last", "--samples", "3");
        assertThat(run(edit.toArray(String[]::new))).as(err).isZero();
        assertThat(out).containsPattern("over 3 samples: kl [0-9.e-]+ ± ")
                .containsPattern("␣\\S+ +clean [0-9.e-]+ +edited [0-9.e-]+ ± ");
        assertThat(run(Stream.concat(edit.stream(), Stream.of("--json", "--token", " sad")).toArray(String[]::new)))
                .isZero();
        assertThat(json().at("/samples/count").asInt()).isEqualTo(3);
        assertThat(json().at("/samples/kl/standard_error").asDouble()).isPositive();
        assertThat(json().at("/samples/tokens/0/token").asText()).isEqualTo(" sad");
        assertThat(json().at("/samples/tokens/0/clean").floatValue()).isEqualTo(
                json().at("/positions/0/layers/3/chosen/0/after/probability").floatValue(), within(1e-6f));
        assertThat(refused("trace", "The king", "--edit", "L2H3=0", "--samples", "3"))
                .contains("samples: 3 without =resample:NAME");
        assertThat(refused("trace", "The king", "--edit", "L2H3=resample:tales", "--samples", "3", "--position", "0"))
                .contains("samples: 3 of position [0] (expected: the last one alone)");
        assertThat(refused("sweep", "The king", "--sites", "heads", "--samples", "3")).contains("samples: 3 of no");
    }

    @Test
    void aSweepIsOnlyResumedWithTheSameCorpus(@TempDir Path own) throws IOException {
        var text = Files.writeString(own.resolve("other.txt"), "A little dog.").toString();
        String[] sweep = {"sweep", "The king", "--sites", "heads", "--op", "mean:other", "--out", own + "/effects/",
                "--resume"};
        assertThat(runWith(own, "corpus", "build", text)).as(err).isZero();
        assertThat(runWith(own, sweep)).as(err).isZero();
        assertThat(runWith(own, sweep)).as(err).isZero();
        Files.writeString(Path.of(text), "A big dog.");
        assertThat(runWith(own, "corpus", "build", text)).as(err).isZero();
        assertThat(runWith(own, sweep)).isEqualTo(1);
        assertThat(err).contains("manifest.json: corpora.other is ", "(expected: ");
    }

    @Test
    void badInputIsRefused() throws IOException {
        var empty = Files.writeString(folder.resolve("empty.txt"), "\n<|endoftext|>\n").toString();
        var wrong = Files.write(folder.resolve("wrong.txt"), new byte[] {'a', (byte) 0xff}).toString();
        assertThat(refused("corpus", "build", empty)).contains("corpus: empty (expected: a document");
        assertThat(refused("corpus", "build", wrong)).contains("wrong.txt: line 1: byte 0xff at place 2");
        assertThat(refused("corpus", "build", folder.resolve("none").toString())).contains("none: cannot be read");
        assertThat(refused("corpus", "build", empty, "--window", "129")).contains("window: 129 (expected: 1 to 128");
        assertThat(refused("corpus", "build", folder.resolve("tales.v1.txt").toString(), "--name", "a b"))
                .contains("corpus: a b (expected: a name of up to 64");
    }

    @Test
    @Tag("slow")
    void storiesComeAlong(@TempDir Path own) throws IOException {
        assertThat(runWith(own, "values", "examples", "L3D521", "--top", "20", "--json")).as(err).isZero();
        assertThat(json().at("/corpus/name").asText()).isEqualTo("stories");
        assertThat(json().at("/corpus/documents").asInt()).isEqualTo(700);
        assertThat(json().at("/largest")).hasSize(20);
        assertThat(runWith(own, "corpus", "list")).isZero();
        assertThat(out).contains("stories").doesNotContain("comes along");
    }
}
