package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.cluster.ClusterOptions;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.interpret.values.cluster.ClustersTest;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;

/**
 * What PyTorch computes in double precision for a checkpoint is what we compute. One subclass a checkpoint.
 *
 * <p>Ranks, labels, dominant neurons in LM-Debugger's mode and generated tokens are compared exactly on every device, as
 * nothing in the files is a near-tie: rivals are 2e-4 apart or more in logits and 1e-3 in relative scores, and labels stay
 * the same if cosines change by 1e-5. Single precision changes each a tenth of that at most, in any order of sums.
 */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GoldenTest {
    /** Single precision through four layers, measured below 1e-5; ids may differ where values are as close as this. */
    private static final double TIE = 1e-5;
    private static final double PROBABILITY = 1e-5;
    /** One dot product of at most 192 numbers in single precision. */
    private static final double LOGIT = 1e-5;
    /** Of the largest value of a vector. */
    private static final double VECTOR = 2e-4;

    private final String name;
    private final JsonNode golden;
    @AutoClose
    private final TestModel loaded;
    private final Gpt2 model;
    private final Debugger debugger;

    GoldenTest(String name) {
        this.name = name;
        golden = TestModels.golden(name);
        loaded = TestModel.open(name);
        model = loaded.model();
        debugger = loaded.debugger();
    }

    @Test
    void theFileIsAboutThisCheckpoint() throws Exception {
        var bytes = Files.readAllBytes(TestModels.files(name).directory().resolve("model.safetensors"));
        var sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        assertThat(sha256).isEqualTo(golden.get("model_sha256").asText());
    }

    @Test
    void tokens() {
        for (var prompt : golden.get("prompts")) {
            var ids = model.tokenizer().encode(prompt.get("prompt").asText());
            assertThat(ids).isEqualTo(ints(prompt.get("ids")));
            assertThat(IntStream.of(ids).mapToObj(model.tokenizer()::text).toList())
                    .isEqualTo(texts(prompt.get("tokens")));
        }
    }

    @Test
    void activations() {
        for (var prompt : golden.get("prompts")) {
            try (var run = debugger.run(prompt.get("prompt").asText())) {
                for (var position : prompt.get("positions")) {
                    int t = position.get("position").asInt();
                    for (int l = 0; l < model.config().layers(); l++) {
                        var layer = position.get("layers").get(l);
                        assertVector(run.residualMid(l).row(t).toFloats(), layer.get("hidden_before"));
                        assertVector(run.residualPost(l).row(t).toFloats(), layer.get("hidden_after"));
                        assertVector(run.coefficients(l).row(t).toFloats(), layer.get("coefficients"));
                    }
                }
            }
        }
    }

    @Test
    void traces() {
        for (var prompt : golden.get("prompts")) {
            var trace = debugger.trace(prompt.get("prompt").asText(), Intervention.NONE,
                    TraceOptions.DEFAULT.atAllPositions());
            for (var position : prompt.get("positions")) {
                var traced = trace.position(position.get("position").asInt());
                assertThat(traced.target().id()).isEqualTo(position.get("contributions_to").asInt());
                for (int l = 0; l < model.config().layers(); l++) {
                    var layer = position.get("layers").get(l);
                    assertPredictions(traced.layer(l).before(), layer.get("before"));
                    assertPredictions(traced.layer(l).after(), layer.get("after"));
                    assertDominant(traced.layer(l).dominant(), layer.get("dominant"));
                }
            }
        }
    }

    @Test
    void interventions() {
        for (var prompt : golden.get("prompts")) {
            for (var edited : prompt.get("edited")) {
                assertNext(prompt.get("prompt").asText(), edits(edited.get("edits")), edited.get("next"));
            }
        }
    }

    @Test
    void interventionsOfLmDebugger() {
        for (var prompt : golden.get("prompts")) {
            var expected = prompt.get("lm_debugger");
            var switches = list(expected.get("interventions"), i -> "L%dD%d=%s".formatted(i.get("layer").asInt(),
                    i.get("dim").asInt(), i.get("coeff").asDouble() > 0 ? "on" : "off"));
            var edits = Intervention.parse(Mode.LM_DEBUGGER, switches);
            assertNext(prompt.get("prompt").asText(), edits, expected.get("next"));
            debugger.sweep(
                    Sweep.of(prompt.get("prompt").asText()).interventions(List.of(edits)).measure(Measure.top(10)),
                    effects -> {
                        var top = expected.get("next").get("top");
                        assertRanking(IntStream.of(effects.topIds()).boxed().toList(),
                                IntStream.range(0, 10).mapToObj(j -> (double) effects.topProbabilities()[j]).toList(),
                                list(top.get("ids"), JsonNode::asInt), list(top.get("values"), JsonNode::asDouble),
                                PROBABILITY);
                        return true;
                    });
            var layers = debugger.trace(prompt.get("prompt").asText(), edits).editedPosition(-1).layers();
            for (int l = 0; l < layers.size(); l++) {
                var layer = expected.get("layers").get(l);
                assertPairs(layers.get(l).before(), layer.get("predictions_before"));
                assertPairs(layers.get(l).after(), layer.get("predictions_after"));
                assertThat(layers.get(l).dominant().stream().map(Trace.SubUpdate::neuron).toList())
                        .isEqualTo(list(layer.get("significant_values"), pair -> pair.get(0).asInt()));
            }
        }
    }

    @Test
    void generations() {
        for (var prompt : golden.get("prompts")) {
            for (var expected : prompt.get("generate")) {
                var generation = debugger.generate(prompt.get("prompt").asText(), edits(expected.get("edits")), 20);
                assertThat(generation.text()).isEqualTo(expected.get("text").asText());
                var ids = new ArrayList<>(
                        IntStream.of(model.tokenizer().encode(prompt.get("prompt").asText())).boxed().toList());
                generation.tokens().forEach(token -> ids.add(token.id()));
                assertThat(ids.stream().mapToInt(id -> id).toArray()).isEqualTo(ints(expected.get("ids")));
            }
        }
    }

    /** Every row as one of a sweep's own interventions: they start in all layers, at one position and at many. */
    @Test
    void sweeps() {
        for (var prompt : golden.get("prompts")) {
            var rows = list(prompt.get("sweep").get("rows"), row -> row);
            var tokens = IntStream.of(ints(prompt.get("sweep").get("tokens"))).mapToObj(model.tokenizer()::text)
                    .toList();
            var edits = rows.stream().map(row -> Intervention.of(edit(row))).toList();
            var sweep = Sweep.of(prompt.get("prompt").asText()).interventions(edits)
                    .measure(Measure.kl(), Measure.entropy(), Measure.rank(tokens.getFirst()), Measure.top(5));
            for (var token : tokens) {
                sweep = sweep.measure(Measure.logit(token), Measure.probability(token));
            }
            var seen = new ArrayList<Intervention>();
            debugger.sweep(sweep, effects -> {
                for (int i = 0; i < effects.size(); i++) {
                    seen.add(effects.edits(i));
                    assertEffect(effects, i, tokens, rows.get(edits.indexOf(effects.edits(i))));
                }
                return true;
            });
            assertThat(seen).containsExactlyInAnyOrderElementsOf(edits);
        }
    }

    /** Alone and all together; raw, as the file has them. */
    @Test
    void valueVectors() {
        var vectors = new ValueVectors(model);
        try (var arena = Arena.ofConfined()) {
            var memory = arena.allocate(vectors.byteSize(50));
            var all = TestDevice.isCpu() ? vectors.project(50, ValueVectors.Reading.RAW, memory, Progress.NONE) : null; // minutes elsewhere
            for (var expected : golden.get("value_vectors")) {
                var neuron = new Neuron(expected.get("layer").asInt(), expected.get("neuron").asInt());
                var alone = vectors.project(neuron, 50, ValueVectors.Reading.RAW);
                for (var projection : all == null ? List.of(alone) : List.of(alone, all.of(neuron))) {
                    assertLogits(projection.top(), expected.get("top"));
                    assertLogits(projection.bottom(), expected.get("bottom"));
                }
            }
        }
    }

    /** SciPy's labels, up to their names. */
    @Test
    void clusters() {
        var expected = golden.get("clusters");
        var vectors = new ValueVectors(model);
        var options = ClusterOptions.of(vectors).count(expected.get("count").asInt());
        var clusters = Clusters.of(vectors, options, expected.at("/neurons/1").asInt(), (done, total) -> {});
        assertThat(clusters.method()).isEqualTo(Clusters.Method.COMPLETE_LINKAGE);
        assertThat(clusters.labels()).isEqualTo(ClustersTest.canonical(ints(expected.get("labels"))));
    }

    private static void assertLogits(List<TokenLogit> actual, JsonNode expected) {
        // the file's numbers are in the order of the ranking, which descends or ascends
        double sign = expected.get("values").get(0).asDouble() > expected.get("values").get(49).asDouble() ? 1 : -1;
        assertRanking(actual.stream().map(TokenLogit::id).toList(), actual.stream().map(t -> sign * t.logit()).toList(),
                list(expected.get("ids"), JsonNode::asInt), list(expected.get("values"), v -> sign * v.asDouble()),
                LOGIT);
    }

    private static void assertEffect(Effects effects, int i, List<String> tokens, JsonNode expected) {
        double kl = expected.get("kl").asDouble();
        assertThat((double) effects.values(Measure.kl())[i]).isCloseTo(kl, within(1e-7 + 1e-3 * kl));
        assertThat((double) effects.values(Measure.entropy())[i]).isCloseTo(expected.get("entropy").asDouble(),
                within(1e-4));
        assertThat(effects.values(Measure.rank(tokens.getFirst()))[i])
                .isEqualTo(expected.get("rank_of_first").floatValue());
        for (int t = 0; t < tokens.size(); t++) {
            assertThat((double) effects.values(Measure.logit(tokens.get(t)))[i])
                    .isCloseTo(expected.get("logits").get(t).asDouble(), within(2e-4));
            assertThat((double) effects.values(Measure.probability(tokens.get(t)))[i])
                    .isCloseTo(expected.get("probabilities").get(t).asDouble(), within(PROBABILITY));
        }
        assertRanking(IntStream.range(5 * i, 5 * i + 5).mapToObj(j -> effects.topIds()[j]).toList(),
                IntStream.range(5 * i, 5 * i + 5).mapToObj(j -> (double) effects.topProbabilities()[j]).toList(),
                list(expected.get("top").get("ids"), JsonNode::asInt),
                list(expected.get("top").get("values"), JsonNode::asDouble), PROBABILITY);
    }

    private void assertNext(String prompt, Intervention edits, JsonNode next) {
        var trace = debugger.trace(prompt, edits);
        assertPredictions(trace.editedPosition(-1).layers().getLast().after(), next.get("top"));
    }

    private static void assertPairs(List<Trace.Prediction> actual, JsonNode pairs) {
        assertRanking(actual.stream().map(Trace.Prediction::id).toList(),
                actual.stream().map(p -> (double) p.probability()).toList(),
                list(pairs, p -> p.get(0).asInt()), list(pairs, p -> p.get(1).asDouble()), PROBABILITY);
    }

    private static void assertPredictions(List<Trace.Prediction> actual, JsonNode top) {
        assertRanking(actual.stream().map(Trace.Prediction::id).toList(),
                actual.stream().map(p -> (double) p.probability()).toList(),
                list(top.get("ids"), JsonNode::asInt), list(top.get("values"), JsonNode::asDouble), PROBABILITY);
    }

    private static void assertDominant(List<Trace.SubUpdate> actual, JsonNode expected) {
        var scores = list(expected.get("scores"), JsonNode::asDouble);
        assertRanking(actual.stream().map(Trace.SubUpdate::neuron).toList(),
                actual.stream().map(u -> (double) u.score()).toList(),
                list(expected.get("neurons"), JsonNode::asInt), scores, VECTOR * scores.getFirst());
        // by neuron, as neighbours of nearly equal score may have changed places
        for (var update : actual) {
            int j = list(expected.get("neurons"), JsonNode::asInt).indexOf(update.neuron());
            if (j >= 0) {
                double largest = list(expected.get("contributions"), JsonNode::asDouble).stream().mapToDouble(Math::abs)
                        .max().orElseThrow();
                assertThat((double) update.direct()).isCloseTo(expected.get("contributions").get(j).asDouble(),
                        within(VECTOR * largest));
                double coefficient = expected.get("coefficients").get(j).asDouble();
                assertThat((double) update.coefficient()).isCloseTo(coefficient,
                        within(VECTOR * Math.max(1, Math.abs(coefficient))));
            }
        }
    }

    /** Values agree rank by rank, and ids too, except where a neighbour in the ranking is as close as {@link #TIE}. */
    private static void assertRanking(List<Integer> ids, List<Double> values, List<Integer> expectedIds,
            List<Double> expected, double tolerance) {
        assertThat(ids).hasSameSizeAs(expectedIds);
        for (int i = 0; i < expected.size(); i++) {
            assertThat(values.get(i)).as("value %d", i).isCloseTo(expected.get(i), within(tolerance));
            boolean tied = i > 0 && expected.get(i - 1) - expected.get(i) < TIE
                    || i + 1 < expected.size() && expected.get(i) - expected.get(i + 1) < TIE;
            if (!tied) {
                assertThat(ids.get(i)).as("id %d of %s", i, expectedIds).isEqualTo(expectedIds.get(i));
            }
        }
    }

    private static void assertVector(float[] actual, JsonNode expected) {
        double largest = StreamSupport.stream(expected.spliterator(), false).mapToDouble(x -> Math.abs(x.asDouble()))
                .max().orElseThrow();
        assertThat(actual).hasSize(expected.size());
        for (int i = 0; i < actual.length; i++) {
            assertThat((double) actual[i]).as("element %d", i).isCloseTo(expected.get(i).asDouble(),
                    within(VECTOR * largest));
        }
    }

    private static Intervention edits(JsonNode edits) {
        return Intervention.of(list(edits, GoldenTest::edit).toArray(Edit[]::new));
    }

    private static Edit edit(JsonNode edit) {
        float value = (float) edit.get("value").asDouble();
        var operation = switch (edit.get("operation").asText()) {
            case "set" -> new Edit.Operation.Set(value);
            case "scale" -> new Edit.Operation.Scale(value);
            default -> new Edit.Operation.Add(value);
        };
        return new Edit(edit.get("layer").asInt(), edit.get("neuron").asInt(), operation,
                edit.get("at").isTextual() ? Positions.ALL : Positions.at(ints(edit.get("at"))));
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
    }

    private static List<String> texts(JsonNode array) {
        return list(array, JsonNode::asText);
    }

    private static <T> List<T> list(JsonNode array, Function<JsonNode, T> of) {
        return StreamSupport.stream(array.spliterator(), false).map(of).toList();
    }
}
