package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.Receiver;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.edit.Direction;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.PartSelection.Kind;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Edits of every part of the network do what PyTorch computes in double precision. One subclass a checkpoint. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SitesGoldenTest {
    /** Differences of logits up to 30 in single precision. */
    private static final double DIFFERENCE = 1e-4;

    private final String name;
    @AutoClose
    private final TestModel loaded;
    private final Gpt2 model;

    SitesGoldenTest(String name) {
        this.name = name;
        loaded = TestModel.open(name);
        model = loaded.model();
    }

    /** A pair of prompts, and the tokens whose logits are compared. */
    private record Pair(JsonNode values, int[] clean, int[] corrupted, int right, int wrong) {
        Measure difference() {
            return Measure.parse("difference:#" + right + "/#" + wrong);
        }
    }

    /** All pairs; by emulation the shortest, as the longest takes a minute there. */
    private List<Pair> pairs() {
        var all = list(TestModels.goldenSites(name).get("pairs"), pair -> new Pair(pair, ints(pair.get("ids_clean")),
                ints(pair.get("ids_corrupted")), pair.get("right").asInt(), pair.get("wrong").asInt()));
        return TestDevice.isEmulated()
                ? List.of(Collections.min(all, Comparator.comparingInt(pair -> pair.clean().length)))
                : all;
    }

    /** Returns logit difference and KL of each intervention of a sweep, by the text of its edits. */
    private Map<String, float[]> effects(Pair pair, Sweep sweep) {
        var effects = new HashMap<String, float[]>();
        new Debugger(model).sweep(sweep.measure(pair.difference(), Measure.kl()), chunk -> {
            for (int i = 0; i < chunk.size(); i++) {
                effects.put(String.join(";", chunk.edits(i).texts()),
                        new float[] {chunk.values(pair.difference())[i], chunk.values(Measure.kl())[i]});
            }
            return true;
        });
        return effects;
    }

    private Sweep denoise(Pair pair, Kind kind, Positions positions) {
        return Sweep.ofIds(pair.corrupted()).parts(new PartSelection.OfKind(kind))
                .operation(new Operation.From(Prompt.ofIds(pair.clean()))).at(positions);
    }

    private static void assertEffect(String edit, float[] actual, double difference, double kl) {
        assertThat(actual).as(edit).isNotNull();
        assertThat((double) actual[0]).as("logit difference, %s", edit).isCloseTo(difference, within(DIFFERENCE));
        assertThat((double) actual[1]).as("KL, %s", edit).isCloseTo(kl, within(1e-7 + 1e-3 * kl));
    }

    private static void assertEffect(Edit edit, Map<String, float[]> effects, JsonNode expected) {
        assertEffect(edit.toString(), effects.get(edit.toString()), expected.get(0).asDouble(),
                expected.get(1).asDouble());
    }

    private static Operation from(Pair pair) {
        return new Operation.From(Prompt.ofIds(pair.clean()));
    }

    @TestFactory
    List<DynamicTest> patchesTheResidualStreamAndOutputsAtEachPosition() {
        return list(List.of(Residual.Point.values()), point -> DynamicTest.dynamicTest(point.toString(), () -> {
            for (var pair : pairs()) {
                var effects = effects(pair, denoise(pair, Kind.valueOf(point.name()), Positions.EACH));
                var expected = pair.values().get("streams").get(point.toString());
                assertThat(effects).hasSize(expected.size() * expected.get(0).size());
                for (int l = 0; l < expected.size(); l++) {
                    for (int t = 0; t < expected.get(l).size(); t++) {
                        assertEffect(new Edit(new Residual(l, point), from(pair), Positions.at(t)), effects,
                                expected.get(l).get(t));
                    }
                }
            }
        }));
    }

    @Test
    void gridsOfPatchingAreInThoseDifferencesAndNormalised() {
        for (var pair : pairs()) {
            double clean = pair.values().get("difference_clean").asDouble();
            double corrupted = pair.values().get("difference_corrupted").asDouble();
            var prompts = new org.lmdebugger.interpret.patch.Pair(Prompt.ofIds(pair.clean()),
                    Prompt.ofIds(pair.corrupted()), List.of(Measure.Token.ofId(pair.right())),
                    List.of(Measure.Token.ofId(pair.wrong())), Map.of());
            var grids = Map.of(new Debugger(model).patch(prompts, Patching.denoise(Kind.PRE)),
                    pair.values().get("streams").get("pre"),
                    new Debugger(model).patch(prompts, Patching.denoise(Kind.HEADS).by(Patching.Columns.ALL)),
                    pair.values().get("heads_all_positions").get("z"));
            grids.forEach((grid, expected) -> {
                assertThat(grid.baseline().clean()).isCloseTo(clean, within(DIFFERENCE));
                assertThat(grid.baseline().corrupted()).isCloseTo(corrupted, within(DIFFERENCE));
                boolean heads = grid.columns().equals(List.of("all"));
                int columns = expected.get(0).size();
                assertThat(grid.parts()).hasSize(expected.size() * (heads ? columns : 1));
                for (int l = 0; l < expected.size(); l++) {
                    for (int c = 0; c < columns; c++) {
                        var cell = heads ? grid.cells().get(l * columns + c).getFirst() : grid.cells().get(l).get(c);
                        double difference = expected.get(l).get(c).get(0).asDouble();
                        double kl = expected.get(l).get(c).get(1).asDouble();
                        assertThat(cell.difference()).isCloseTo(difference, within(DIFFERENCE));
                        assertThat(cell.effect()).isCloseTo(difference - corrupted, within(DIFFERENCE));
                        assertThat(cell.normalised()).isCloseTo((difference - corrupted) / (clean - corrupted),
                                within(2 * DIFFERENCE / Math.abs(clean - corrupted)));
                        assertThat(cell.kl()).isCloseTo(kl, within(1e-7 + 1e-3 * kl));
                    }
                }
            });
        }
    }

    @Test
    void edgesAreThosePathsOfWholeForwards() {
        for (var pair : pairs()) {
            var prompts = new org.lmdebugger.interpret.patch.Pair(Prompt.ofIds(pair.clean()),
                    Prompt.ofIds(pair.corrupted()), List.of(Measure.Token.ofId(pair.right())),
                    List.of(Measure.Token.ofId(pair.wrong())), Map.of());
            var expected = new HashMap<Edge, JsonNode>();
            pair.values().get("edges").forEach(edge -> expected.put(edge(edge.get(0), edge.get(1)), edge));
            var effects = new Debugger(model).edges(prompts, Patching.Direction.NOISE, expected.keySet(),
                    Progress.NONE);
            assertThat(effects.edges()).containsExactlyInAnyOrderElementsOf(expected.keySet());
            for (int e = 0; e < effects.edges().size(); e++) {
                var cell = effects.cells().get(e);
                var values = expected.get(effects.edges().get(e));
                assertEffect(effects.edges().get(e).toString(), new float[] {(float) cell.difference(),
                        (float) cell.kl()}, values.get(2).asDouble(), values.get(3).asDouble());
            }
        }
    }

    private static Edge edge(JsonNode sender, JsonNode receiver) {
        var from = switch (sender.get(0).asText()) {
            case "embedding" -> Sender.EMBEDDING;
            case "ffn" -> Sender.ffn(sender.get(1).asInt());
            default -> Sender.head(sender.get(1).asInt(), sender.get(2).asInt());
        };
        var input = receiver.get(0).asText();
        int layer = receiver.get(1).asInt();
        return new Edge(from, switch (input) {
            case "logits" -> Receiver.LOGITS;
            case "ffn" -> Receiver.ffn(layer);
            default -> Receiver.parse("L" + layer + "H" + receiver.get(2).asInt() + "." + input);
        });
    }

    @TestFactory
    List<DynamicTest> patchesVectorsOfHeadsAtAllPositions() {
        var kinds = Map.of(Kind.HEADS, "z", Kind.Q, "q", Kind.K, "k", Kind.V, "v", Kind.PATTERN, "pattern");
        var vectors = Map.of("z", Head.Vector.Z, "q", Head.Vector.QUERY, "k", Head.Vector.KEY, "v", Head.Vector.VALUE,
                "pattern", Head.Vector.PATTERN);
        return list(kinds.keySet(), kind -> DynamicTest.dynamicTest(kind.toString(), () -> {
            for (var pair : pairs()) {
                var effects = effects(pair, denoise(pair, kind, Positions.ALL));
                var expected = pair.values().get("heads_all_positions").get(kinds.get(kind));
                for (int l = 0; l < expected.size(); l++) {
                    for (int h = 0; h < expected.get(l).size(); h++) {
                        assertEffect(new Edit(new Head(l, h, vectors.get(kinds.get(kind))), from(pair), Positions.ALL),
                                effects, expected.get(l).get(h));
                    }
                }
            }
        }));
    }

    @Test
    void patchesMixedValuesAtEachPosition() {
        for (var pair : pairs()) {
            var effects = effects(pair, denoise(pair, Kind.HEADS, Positions.EACH));
            var expected = pair.values().get("z_by_position");
            for (int l = 0; l < expected.size(); l++) {
                for (int h = 0; h < expected.get(l).size(); h++) {
                    for (int t = 0; t < expected.get(l).get(h).size(); t++) {
                        assertEffect(new Edit(new Head(l, h, Head.Vector.Z), from(pair), Positions.at(t)), effects,
                                expected.get(l).get(h).get(t));
                    }
                }
            }
        }
    }

    @Test
    void patchesQueriesKeysAndValuesAtOnePosition() {
        for (var pair : pairs()) {
            for (var cell : pair.values().get("q_k_v_by_position")) {
                var vector = switch (cell.get(0).asText()) {
                    case "q" -> Head.Vector.QUERY;
                    case "k" -> Head.Vector.KEY;
                    default -> Head.Vector.VALUE;
                };
                var edit = new Edit(new Head(cell.get(1).asInt(), cell.get(2).asInt(), vector), from(pair),
                        Positions.at(cell.get(3).asInt()));
                var effect = effects(pair, intervention(pair.corrupted(), edit)).get(edit.toString());
                assertEffect(edit.toString(), effect, cell.get(4).asDouble(), cell.get(5).asDouble());
            }
        }
    }

    private static Sweep intervention(int[] ids, Edit edit) {
        return Sweep.ofIds(ids).interventions(List.of(Intervention.of(edit)));
    }

    @Test
    void switchesHeadsOff() {
        for (var pair : pairs()) {
            for (var at : List.of(Positions.ALL, Positions.LAST)) {
                var effects = effects(pair, Sweep.ofIds(pair.clean()).parts(new PartSelection.OfKind(Kind.HEADS)).off()
                        .at(at));
                var expected = pair.values().get("heads_off").get(at.toString());
                for (int l = 0; l < expected.size(); l++) {
                    for (int h = 0; h < expected.get(l).size(); h++) {
                        assertEffect(new Edit(new Head(l, h, Head.Vector.Z), new Operation.Set(0), at), effects,
                                expected.get(l).get(h));
                    }
                }
            }
        }
    }

    @Test
    void switchesOutputsOffAtTheLastPosition() {
        for (var pair : pairs()) {
            for (var kind : List.of(Kind.ATTENTION, Kind.FFN)) {
                var effects = effects(pair, Sweep.ofIds(pair.clean()).parts(new PartSelection.OfKind(kind)).off());
                var expected = pair.values().get("outputs_off_at_last").get(kind.toString());
                for (int l = 0; l < expected.size(); l++) {
                    assertEffect(new Edit(new Residual(l, Residual.Point.valueOf(kind.name())), new Operation.Set(0),
                            Positions.LAST), effects, expected.get(l));
                }
            }
        }
    }

    @Test
    void knocksLinksOut() {
        for (var pair : pairs()) {
            for (var cell : pair.values().get("knockouts")) {
                var edit = new Edit(new Link(cell.get(0).asInt(), cell.get(1).asInt(), cell.get(3).asInt()),
                        new Operation.Off(), Positions.at(cell.get(2).asInt()));
                var effect = effects(pair, intervention(pair.clean(), edit)).get(edit.toString());
                assertEffect(edit.toString(), effect, cell.get(4).asDouble(), cell.get(5).asDouble());
            }
        }
    }

    @Test
    void steersAlongValueVectors() {
        for (var pair : pairs()) {
            for (var cell : pair.values().get("steering")) {
                var direction = new Direction.ValueVector(
                        new Neuron(cell.get("direction").get(0).asInt(), cell.get("direction").get(1).asInt()));
                var edit = new Edit(new Residual(cell.get("layer").asInt(), Residual.Point.POST),
                        new Operation.AddDirection((float) cell.get("factor").asDouble(), false, direction),
                        Positions.parse(cell.get("at").asText()));
                var effect = effects(pair, intervention(pair.clean(), edit)).get(edit.toString());
                assertEffect(edit.toString(), effect, cell.get("effect").get(0).asDouble(),
                        cell.get("effect").get(1).asDouble());
            }
        }
    }

    @Test
    void readsTheAttentionOfTheLastPosition() {
        for (var pair : pairs()) {
            try (var run = new Debugger(model).run(Prompt.ofIds(pair.clean()), Intervention.NONE)) {
                int length = pair.clean().length;
                var expected = pair.values().get("pattern_last");
                for (int l = 0; l < expected.size(); l++) {
                    try (var pattern = run.pattern(l)) {
                        var weights = pattern.toFloats();
                        for (int h = 0; h < expected.get(l).size(); h++) {
                            for (int s = 0; s < length; s++) {
                                assertThat((double) weights[(h * length + length - 1) * length + s])
                                        .isCloseTo(expected.get(l).get(h).get(s).asDouble(), within(1e-5));
                            }
                        }
                    }
                }
            }
        }
    }

    /** Direct effects up to 10 in size from a residual stream in single precision, where 10 has a step of 1e-6. */
    @TestFactory
    List<DynamicTest> attributesTheLogitToPartsThatAddUp() {
        return list(List.of("right", "difference"), of -> DynamicTest.dynamicTest(of, () -> {
            for (var pair : pairs()) {
                var right = Measure.Token.ofId(pair.right());
                var target = of.equals("right") ? Target.of(right)
                        : Target.of(right, Measure.Token.ofId(pair.wrong()));
                var attribution = new Debugger(model).attribute(Prompt.ofIds(pair.clean()), Intervention.NONE,
                        AttributionOptions.DEFAULT.target(target), Progress.NONE);
                var expected = pair.values().get("attribution").get(of);
                assertThat(attribution.contributions()).hasSize(
                        3 + model.config().layers() * (model.config().heads() + 3));
                for (var contribution : attribution.contributions()) {
                    var component = contribution.component();
                    if (component.kind() == Attribution.Kind.HEAD) {
                        var sources = list(
                                expected.get("heads_by_source").get(component.layer()).get(component.head()),
                                JsonNode::asDouble);
                        assertThat(contribution.sources()).hasSameSizeAs(sources);
                        for (int s = 0; s < sources.size(); s++) {
                            assertThat(contribution.sources().get(s).direct()).as("%s from %d", component, s)
                                    .isCloseTo(sources.get(s), within(1e-5));
                        }
                        assertThat(contribution.direct()).as(component.toString()).isCloseTo(
                                sources.stream().mapToDouble(each -> each).sum(), within(1e-5));
                    } else {
                        var value = switch (component.kind()) {
                            case TOKEN -> expected.get("token");
                            case POSITION -> expected.get("position");
                            case ATTENTION_BIAS -> expected.get("attention_bias").get(component.layer());
                            case FFN -> expected.get("ffn").get(component.layer());
                            case FFN_BIAS -> expected.get("ffn_bias").get(component.layer());
                            default -> expected.get("final_bias");
                        };
                        assertThat(contribution.direct()).as(component.toString())
                                .isCloseTo(value.asDouble(), within(1e-5));
                    }
                }
                assertThat(attribution.logit()).isCloseTo(expected.get("logit").asDouble(), within(DIFFERENCE));
                assertThat(attribution.sum()).isCloseTo(expected.get("logit").asDouble(), within(DIFFERENCE));
                assertThat(attribution.remainder()).isCloseTo(0, within(DIFFERENCE));
                assertTotals(pair, attribution, of);
            }
        }));
    }

    /** Total effects of heads and feed-forward layers on the difference are those of switching them off. */
    private void assertTotals(Pair pair, Attribution attribution, String of) {
        if (!of.equals("difference")) {
            return;
        }
        double clean = pair.values().get("difference_clean").asDouble();
        var heads = pair.values().get("heads_off").get("last");
        var outputs = pair.values().get("outputs_off_at_last").get("ffn");
        for (var contribution : attribution.contributions()) {
            var component = contribution.component();
            switch (component.kind()) {
                case HEAD -> assertThat(contribution.total().orElseThrow()).as(component.toString()).isCloseTo(
                        clean - heads.get(component.layer()).get(component.head()).get(0).asDouble(),
                        within(DIFFERENCE));
                case FFN -> assertThat(contribution.total().orElseThrow()).as(component.toString())
                        .isCloseTo(clean - outputs.get(component.layer()).get(0).asDouble(), within(DIFFERENCE));
                default -> assertThat(contribution.total()).isEmpty();
            }
        }
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::asInt).toArray();
    }

    private static <T, R> List<R> list(Iterable<T> all, Function<T, R> of) {
        return StreamSupport.stream(all.spliterator(), false).map(of).toList();
    }
}
