package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.Attribution.Contribution;
import org.lmdebugger.interpret.trace.Attribution.NeuronEffect;
import org.lmdebugger.interpret.trace.Attribution.Source;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;

/** Attributions of edited runs, and what they must agree with; {@link SitesGoldenTest} has PyTorch's numbers. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AttributionTest {
    private static final String PROMPT = "Once upon a time there was a little girl who had a";
    /** Logits up to 10 in single precision, through a forward pass. */
    private static final double LOGIT = 1e-4;
    /** Direct effects of single parts, whose activations are single precision. */
    private static final double DIRECT = 1e-5;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();
    private final AttributionOptions options = AttributionOptions.DEFAULT.target(Target.of(" big", " little"));

    private final Map<List<Object>, Attribution> attributions = new HashMap<>(); // by options and edits
    private final Map<List<String>, double[]> differences = new HashMap<>(); // by edits, of each position

    private Attribution attribute(AttributionOptions options, String... edits) {
        return attributions.computeIfAbsent(List.of(options, List.of(edits)),
                _ -> debugger.attribute(Prompt.of(PROMPT), Intervention.parse(edits), options, Progress.NONE));
    }

    private static double sum(Contribution ffn) {
        return ffn.neurons().stream().mapToDouble(NeuronEffect::direct).sum();
    }

    private static Contribution of(Attribution attribution, String component) {
        return attribution.contributions().stream().filter(each -> each.component().toString().equals(component))
                .findFirst().orElseThrow();
    }

    /** Returns the difference of logits at a position in a whole forward pass. */
    private double difference(int position, String... edits) {
        return differences.computeIfAbsent(List.of(edits), _ -> {
            try (var run = debugger.run(PROMPT, Intervention.parse(edits)); var logits = run.logits()) {
                var all = logits.toFloats();
                int first = model.tokenizer().single(" big");
                int second = model.tokenizer().single(" little");
                return IntStream.range(0, run.length()).map(p -> p * model.config().vocabularySize())
                        .mapToDouble(row -> (double) all[row + first] - all[row + second]).toArray();
            }
        })[position];
    }

    /** Edits of each kind of part; where CUDA is emulated, those whose attribution takes a way of its own. */
    static Stream<String> edits() {
        var other = "from:\"Once upon a time there was a little bird who had a\"";
        var own = Stream.of("L1H*=" + other, "L3H4.pattern=" + other, "L2H1.link=off@11->8", "L2.mid+=4*L1D42@last",
                "L3.ffn=0@last");
        return TestDevice.isEmulated() ? own
                : Stream.concat(own, Stream.of("L1D42*=3", "L1H2=0@last", "L2H3.q*=2@11", "L1H1.v=0@3..8",
                        "L2H1.k*=-1@all", "L0.pre+=2*token:\" king\"", "L3.post-=L2D7@last", "L1.post*=0.5@4",
                        "L2.attention*=2@last", "L1.ffn=" + other));
    }

    @ParameterizedTest
    @MethodSource("edits")
    void effectsOfAnEditedRunAddUpToItsLogit(String edit) {
        var attribution = attribute(options.neurons(model.config().feedForwardWidth()), edit);
        assertThat(attribution.logit()).isCloseTo(difference(11, edit), within(LOGIT));
        assertThat(attribution.remainder()).isCloseTo(0, within(LOGIT));
        for (var head : attribution.heads()) {
            if (!head.sources().isEmpty()) {
                assertThat(head.sources().stream().mapToDouble(Source::direct).sum()).as(head.component().toString())
                        .isCloseTo(head.direct(), within(DIRECT));
                assertThat(head.sources().stream().mapToDouble(Source::weight).sum()).isCloseTo(1, within(1e-5));
            }
        }
        for (int l = 0; l < model.config().layers(); l++) {
            var ffn = of(attribution, "L" + l + ".ffn");
            if (edit.startsWith("L" + l + ".ffn=")) {
                assertThat(ffn.neurons()).as(edit).isEmpty();
            } else {
                assertThat(sum(ffn)).as("neurons of %s", ffn.component()).isCloseTo(ffn.direct(), within(DIRECT));
            }
        }
        for (var part : List.of("L1H2", "L2H0")) {
            assertThat(of(attribution, part).total().orElseThrow()).as(part).isCloseTo(
                    attribution.logit() - difference(11, edit, part + "=0@last"), within(LOGIT));
        }
        assertThat(of(attribution, "L2.ffn").total().orElseThrow()).isCloseTo(
                attribution.logit() - difference(11, edit, "L2.ffn=0@last"), within(LOGIT));
    }

    @Test
    void anEditOfTheStreamIsAPartOfItsOwnAndOneOfMixedValuesHasNoSources() {
        assertThat(attribute(options, "L2.mid+=4*L1D42@last", "L1H2*=2@last").contributions())
                .filteredOn(each -> each.component().kind() == Attribution.Kind.EDITS)
                .singleElement().satisfies(edits -> assertThat(edits.component()).hasToString("L2.edits"));
        var headsWithoutSources = attribute(options, "L1H2*=2@last").heads().stream()
                .filter(head -> head.sources().isEmpty()).map(head -> head.component().toString());
        assertThat(headsWithoutSources).containsExactly("L1H2");
        assertThat(attribute(options, "L2.mid+=4*L1D42@3").contributions()).noneMatch(
                each -> each.component().kind() == Attribution.Kind.EDITS); // at another position
    }

    @Test
    void aLinkThatIsOffHasNoWeight() {
        var weights = of(attribute(options, "L2H1.link=off@11->8"), "L2H1").sources().stream().map(Source::weight);
        assertThat(weights.toList().get(8)).isZero();
        assertThat(of(attribute(options), "L2H1").sources().get(8).weight()).isPositive();
    }

    /** Without coefficients, the last feed-forward layer adds its bias alone; nothing but the final LayerNorm follows. */
    @Test
    void aRenormalisedEffectIsThatOfTakingThePartAwayBeforeTheFinalLayerNorm() {
        var off = IntStream.range(0, model.config().feedForwardWidth()).mapToObj(i -> "L3D" + i + "=0@last");
        var output = of(attribute(options), "L3.ffn");
        assertThat(output.renormalised()).isCloseTo(difference(11) - difference(11, off.toArray(String[]::new)),
                within(LOGIT));
        assertThat(Math.abs(output.renormalised() - output.direct())).isGreaterThan(100 * LOGIT);
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "4, 5", "-1, 12"})
    void anEarlierPositionHasItsOwnSourcesAndTotalEffects(int position, int sources) {
        var attribution = attribute(options.at(position));
        assertThat(attribution.position()).isEqualTo(sources - 1);
        assertThat(attribution.remainder()).isCloseTo(0, within(LOGIT));
        assertThat(attribution.heads()).allSatisfy(head -> assertThat(head.sources()).hasSize(sources));
        assertThat(of(attribution, "L1H3").total().orElseThrow()).isCloseTo(difference(sources - 1)
                - difference(sources - 1, "L1H3=0@" + (sources - 1)), within(LOGIT));
    }

    @Test
    void anEditedRunHasTotalEffectsAtItsLastPositionAlone() {
        assertThat(attribute(options.at(4), "L1D42=0").contributions())
                .allSatisfy(each -> assertThat(each.total()).isEqualTo(OptionalDouble.empty()));
    }

    @Test
    void theTargetIsThePredictionOfTheCleanRun() {
        var clean = debugger.trace(PROMPT).position(-1).target();
        assertThat(attribute(AttributionOptions.DEFAULT, "L3.ffn*=-1").target()).isEqualTo(clean);
        assertThat(attribute(AttributionOptions.DEFAULT).against()).isEmpty();
    }

    @Test
    void aSourceHasTheNormOfItsSharePromotedTokensHaveTheLargestProducts() {
        var head = of(attribute(options.promoted(3)), "L2H1");
        int d = model.config().width();
        int width = d / model.config().heads();
        try (var run = debugger.run(PROMPT)) {
            var values = run.values(2).toFloats();
            var z = run.z(2).row(11).toFloats();
            var out = model.layer(2).attentionOut().toFloats();
            var embedding = model.head().toFloats();
            var share = new double[d];
            var output = new double[d];
            for (int i = 0; i < width; i++) {
                for (int j = 0; j < d; j++) {
                    share[j] += values[8 * d + width + i] * out[(width + i) * d + j];
                    output[j] += z[width + i] * out[(width + i) * d + j];
                }
            }
            var source = head.sources().get(8);
            assertThat(source.norm()).isCloseTo(
                    source.weight() * Math.sqrt(IntStream.range(0, d).mapToDouble(j -> share[j] * share[j]).sum()),
                    within(1e-5));
            var products = IntStream.range(0, model.config().vocabularySize()).mapToObj(id -> new double[] {id,
                    IntStream.range(0, d).mapToDouble(j -> output[j] * embedding[id * d + j]).sum()})
                    .sorted(Comparator.comparingDouble(product -> -product[1])).limit(3).toList();
            assertThat(head.promoted()).extracting(TokenLogit::id)
                    .containsExactlyElementsOf(products.stream().map(product -> (int) product[0]).toList());
            assertThat((double) head.promoted().getFirst().logit()).isCloseTo(products.getFirst()[1], within(1e-5));
        }
    }

    /** m·((v − mean v) ⊙ γ)·u ÷ σ of each neuron, in double precision. */
    @Test
    void neuronsAndTheBiasAddUpToTheEffectOfAFeedForwardLayer() {
        int d = model.config().width();
        int f = model.config().feedForwardWidth();
        var attribution = attribute(options.neurons(f));
        try (var run = debugger.run(PROMPT)) {
            var u = difference(model.head().row(model.tokenizer().single(" big")).toFloats(),
                    model.head().row(model.tokenizer().single(" little")).toFloats());
            var gain = model.finalGain().toFloats();
            var last = run.residualPost(model.config().layers() - 1).row(11).toFloats();
            var x = IntStream.range(0, d).mapToDouble(j -> last[j]).toArray();
            double variance = Arrays.stream(centred(x)).map(each -> each * each).sum() / d;
            double sigma = Math.sqrt(variance + model.config().epsilon());
            ToDoubleFunction<double[]> effect = part -> {
                var centred = centred(part);
                return IntStream.range(0, d).mapToDouble(j -> centred[j] * gain[j] * u[j]).sum() / sigma;
            };
            for (int l = 0; l < model.config().layers(); l++) {
                var ffn = of(attribution, "L" + l + ".ffn");
                double bias = of(attribution, "L" + l + ".ffnBias").direct();
                var added = difference(run.residualPost(l).row(11).toFloats(), run.residualMid(l).row(11).toFloats());
                assertThat(ffn.neurons()).hasSize(f);
                assertThat(sum(ffn)).isCloseTo(ffn.direct(), within(DIRECT));
                assertThat(sum(ffn) + bias).isCloseTo(effect.applyAsDouble(added), within(DIRECT));
                var m = run.coefficients(l).row(11).toFloats();
                var v = model.layer(l).ffnOut().toFloats();
                for (var neuron : ffn.neurons()) {
                    int i = neuron.neuron().neuron();
                    assertThat(neuron.coefficient()).isEqualTo(m[i]);
                    assertThat(neuron.direct()).as("%s", neuron.neuron()).isCloseTo(
                            m[i] * effect.applyAsDouble(IntStream.range(0, d).mapToDouble(j -> v[i * d + j]).toArray()),
                            within(1e-6)); // products of up to about 1 of single precision
                }
            }
        }
    }

    /** Of value vectors, clean and edited, at an earlier position and at the last. */
    @Test
    void aTraceWithASecondTokenHasEffectsOnTheDifferenceOfLogits() {
        int big = model.tokenizer().single(" big");
        int little = model.tokenizer().single(" little");
        var edits = Intervention.parse("L1D42*=3@last");
        var trace = debugger.trace(PROMPT, edits,
                TraceOptions.DEFAULT.at(4, -1).top(2).following(big).against(little).withTotalEffects());
        for (var position : trace.positions()) {
            assertThat(position.target().id()).isEqualTo(big);
            assertThat(position.against()).contains(new Trace.Token(little, " little"));
            for (var update : position.layers().stream().flatMap(layer -> layer.dominant().stream()).toList()) {
                var off = "L%dD%d=0@%d".formatted(update.layer(), update.neuron(), position.position());
                assertThat(update.total().orElseThrow()).as(off)
                        .isCloseTo(difference(position.position()) - difference(position.position(), off),
                                within(LOGIT));
            }
            isDirectEffectOfAttribution(position);
        }
        trace.edited().orElseThrow().forEach(position -> isDirectEffectOfAttribution(position, "L1D42*=3@last"));
        assertThat(debugger.trace(PROMPT).position(-1).against()).isEmpty();
    }

    private void isDirectEffectOfAttribution(Trace.Position position, String... edits) {
        var attribution = attribute(options.at(position.position()).neurons(model.config().feedForwardWidth()), edits);
        for (var layer : position.layers()) {
            var neurons = of(attribution, "L" + layer.layer() + ".ffn").neurons().stream()
                    .collect(Collectors.toMap(each -> each.neuron().neuron(), NeuronEffect::direct));
            assertThat(layer.dominant()).allSatisfy(update -> assertThat((double) update.direct())
                    .isCloseTo(neurons.get(update.neuron()), within(DIRECT)));
        }
    }

    @Test
    void aTraceRefusesASecondTokenThatDoesNotFit() {
        int big = model.tokenizer().single(" big");
        assertThatThrownBy(() -> debugger.trace(PROMPT, Intervention.NONE,
                TraceOptions.DEFAULT.following(big).against(big)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("against:  big (expected: another token than the target)");
        assertThatThrownBy(() -> debugger.trace(PROMPT, Intervention.NONE, TraceOptions.DEFAULT.against(8192)))
                .isInstanceOf(IllegalArgumentException.class).hasMessage("token: 8192 (expected: 0 to 8191)");
    }

    private static double[] difference(float[] a, float[] b) {
        return IntStream.range(0, a.length).mapToDouble(j -> (double) a[j] - b[j]).toArray();
    }

    private static double[] centred(double[] x) {
        double mean = Arrays.stream(x).average().orElseThrow();
        return Arrays.stream(x).map(each -> each - mean).toArray();
    }

    @Test
    void theStrongestNeuronsAreListedAndTheOthersAreOneSum() {
        var all = of(attribute(options.neurons(model.config().feedForwardWidth())), "L2.ffn");
        assertThat(all.neurons()).isSortedAccordingTo(
                Comparator.comparingDouble((NeuronEffect neuron) -> Math.abs(neuron.direct())).reversed());
        var some = of(attribute(options.neurons(3)), "L2.ffn");
        assertThat(some.neurons()).isEqualTo(all.neurons().subList(0, 3));
        assertThat(some.otherNeurons()).isCloseTo(
                all.neurons().stream().skip(3).mapToDouble(NeuronEffect::direct).sum(),
                within(DIRECT));
        var byCoefficient = of(attribute(options.neurons(3).by(NeuronOrder.COEFFICIENT)), "L2.ffn").neurons();
        assertThat(byCoefficient).isEqualTo(all.neurons().stream()
                .sorted(Comparator.comparingDouble(neuron -> -Math.abs(neuron.coefficient()))).limit(3).toList());
        assertThat(byCoefficient).isNotEqualTo(some.neurons());
        assertThatThrownBy(() -> NeuronOrder.parse("total")).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("order of neurons: total (expected: direct or coefficient)");
        assertThat(attribute(options.neurons(0)).contributions()).allSatisfy(
                each -> assertThat(each.neurons()).isEmpty());
    }

    @Test
    void refusesOptionsThatDoNotFit() {
        refused(options.at(12), "position: 12 (expected: 0 to 11, or -12 to -1 from the end)");
        refused(options.target(Target.of(" big", " big")), "against:  big (expected: another token than the target)");
        refused(options.promoted(-1), "promoted: -1 (expected: 0 to 8192)");
        refused(options.promoted(8193), "promoted: 8193 (expected: 0 to 8192)");
        refused(options.neurons(-1), "neurons: -1 (expected: 0 to 768)");
        refused(options.neurons(769), "neurons: 769 (expected: 0 to 768)");
        refused(options.target(Target.of(Measure.Token.ofId(8192))), "token: 8192 (expected: 0 to 8191)");
        refused(options.target(Target.of(Measure.Token.of(" big"), Measure.Token.ofId(-1))),
                "token: -1 (expected: 0 to 8191)");
        assertThatThrownBy(() -> attribute(options, "L1H9=0"))
                .hasMessage("edit: L1H9 (expected: L0 to L3 and H0 to H5 in this model)");
    }

    private void refused(AttributionOptions wrong, String message) {
        assertThatThrownBy(() -> attribute(wrong)).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
    }
}
