package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code lmdebug edges}, as a user types it. */
class EdgesCommandTest {
    private static final String CLEAN = "Once upon a time there was a little girl named";
    private static final String CORRUPTED = "Once upon a time there was a little boy named";
    private static final String PAIR = "{\"clean\":\"Sara was sad. Then\",\"corrupted\":\"Tom was sad. Then\","
            + "\"answers\":[\" she\"],\"wrong\":[\" he\"]}";
    private static final String LONGER = "{\"clean\":\"One day Sara was very sad. Then\",\"corrupted\":"
            + "\"One day Tom was very sad. Then\",\"answers\":[\" she\"],\"wrong\":[\" he\"]}";

    @TempDir
    private Path directory;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int edges(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(Stream.concat(Stream.of("edges"), Stream.of(arguments)).toArray(String[]::new));
    }

    private JsonNode json() throws Exception {
        return new ObjectMapper().readTree(out.toString());
    }

    private String file(String name, String... lines) throws Exception {
        return Files.write(directory.resolve(name), List.of(lines)).toString();
    }

    @Test
    void thePathOfTheNameIsFoundAndDrawn() throws Exception {
        var dot = directory.resolve("edges.dot");
        assertThat(edges(CLEAN, CORRUPTED, "--top", "3", "--dot", dot.toString())).as("%s", err).isZero();
        assertThat(out.toString()).contains("direction noise: the clean prompt runs", "927 edges",
                "answer ␣Lily, wrong ␣Timmy");
        var lines = out.toString().lines().toList();
        assertThat(lines.subList(lines.size() - 3, lines.size())).satisfiesExactly(
                line -> assertThat(line).startsWith("embedding>L0.ffn ").contains(" -7.37"),
                line -> assertThat(line).startsWith("L0.ffn>L2H5.v ").contains(" -6.15"),
                line -> assertThat(line).startsWith("L2H5>logits ").contains(" -4.73"));
        assertThat(Files.readString(dot)).startsWith("digraph edges {")
                .contains("\"L0.ffn\" -> \"L2H5\" [label=\"v -6.16\"")
                .endsWith("}\n");
    }

    @Test
    void jsonAndFilesHaveTheSameEdges() throws Exception {
        var list = file("edges.txt", "embedding>L1H2.q", "", "L0H3 > L2.ffn", "*>logits");
        var csv = directory.resolve("edges.csv");
        assertThat(
                edges(CLEAN, CORRUPTED, "--edges", list, "--select", "L0H3>L2.ffn", "--direction", "denoise", "--json",
                        "--out", csv.toString())).as("%s", err).isZero();
        assertThat(json().get("direction").asText()).isEqualTo("denoise");
        assertThat(json().at("/clean/tokens/8/token").asText()).isEqualTo(" girl");
        assertThat(json().get("edges")).hasSize(2 + 1 + 4 * 7);
        var first = json().at("/edges/0");
        assertThat(first.get("sender").asText() + ">" + first.get("receiver").asText()).isEqualTo("embedding>L1H2.q");
        assertThat(first.get("normalised").asDouble()).isCloseTo(first.get("effect").asDouble()
                / json().get("divisor").asDouble(), within(1e-9));
        var rows = Files.readAllLines(csv);
        assertThat(rows).hasSize(1 + 2 + 1 + 4 * 7);
        assertThat(rows.getFirst()).isEqualTo("direction,edge,sender,sender_layer,sender_head,receiver,receiver_layer,"
                + "receiver_head,input,difference,effect,normalised,kl");
        assertThat(rows.get(1)).startsWith("denoise,embedding>L1H2.q,embedding,,,L1H2.q,1,2,Q,");
        assertThat(Double.parseDouble(rows.get(1).split(",", -1)[10])).isEqualTo(first.get("effect").asDouble());
        assertThat(rows.getLast()).startsWith("denoise,L3.ffn>logits,L3.ffn,3,,logits,,,LOGITS,");
    }

    @Test
    void aMeasureTakesThePlaceOfTheLogitDifference() throws Exception {
        var pairs = file("pairs.jsonl", PAIR, LONGER);
        var results = directory.resolve("kl") + "/";
        var arguments = new String[] {"--pairs", pairs, "--select", "L2H5>*", "--measure", "kl", "--out", results,
                "--resume"};
        assertThat(edges(arguments)).as("%s", err).isZero();
        var printed = out.toString();
        assertThat(printed).contains("mean kl: clean +0.0000, corrupted +");
        assertThat(edges(arguments)).isZero();
        assertThat(out.toString()).isEqualTo(printed);
        assertThat(err.toString()).contains("2 of 2 pairs were there already");
        arguments[5] = "entropy";
        assertThat(edges(arguments)).isEqualTo(1);
        assertThat(err.toString()).contains("measure is \"kl\" (expected: \"entropy\"");
        assertThat(edges(CLEAN, CORRUPTED, "--select", "L2H5>logits", "--measure", "probability:target", "--json"))
                .isZero();
        assertThat(json().get("measure").asText()).isEqualTo("probability:target");
        assertThat(json().at("/edges/0/effect").asDouble()).isBetween(-1.0, -0.01);
        assertThat(edges(CLEAN, CORRUPTED, "--select", "L2H5>logits", "--measure", "entropy")).isZero();
        assertThat(out.toString()).contains("; entropy: clean +", " measure ");
    }

    @Test
    void aDirectoryIsResumedPartByPart() throws Exception {
        var arguments = new String[] {CLEAN, CORRUPTED, "--json", "--out", directory.resolve("parts") + "/",
                "--resume"};
        assertThat(edges(arguments)).as("%s", err).isZero();
        var first = out.toString();
        try (var parts = Files.list(directory.resolve("parts"))) {
            var files = parts.filter(part -> part.toString().endsWith(".parquet")).sorted().toList();
            assertThat(files).hasSizeGreaterThan(1); // edges whose last row alone goes on are a part of their own
            Files.delete(files.getFirst());
        }
        assertThat(edges(arguments)).isZero();
        assertThat(out.toString()).isEqualTo(first);
        assertThat(err.toString()).contains(" of 927 edges were there already");
        assertThat(
                edges(CLEAN, CORRUPTED, "--select", "*>logits", "--out", directory.resolve("parts") + "/", "--resume"))
                        .isEqualTo(1);
    }

    @Test
    void aDataSetIsAveraged() throws Exception {
        var pairs = file("pairs.jsonl", PAIR, LONGER);
        var results = directory.resolve("results") + "/";
        var arguments = new String[] {"--pairs", pairs, "--select", "L2H5>*", "--json", "--out", results, "--resume"};
        assertThat(edges(arguments)).as("%s", err).isZero();
        assertThat(err.toString()).startsWith("the model is right on ");
        var first = out.toString();
        assertThat(json().get("pairs").asInt()).isEqualTo(2);
        assertThat(json().at("/edges/0/effect/count").asInt()).isEqualTo(2);
        assertThat(edges(arguments)).isZero();
        assertThat(out.toString()).isEqualTo(first);
        assertThat(err.toString()).contains("2 of 2 pairs were there already");
        assertThat(edges("--pairs", pairs, "--select", "L2H5>*", "--top", "2")).isZero();
        assertThat(out.toString()).contains("same sign", "L2H5>", " ± ");
    }

    @Test
    void aSieveComputesFewEdgesAndSaysHowManyItMisses() throws Exception {
        assertThat(edges(CLEAN, CORRUPTED, "--sieve", "50", "--sample", "100", "--seed", "4", "--top", "1"))
                .as("%s", err).isZero();
        var lines = out.toString().lines().toList();
        assertThat(lines).anySatisfy(line -> assertThat(line).startsWith("embedding>L0.ffn ").contains(" -7.37"))
                .contains("sieve: 927 edges estimated; computed are the 50 with the largest estimates and 100 drawn at "
                        + "random (seed 4)");
        assertThat(lines.getLast()).matches(
                "recall@50: \\d+\\.\\d %, with 95 % confidence at least \\d+\\.\\d %; rank correlation \\(Spearman\\): 0\\.9\\d\\d");
        var pairs = file("pairs.jsonl", PAIR, LONGER);
        var arguments = new String[] {"--pairs", pairs, "--select", "L2H5>*", "--sieve", "2", "--json", "--out",
                directory.resolve("sieved") + "/", "--resume"};
        assertThat(edges(arguments)).as("%s", err).isZero();
        assertThat(json().at("/sieve/recall").asDouble()).isBetween(0.0, 1.0)
                .isEqualTo(json().at("/sieve/recallAtLeast").asDouble()); // all are in the sample
        assertThat(json().at("/sieve/estimates")).hasSameSizeAs(json().get("edges"));
        var first = out.toString();
        assertThat(edges(arguments)).as("%s", err).isZero();
        assertThat(out.toString()).isEqualTo(first);
        assertThat(err.toString()).contains("2 of 2 pairs were there already");
    }

    @Test
    void whatIsWrongIsNamed() throws Exception {
        assertWrong("edges: 1 prompts (expected: CLEAN and CORRUPTED; or --pairs alone)", CLEAN);
        assertWrong("--direction: both (expected: denoise or noise)", CLEAN, CORRUPTED, "--direction", "both");
        assertWrong("--measure: kl, with --sieve (expected: none", CLEAN, CORRUPTED, "--sieve", "5", "--measure", "kl");
        assertWrong("--sieve: 0 (expected: at least 1)", CLEAN, CORRUPTED, "--sieve", "0");
        assertWrong("--sample: 1 (expected: at least 2", CLEAN, CORRUPTED, "--sieve", "5", "--sample", "1");
        assertWrong("--seed: no sieve (expected: --sieve N, too)", CLEAN, CORRUPTED, "--seed", "5");
        assertWrong("--part: with --sieve (expected: one process", CLEAN, CORRUPTED, "--sieve", "5", "--out",
                directory.resolve("part") + "/", "--part", "1/2");
        assertWrong("--top: -1 (expected: at least 0)", CLEAN, CORRUPTED, "--top", "-1");
        assertWrong("line 2: edge: L1.ffn>L1H2.q (expected: a sender that comes before the receiver)", CLEAN, CORRUPTED,
                "--edges", file("wrong.txt", "*>logits", "L1.ffn>L1H2.q"));
        assertWrong("empty.txt: empty (expected: at least one line)", CLEAN, CORRUPTED, "--edges",
                file("empty.txt", ""));
        assertWrong("--dot: /nowhere/x.dot (expected: a file in a directory that is there)", CLEAN, CORRUPTED, "--dot",
                "/nowhere/x.dot");
        assertWrong("(expected: equal lengths)", CLEAN, CORRUPTED + " Tim", "--answer", " a", "--wrong", " b");
        assertWrong("none.jsonl: empty (expected: at least one line)", "--pairs", file("none.jsonl", ""));
    }

    private void assertWrong(String message, String... arguments) {
        assertThat(edges(arguments)).isEqualTo(1);
        assertThat(err.toString()).contains(message);
    }
}
