package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeEstimates;
import org.lmdebugger.interpret.edge.Receiver.Input;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** Estimates of the effects of edges, against central differences of exact patching in double precision. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EdgeEstimatesTest {
    private static final double STEP = 1e-4;
    private static final Pair PAIR = Pair.of("Once upon a time there was a little girl who had a",
            "Once upon a time there was a little bird who had a", " big", " nest");

    @AutoClose
    private final TestModel sample = TestModel.open("sample");

    private static Pair pair(int[] clean, int[] corrupted) {
        return new Pair(Prompt.ofIds(clean), Prompt.ofIds(corrupted), List.of(Measure.Token.ofId(3)),
                List.of(Measure.Token.ofId(7), Measure.Token.ofId(11)), Map.of());
    }

    @Test
    void anEstimateIsTheSlopeAtTheBaseRun(@TempDir Path directory) throws IOException {
        var files = new RandomCheckpoint(3, 2, 16, 12, 8192).write(directory, 23);
        var random = new Random(5);
        try (var model = Gpt2.load(ModelFiles.of(files), sample.device())) {
            for (int agree : TestDevice.isEmulated() ? new int[] {2} : new int[] {0, 2}) {
                var clean = random.ints(5, 0, 8192).toArray();
                var corrupted = random.ints(5, 0, 8192).toArray();
                System.arraycopy(clean, 0, corrupted, 0, agree);
                for (var direction : Direction.values()) {
                    assertSlopes(model, pair(clean, corrupted), direction, random);
                }
            }
            assertSlopes(model, pair(new int[] {4}, new int[] {5}), Direction.NOISE, random);
        }
    }

    private static void assertSlopes(Gpt2 model, Pair pair, Direction direction, Random random) {
        var estimates = EdgeEstimates.of(model, pair, direction, List.of());
        assertThat(estimates.edges()).isEqualTo(Edge.all(model.config()));
        assertThat(EdgeEstimates.of(model, pair, direction, List.of())).isEqualTo(estimates); // to the bit
        var ids = pair.ids(model);
        boolean noise = direction == Direction.NOISE;
        var runs = new Runs(new DoubleGpt2(model), model, noise ? ids.clean() : ids.corrupted(),
                noise ? ids.corrupted() : ids.clean());
        var some = new ArrayList<>(estimates.edges());
        Collections.shuffle(some, random);
        for (var edge : some.subList(0, 60)) {
            double expected = (runs.difference(edge, STEP) - runs.difference(edge, -STEP)) / (2 * STEP);
            assertThat(estimates.effects().get(estimates.edges().indexOf(edge))).as("%s, %s", edge, direction)
                    .isCloseTo(expected, within(3e-6 + 3e-5 * Math.abs(expected)));
        }
    }

    private record Place(Site site, int layer) {
    }

    /** The rows of a base run and a source run in double precision. */
    private static final class Runs {
        private final DoubleGpt2 reference;
        private final Gpt2 model;
        private final int[] ids;
        private final Map<Place, double[][]> base;
        private final Map<Place, double[][]> source;

        Runs(DoubleGpt2 reference, Gpt2 model, int[] ids, int[] others) {
            this.reference = reference;
            this.model = model;
            this.ids = ids;
            base = rows(ids);
            source = rows(others);
        }

        private Map<Place, double[][]> rows(int[] ids) {
            var rows = new HashMap<Place, double[][]>();
            reference.logits(ids, new int[0], (site, layer, at) -> {
                var copy = new double[at.length][];
                for (int t = 0; t < at.length; t++) {
                    copy[t] = at[t].clone();
                }
                rows.put(new Place(site, layer), copy);
            });
            return rows;
        }

        /** Returns the logit difference where the receiver alone reads a share of the sender's change. */
        double difference(Edge edge, double share) {
            var change = change(edge.sender());
            var receiver = edge.receiver();
            boolean logits = receiver.input() == Input.LOGITS;
            var site = logits ? Site.RESIDUAL_POST
                    : receiver.input() == Input.FFN ? Site.COEFFICIENTS
                            : Site.valueOf(
                                    Map.of(Input.Q, "QUERY", Input.K, "KEY", Input.V, "VALUE").get(receiver.input()));
            var place = new Place(site, logits ? model.config().layers() - 1 : receiver.layer());
            var last = reference.logits(ids, new int[] {3, 7, 11}, (at, layer, rows) -> {
                for (int t = 0; new Place(at, layer).equals(place) && t < rows.length; t++) {
                    var read = base.get(logits ? place
                            : new Place(receiver.input() == Input.FFN ? Site.RESIDUAL_MID
                                    : Site.RESIDUAL_PRE, layer))[t].clone();
                    for (int i = 0; i < read.length; i++) {
                        read[i] += share * change[t][i];
                    }
                    switch (receiver.input()) {
                        case LOGITS -> rows[t] = read;
                        case FFN -> rows[t] = reference.coefficients(layer, read);
                        default -> {
                            int width = read.length / model.config().heads();
                            System.arraycopy(reference.queryKeyValue(layer, read),
                                    receiver.input().ordinal() * read.length + receiver.head() * width, rows[t],
                                    receiver.head() * width, width);
                        }
                    }
                }
            });
            return last[0] - (last[1] + last[2]) / 2;
        }

        private double[][] change(Sender sender) {
            var place = switch (sender.kind()) {
                case EMBEDDING -> new Place(Site.RESIDUAL_PRE, 0);
                case FFN -> new Place(Site.FFN_OUT, sender.layer());
                case HEAD -> new Place(Site.Z, sender.layer());
            };
            var change = new double[ids.length][];
            for (int t = 0; t < ids.length; t++) {
                double[] from = base.get(place)[t], to = source.get(place)[t];
                change[t] = new double[from.length];
                int width = from.length / model.config().heads();
                var matrix = sender.kind() == Sender.Kind.HEAD
                        ? model.layer(sender.layer()).attentionOut().rows((long) sender.head() * width, width)
                                .toFloats()
                        : null;
                for (int i = 0; i < from.length; i++) {
                    if (matrix == null) {
                        change[t][i] = to[i] - from[i];
                        continue;
                    }
                    for (int j = 0; j < width; j++) {
                        int column = sender.head() * width + j;
                        change[t][i] += (to[column] - from[column]) * matrix[j * from.length + i];
                    }
                }
            }
            return change;
        }
    }

    /** The sample model is trained: the estimates find most of its strongest edges. */
    @Test
    void theStrongestEdgesAreAmongTheBestEstimates() {
        var debugger = sample.debugger();
        var estimates = debugger.estimateEdges(List.of(PAIR), Direction.NOISE, List.of(), Progress.NONE);
        int all = estimates.edges().size();
        var sieve = TestDevice.isEmulated() ? estimates.sieve(10, 10, 1) : estimates.sieve(all / 10, all, 1);
        var chosen = estimates.chosen(sieve);
        assertThat(chosen).hasSameSizeAs(sieve.chosen());
        var effects = debugger.edges(PAIR, Direction.NOISE, chosen, Progress.NONE);
        var quality = estimates.quality(sieve, effects.edges(), e -> effects.cells().get(e).effect());
        assertThat(quality.rankCorrelation()).isGreaterThan(0.6);
        assertThat(quality.recall()).isGreaterThan(0.6);
    }

    @Test
    void aDataSetIsAveragedAndASelectionIsTheSameAsThatPartOfAll() {
        var pairs = List.of(PAIR, Pair.of("The little girl had a", "The little bird had a", " big", " nest"),
                Pair.of("The girl", "The girl", " big", " nest")); // no edge of which has an effect
        var edges = Edge.select(sample.model().config(), "L1.ffn>*");
        var mean = EdgeEstimates.of(sample.model(), pairs, Direction.NOISE, edges, Progress.NONE);
        var each = pairs.stream().map(pair -> EdgeEstimates.of(sample.model(), pair, Direction.NOISE, List.of()))
                .toList();
        assertThat(mean.edges()).isEqualTo(edges);
        for (int e = 0; e < edges.size(); e++) {
            int among = each.getFirst().edges().indexOf(edges.get(e));
            assertThat(mean.effects().get(e)).isEqualTo(
                    (each.getFirst().effects().get(among) + each.get(1).effects().get(among)) / 3);
        }
        assertThatThrownBy(() -> EdgeEstimates.of(sample.model(), List.of(), Direction.NOISE, edges, Progress.NONE))
                .hasMessage("pairs: none (expected: at least one)");
        assertThatThrownBy(
                () -> EdgeEstimates.of(sample.model(), PAIR, Direction.NOISE, List.of(Edge.parse("L9H0>logits"))))
                        .hasMessageStartingWith("edge: L9H0>logits (expected: layers");
    }
}
