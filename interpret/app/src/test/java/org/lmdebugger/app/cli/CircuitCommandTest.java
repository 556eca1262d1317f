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
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.RemovalJson;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitAverages;
import org.lmdebugger.interpret.edge.CircuitSearch;
import org.lmdebugger.interpret.edge.CircuitSearch.Removal;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;

/** {@code lmdebug circuit}, as a user types it. */
class CircuitCommandTest {
    private static final String CLEAN = "Once upon a time there was a little girl named";
    private static final String LINE = "{\"clean\":\"%s Then\",\"corrupted\":\"%s Then\",\"answers\":[\" she\"],"
            + "\"wrong\":[\" he\"]}";
    private static final String CORRUPTED = "Once upon a time there was a little boy named";

    @TempDir
    private Path directory;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int circuit(String... options) {
        return ofPrompts(Stream.concat(Stream.of(CLEAN, CORRUPTED), Stream.of(options)));
    }

    private int ofPrompts(Stream<String> arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(Stream.concat(Stream.of("circuit"), arguments).toArray(String[]::new));
    }

    private JsonNode json() throws Exception {
        return new ObjectMapper().readTree(out.toString());
    }

    @Test
    void aCircuitIsFoundKeptLoadedComparedAndDrawn() throws Exception {
        var kept = directory.resolve("circuit.json").toString();
        var dot = directory.resolve("circuit.dot");
        assertThat(circuit("--parts", "L0.ffn,L1.ffn,L2H5,L2.ffn,L3.ffn", "--threshold", "0.2", "--keep", kept, "--dot",
                dot.toString())).as("%s", err).isZero();
        assertThat(out.toString()).contains("direction noise: the clean prompt runs; edges outside a circuit read the "
                + "corrupted one", "no edge ", "+0.0000", "all edges ", "927 ", "+1.0000", "embedding>L0.ffn  ");
        assertThat(Files.readString(dot)).contains("\"L0.ffn\" -> \"L2H5\" [label=\"v\"");
        var file = new ObjectMapper().readTree(Path.of(kept).toFile());
        assertThat(file.get("direction").asText()).isEqualTo("noise");
        assertThat(file.get("edges")).map(JsonNode::asText).contains("embedding>L0.ffn", "L0.ffn>L2H5.v",
                "L2H5>logits");
        assertThat(file.get("faithfulness").asDouble()).isBetween(0.5, 1.1);
        assertThat(circuit("--load", kept, "--compare", kept, "--json")).as("%s", err).isZero();
        assertThat(json().at("/circuit/edges")).isEqualTo(file.get("edges"));
        assertThat(json().at("/circuit/faithfulness").asDouble()).isCloseTo(file.get("faithfulness").asDouble(),
                within(1e-5));
        assertThat(json().get("scores")).map(score -> score.get("name").asText()).containsExactly("no edge", "circuit",
                "compared", "all edges");
        assertThat(circuit("--parts", "L2H5", "--compare", kept)).isZero();
        assertThat(out.toString())
                .containsPattern("\\d edges in both, \\d+ in the circuit alone, \\d+ in the compared one "
                        + "alone; Jaccard index 0\\.\\d{3}\n");
    }

    @Test
    void overPairsNumbersAreMeans() throws Exception {
        var pairs = Files
                .write(directory.resolve("pairs.jsonl"), List.of(LINE.formatted("Sara was sad.", "Tom was sad."), "",
                        LINE.formatted("One day Anna was very sad.", "One day Ben was very sad.")))
                .toString();
        var kept = directory.resolve("circuit.json");
        assertThat(ofPrompts(Stream.of("--pairs", pairs, "--strongest", "32", "--curve", "--keep", kept.toString())))
                .as("%s", err).isZero();
        assertThat(out.toString()).contains("the model is right on 2 of 2 pairs", "strongest 512 ")
                .containsPattern("circuit +32 +\\+\\d\\.\\d{4} ± 0\\.\\d{4} +\\+0\\.\\d{4} ± 0\\.\\d{4} ")
                .containsPattern("all edges +927 .* \\+1\\.0000 ± 0\\.0000 ");
        var file = new ObjectMapper().readTree(kept.toFile());
        assertThat(file.get("pairs").asInt()).isEqualTo(2);
        assertThat(file.has("clean")).isFalse();
        assertThat(file.get("faithfulness").asDouble()).isBetween(0.3, 1.5);
        assertThat(ofPrompts(Stream.of("--pairs", pairs, "--load", kept.toString(), "--json"))).isZero();
        assertThat(json().at("/scores/1/faithfulness/mean").asDouble())
                .isCloseTo(file.get("faithfulness").asDouble(), within(1e-5));
        assertThat(json().at("/scores/1/faithfulness/count").asInt()).isEqualTo(2);
        Files.write(Path.of(pairs), List.of(LINE.formatted("Sara was sad.", "Tom was very sad.")));
        assertThat(ofPrompts(Stream.of("--pairs", pairs, "--curve"))).isEqualTo(1);
        assertThat(err.toString()).contains(pairs + ": line 1: pair: prompts of 5 and 6 tokens");
    }

    /** What a removal has reached stays if the command ends before its circuit is kept; here, as a directory is in its place. */
    @Test
    void anInterruptedRemovalGoesOnToTheSameFile() throws Exception {
        var whole = directory.resolve("whole.json");
        var cut = Files.createDirectory(directory.resolve("cut.json"));
        var reached = directory.resolve("cut.json.removal");
        assertThat(removal(whole)).as("%s", err).isZero();
        var printed = out.toString();
        assertThat(directory.resolve("whole.json.removal")).doesNotExist();
        assertThat(removal(cut)).isEqualTo(1);
        assertThat(err.toString()).contains("cut.json: cannot be written");
        Files.delete(cut);
        Files.writeString(reached, firstPoint(Files.readString(reached)));
        assertThat(removal(cut)).isEqualTo(1);
        assertThat(err.toString())
                .contains("cut.json.removal: an interrupted removal (expected: a new file, or --resume");
        assertThat(removal(cut, "--resume", "--direction", "denoise")).isEqualTo(1);
        assertThat(err.toString()).contains("cut.json.removal: of another removal (expected: the model, the pairs and");
        assertThat(removal(cut, "--resume")).as("%s", err).isZero();
        assertThat(out.toString()).isEqualTo(printed);
        assertThat(cut).hasSameBinaryContentAs(whole);
        assertThat(reached).doesNotExist();
    }

    private int removal(Path kept, String... more) {
        return circuit(
                Stream.concat(Stream.of("--parts", "L0.ffn,L2H5", "--threshold", "0.2", "--keep", kept.toString()),
                        Stream.of(more)).toArray(String[]::new));
    }

    /** Returns the first point of the removal that has reached a later one, in the form of its file. */
    private static String firstPoint(String later) throws Exception {
        var points = new ArrayList<Removal>();
        try (var sample = TestModel.open("sample"); var scores = new CircuitAverages(sample.model(),
                List.of(Pair.of(CLEAN, CORRUPTED, " Lily", " Timmy")), Direction.NOISE, Optional.empty())) {
            var from = Circuit.ofParts(sample.model().config(), List.of(Sender.parse("L0.ffn"), Sender.parse("L2H5")));
            CircuitSearch.remove(scores, from, 0.2, Removal.of(scores, from), points::add);
        }
        assertThat(points).hasSizeGreaterThan(1);
        return Json.line(RemovalJson.of(new ObjectMapper().readTree(later).get("work").asText(), points.getFirst()));
    }

    @Test
    void aMeasureTakesThePlaceOfTheLogitDifference() throws Exception {
        var kept = directory.resolve("kl.json").toString();
        assertThat(circuit("--parts", "L0.ffn,L2H5", "--measure", "kl", "--keep", kept)).as("%s", err).isZero();
        assertThat(out.toString()).contains("; kl: clean +0.0000, corrupted +3.5", " measure  faithfulness ");
        assertThat(new ObjectMapper().readTree(Path.of(kept).toFile()).get("measure").asText()).isEqualTo("kl");
        assertThat(circuit("--load", kept, "--measure", "top:3")).isEqualTo(1);
        assertThat(err.toString()).contains("measure: top:3 (expected: one that is a number, such as kl)");
    }

    @Test
    void theCurveGoesFromNoEdgeToAll() {
        assertThat(circuit("--strongest", "8", "--curve")).as("%s", err).isZero();
        assertThat(out.toString().lines()).anyMatch(line -> line.startsWith("strongest 8 ") && line.contains(" +0.69"))
                .anyMatch(line -> line.startsWith("circuit ") && line.contains(" +0.69"))
                .anyMatch(line -> line.startsWith("strongest 512 "));
    }

    @Test
    void whatIsWrongIsNamed() throws Exception {
        assertWrong(
                "circuit: none (expected: one of --load, --parts and --strongest; or --threshold or --curve alone)");
        assertWrong("circuit: 2 of them (expected: one of", "--parts", "L2H5", "--strongest", "3");
        assertWrong("--strongest: -1 (expected: at least 0)", "--strongest", "-1");
        assertWrong("--threshold: 0.0 (expected: a positive number)", "--threshold", "0");
        assertWrong("--resume: no removal (expected: --threshold and --keep FILE)", "--parts", "L2H5", "--resume");
        assertWrong("sender: L2H5.q (expected: embedding, a head such as L0H3", "--parts", "L2H5.q");
        assertWrong("edge: L9H0>logits (expected: layers L0 to L3", "--parts", "L9H0");
        assertWrong("/nowhere/c.json: no such directory", "--parts", "L2H5", "--keep", "/nowhere/c.json");
        assertWrong("--direction: up (expected: denoise or noise)", "--parts", "L2H5", "--direction", "up");
        var file = directory.resolve("wrong.json");
        Files.writeString(file, "{\"edges\": [\"L1H0>L0.ffn\"]}");
        assertWrong("wrong.json: edge: L1H0>L0.ffn (expected: a sender that comes before the receiver)", "--load",
                file.toString());
        Files.writeString(file, "{\"model\": \"sample\"}");
        assertWrong("wrong.json: edges: missing", "--load", file.toString());
        assertWrong("none.json: cannot be read", "--load", directory.resolve("none.json").toString());
    }

    private void assertWrong(String message, String... options) {
        assertThat(circuit(options)).isEqualTo(1);
        assertThat(err.toString()).contains(message);
    }
}
