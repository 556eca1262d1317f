package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.trace.Flow;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/** Routes to a position, against plain loops in double precision. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FlowTest {
    private static final String PROMPT = "Once upon a time there";
    private static final double NORM = 1e-4; // relative

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    private static double norm(double[] vector) {
        return Math.sqrt(Arrays.stream(vector).map(each -> each * each).sum());
    }

    private static double norm(Activations run, Site site, int layer, int position) {
        var row = run.at(site, layer).row(position).toFloats();
        return norm(IntStream.range(0, row.length).mapToDouble(i -> row[i]).toArray());
    }

    /** Returns what the heads from {@code first} to {@code last} bring to a query from a key. */
    private double[] brought(Activations run, int layer, int query, int key, int first, int last) {
        int d = model.config().width();
        int width = d / model.config().heads();
        var weights = model.layer(layer).attentionOut().toFloats();
        var values = run.values(layer).toFloats();
        var sum = new double[d];
        try (var pattern = run.pattern(layer)) {
            var attention = pattern.toFloats();
            for (int i = first * width; i < (last + 1) * width; i++) {
                double weight = attention[(i / width * run.length() + query) * run.length() + key];
                for (int j = 0; j < d; j++) {
                    sum[j] += weight * values[key * d + i] * weights[i * d + j];
                }
            }
        }
        return sum;
    }

    @Test
    void aLinkWeighsTheNormOfWhatAllHeadsBring() {
        int heads = model.config().heads();
        try (var run = debugger.run(PROMPT)) {
            var flow = Flow.of(run, Intervention.NONE, 4, 1e-9);
            int layer = 2;
            double[] norms = IntStream.rangeClosed(0, 4)
                    .mapToDouble(key -> norm(brought(run, layer, 4, key, 0, heads - 1))).toArray();
            double all = norm(run, Site.RESIDUAL_POST, layer - 1, 4) + Arrays.stream(norms).sum();
            var links = flow.links().stream().filter(link -> link.layer() == layer && link.query() == 4).toList();
            assertThat(links).extracting(Flow.Link::key).containsExactly(0, 1, 2, 3, 4);
            for (var link : links) {
                double expected = norms[link.key()];
                assertThat(link.norm()).isCloseTo(expected, within(NORM * expected));
                assertThat(link.share()).isCloseTo(expected / all, within(NORM));
                var single = IntStream.range(0, heads)
                        .mapToDouble(head -> norm(brought(run, layer, 4, link.key(), head, head))).toArray();
                assertThat(single[link.head()]).isEqualTo(Arrays.stream(single).max().orElseThrow());
                assertThat(link.headNorm()).isCloseTo(single[link.head()], within(NORM * single[link.head()]));
            }
            var node = flow.nodes().stream().filter(each -> each.layer() == layer && each.position() == 4).findFirst()
                    .orElseThrow();
            double ffn = norm(run, Site.FFN_OUT, layer, 4);
            assertThat(node.stream()).isCloseTo(norm(run, Site.RESIDUAL_POST, layer - 1, 4), within(NORM));
            assertThat(node.ffn()).isCloseTo(ffn, within(NORM));
            assertThat(node.ffnShare()).isCloseTo(ffn / (norm(run, Site.RESIDUAL_MID, layer, 4) + ffn), within(NORM));
        }
    }

    @Test
    void onlyLinksOfALargeShareAreFollowedFromWhereOneLeads() {
        try (var run = debugger.run(PROMPT)) {
            var all = Flow.of(run, Intervention.NONE, 4, 1e-9);
            double least = 0.1;
            var flow = Flow.of(run, Intervention.NONE, 4, least);
            var reached = new TreeSet<>(List.of(4));
            for (int layer = model.config().layers() - 1; layer >= 0; layer--) {
                int l = layer;
                var queries = List.copyOf(reached);
                var expected = all.links().stream().filter(link -> link.layer() == l && queries.contains(link.query())
                        && link.share() >= least).toList();
                assertThat(flow.nodes().stream().filter(node -> node.layer() == l).map(Flow.Node::position))
                        .containsExactlyElementsOf(queries);
                assertThat(flow.links().stream().filter(link -> link.layer() == l).toList()).isEqualTo(expected);
                reached.addAll(expected.stream().map(Flow.Link::key).collect(Collectors.toSet()));
            }
            assertThat(flow.links()).isNotEmpty().hasSizeLessThan(all.links().size());
            assertThat(Flow.of(run, Intervention.NONE, 2, 0.5).nodes()).as("the stream itself stays")
                    .hasSizeGreaterThanOrEqualTo(model.config().layers());
        }
    }

    @Test
    void aHeadWhoseMixedValuesAreEditedBringsNothing() {
        var edits = Intervention.parse("L3H*=0@last");
        try (var run = debugger.run(PROMPT, edits)) {
            assertThat(Flow.of(run, edits, 4, 0.01).links()).noneMatch(link -> link.layer() == 3)
                    .anyMatch(link -> link.layer() == 2);
        }
        var one = Intervention.parse("L3H1=0");
        try (var run = debugger.run(PROMPT, one)) {
            var link = Flow.of(run, one, 4, 1e-9).links().getFirst();
            var heads = IntStream.range(0, model.config().heads()).filter(head -> head != 1)
                    .mapToObj(head -> brought(run, 3, 4, link.key(), head, head)).toList();
            var sum = IntStream.range(0, model.config().width())
                    .mapToDouble(j -> heads.stream().mapToDouble(each -> each[j]).sum()).toArray();
            assertThat(link.norm()).isCloseTo(norm(sum), within(NORM));
        }
    }

    @Test
    void aShareOfNothingOrOfMoreThanAllIsRefused() {
        try (var run = debugger.run(PROMPT)) {
            for (double least : new double[] {0, -1, 1.5, Double.NaN}) {
                assertThatThrownBy(() -> Flow.of(run, Intervention.NONE, 0, least)).hasMessage(
                        "least: " + least + " (expected: above 0, at most 1)");
            }
        }
    }
}
