package org.lmdebugger.interpret.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.TestModels;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** Edits and sweeps that take means and samples from a corpus. */
@OnEveryDevice
@TestInstance(Lifecycle.PER_CLASS)
class CorpusEditsTest {
    private static final String PROMPT = "the little dog saw a big ball";
    private static final String WITHOUT_PATTERN = "L1D5,L3D9,heads,q,k,v,pre,mid,post,attention,ffn";

    /** KL of logits that differ by the rounding of products of other shapes: some 10⁻⁶, squared. */
    private static final double ROUNDING = 1e-10;

    @AutoClose
    private final TestModel test = TestModel.open("sample");
    private final Gpt2 model = test.model();
    private Corpora corpora;
    private Debugger debugger;
    private CorpusStatistics words;

    @BeforeAll
    void build(@TempDir Path folder) {
        corpora = new Corpora(folder, model);
        debugger = new Debugger(model, corpora);
        corpora.build("same", Corpus.of(model, Stream.of(PROMPT), 100), Progress.NONE);
        words = corpora.build("words", Corpus.of(model, CorpusTest.documents(12, 9, 1), 8), Progress.NONE);
    }

    private float[] logits(String... edits) {
        return logits(Intervention.parse(edits).list().toArray(Edit[]::new));
    }

    private float[] logits(Edit... edits) {
        try (var run = debugger.run(PROMPT, Intervention.of(edits)); var logits = run.logits()) {
            return logits.row(logits.rows() - 1).toFloats();
        }
    }

    private List<Float> effects(String sites, Operation operation, Positions at) {
        var all = new ArrayList<Float>();
        debugger.sweep(Sweep.of(PROMPT).parts(PartSelection.parse(sites)).operation(operation).at(at)
                .measure(Measure.kl()), effects -> {
                    for (float kl : effects.values(Measure.kl())) {
                        all.add(kl);
                    }
                    return true;
                });
        return all;
    }

    @Test
    void meansAtPositionsOfTheSamePromptChangeNothing() {
        assertThat(effects(WITHOUT_PATTERN, new Operation.Mean("same", true), Positions.ALL)).isNotEmpty()
                .allMatch(kl -> kl < ROUNDING);
        assertThat(effects(WITHOUT_PATTERN, new Operation.Mean("words", true), Positions.ALL))
                .anyMatch(kl -> kl > 0.01);
    }

    @Test
    void aSampleOfTheSamePromptChangesNothing() {
        assertThat(effects(WITHOUT_PATTERN + ",pattern", new Operation.Resample("same", 3), Positions.ALL))
                .isNotEmpty().allMatch(kl -> kl < ROUNDING);
    }

    @Test
    void aSampleIsWhatTheWindowThatWasDrawnHasThere() {
        int length = model.encode(PROMPT).length;
        var clean = logits(new Edit[0]);
        for (long seed : TestDevice.isEmulated() ? new long[] {1} : new long[] {0, 1, 2}) {
            var window = Prompt.ofIds(Arrays.copyOf(words.draw(length, seed), length));
            for (var part : List.of("L1D5", "L2H3", "L2H*.k", "L1H0.pattern", "L0.mid", "L3.ffn")) {
                assertThat(logits(new Edit(Part.parse(part), new Operation.Resample("words", seed), Positions.LAST)))
                        .as(part)
                        .isEqualTo(logits(new Edit(Part.parse(part), new Operation.From(window), Positions.LAST)))
                        .isNotEqualTo(clean);
            }
        }
        assertThat(logits("L2H3=resample:words#1")).isNotEqualTo(logits("L2H3=resample:words#2"));
    }

    @Test
    void aNeuronBecomesItsMean() {
        float mean = words.mean(Site.COEFFICIENTS, 1)[7];
        assertThat(logits("L1D7=mean:words")).isEqualTo(logits("L1D7=" + mean)).isNotEqualTo(logits("L1D7=0"));
        float at = words.meanAt(Site.COEFFICIENTS, 1, 3)[7];
        assertThat(logits("L1D7=mean-at:words@3")).isEqualTo(logits("L1D7=" + at + "@3"));
    }

    @ParameterizedTest
    @CsvSource({"L1H2, Z, 64, 32", "L1H*.q, QUERY, 0, 192", "L1H5.k, KEY, 160, 32", "L1H0.v, VALUE, 0, 32",
            "L1.pre, RESIDUAL_PRE, 0, 192", "L1.attention, ATTENTION_OUT, 0, 192", "L1.mid, RESIDUAL_MID, 0, 192",
            "L1.ffn, FFN_OUT, 0, 192", "L1.post, RESIDUAL_POST, 0, 192"})
    void everySiteBecomesItsMean(String part, Site site, int first, int count) {
        try (var run = debugger.run(PROMPT, Intervention.parse(part + "=mean:words@2", part + "=mean-at:words@4"))) {
            assertThat(run.at(site, 1).row(2).columns(first, count).toFloats())
                    .isEqualTo(Arrays.copyOfRange(words.mean(site, 1), first, first + count));
            assertThat(run.at(site, 1).row(4).columns(first, count).toFloats())
                    .isEqualTo(Arrays.copyOfRange(words.meanAt(site, 1, 4), first, first + count));
        }
    }

    @Test
    void generationTakesMeansToo() {
        var edits = Intervention.parse("L3.ffn=mean:words@generated");
        assertThat(debugger.generate(PROMPT, edits, 5).text()).isNotEqualTo(debugger.generate(PROMPT, 5).text());
    }

    @Test
    void sweepsReadTheirOperations() {
        assertThat(Mode.EXACT.operation("mean:words")).isEqualTo(new Operation.Mean("words", false));
        assertThat(Mode.EXACT.operation("mean-at:words")).isEqualTo(new Operation.Mean("words", true));
        assertThat(Mode.EXACT.operation("resample:words#12")).isEqualTo(new Operation.Resample("words", 12));
        assertThat(Edit.parse("L1H3.pattern=resample:words#12@last"))
                .hasToString("L1H3.pattern=resample:words#12@last");
    }

    @Test
    void samplesHaveTheMeanAndTheStandardErrorOfTheirSweeps() {
        var heads = Sweep.of(PROMPT, "a little girl").parts(PartSelection.parse("heads:L2,L1D5+L1D7")).off()
                .operation(new Operation.Resample("words", 4)).measure(Measure.kl(), Measure.entropy());
        var sampled = heads.samples(3);
        assertThat(sampled.operations()).containsExactly(new Operation.Set(0), new Operation.Resample("words", 4),
                new Operation.Resample("words", 5), new Operation.Resample("words", 6));
        var numbers = new HashMap<String, List<Float>>(); // by prompt and intervention
        var means = new SampleMeans(sampled.measures(), 3);
        var checked = new int[1];
        debugger.sweep(sampled.memory(1), effects -> { // samples of one part are in different chunks
            for (int i = 0; i < effects.size(); i++) {
                if (effects.edits(i).isSampled()) {
                    var own = numbers.computeIfAbsent(effects.prompt() + " " + effects.edits(i).withoutSeeds(),
                            _ -> new ArrayList<>());
                    own.add(effects.values(Measure.entropy())[i]);
                    means.add(effects, i).ifPresent(mean -> {
                        assertThat(mean.prompt()).isEqualTo(effects.prompt());
                        assertThat(own).as("%s", mean).hasSize(3);
                        check(mean.values().get(Measure.entropy()), own);
                        checked[0]++;
                    });
                }
            }
            return true;
        });
        assertThat(checked[0]).isEqualTo(2 * (model.config().heads() + 1));
    }

    private static void check(SampleMeans.Mean mean, List<Float> three) {
        double m = ((double) three.get(0) + three.get(1) + three.get(2)) / 3;
        double variance = (Math.pow(three.get(0) - m, 2) + Math.pow(three.get(1) - m, 2)
                + Math.pow(three.get(2) - m, 2))
                / 2;
        assertThat(mean.mean()).isCloseTo(m, within(1e-12));
        assertThat(mean.standardError()).isCloseTo(Math.sqrt(variance / 3), within(1e-12)).isPositive();
    }

    /** Whether a run is in memory shows in its coefficients; the clean run has them for each layer, too. */
    @Test
    void runsOfMoreTextsThanFitAreInMemoryForOneChunk() {
        var prompt = model.encode(PROMPT);
        var coefficients = new ArrayList<Tensor>();
        var watched = new DelegatingDevice(test.device()) {
            @Override
            public Tensor allocate(ElementType type, long rows, long columns) {
                var tensor = super.allocate(type, rows, columns);
                if (rows == prompt.length && columns == model.config().feedForwardWidth()) {
                    coefficients.add(tensor);
                }
                return tensor;
            }
        };
        var measure = Measure.logit(" dog");
        var sweep = Sweep.of(PROMPT).parts(PartSelection.parse("L1H2,L2D7"))
                .operation(new Operation.Resample("words", 0)).samples(6).measure(measure);
        long run = Activations.bytes(model.config(), prompt.length, Set.of(Site.Z, Site.COEFFICIENTS));
        try (var loaded = TestModels.load("sample", watched)) {
            var numbers = new ArrayList<List<Float>>();
            for (long memory : new long[] {2 * run, 3 * run / 4}) { // of 8 texts, and of 3
                coefficients.clear();
                var own = new ArrayList<Float>();
                var open = new ArrayList<Long>();
                new Debugger(loaded, corpora).sweep(sweep.memory(memory), effects -> {
                    open.add(coefficients.stream().filter(CorpusEditsTest::isOpen).count());
                    for (float logit : effects.values(measure)) {
                        own.add(logit);
                    }
                    assertThat(effects.size()).isEqualTo(memory == 2 * run ? 12 : 3);
                    return true;
                });
                int layers = model.config().layers();
                if (memory == 2 * run) {
                    assertThat(open).singleElement().satisfies(count -> assertThat(count).isGreaterThan(layers));
                } else {
                    assertThat(open).hasSize(4).allMatch(count -> count == layers);
                }
                numbers.add(own);
            }
            assertThat(numbers.getLast()).usingElementComparator((a, b) -> Math.abs(a - b) < 1e-5 ? 0 : 1)
                    .isEqualTo(numbers.getFirst());
        }
    }

    private static boolean isOpen(Tensor tensor) {
        try {
            tensor.toFloats();
            return true;
        } catch (IllegalStateException closed) {
            return false;
        }
    }

    @Test
    void samplesOfNothingAreRefused() {
        var sweep = Sweep.of(PROMPT).parts(PartSelection.parse("heads")).measure(Measure.kl());
        assertThatThrownBy(() -> sweep.off().samples(3))
                .hasMessage("samples: 3 of no operation (expected: one operation resample:NAME of each corpus)");
        var resampled = sweep.operation(new Operation.Resample("words", 1));
        assertThatThrownBy(() -> resampled.operation(new Operation.Resample("words", 7)).samples(3))
                .hasMessageContaining(
                        "samples: 3 of [resample:words#1, resample:words#7] (expected: one operation");
        for (int count : new int[] {-1, 0, 1, 10_001}) {
            assertThatThrownBy(() -> resampled.samples(count))
                    .hasMessage("samples: %d (expected: 2 to 10,000)".formatted(count));
        }
        assertThat(resampled.operation(new Operation.Mean("same", true))
                .interventions(List.of(Intervention.parse("L1D2=mean:short"))).corpora())
                        .containsExactly("same", "short", "words");
        assertThat(Intervention.parse("L1D2=0", "L1H2=resample:words#3", "L1D3=mean:same").corpora())
                .containsExactly("same", "words");
    }

    private void assertWrong(String edit, String message) {
        assertThatThrownBy(() -> logits(edit)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertWrong("L1D2=mean:none", "corpus: none: not built for this model (expected: one of same, words)");
        assertWrong("L1D2=mean:../x", "edit: L1D2=mean:../x: mean:../x is not a number");
        assertWrong("L1H2.pattern=mean:words", "expected: an operation of this part: =from:\"other prompt\"");
        assertWrong("L1D2+=mean:words", "mean:words is not a number");
        corpora.build("short", Corpus.of(model, Stream.of("the little"), 100), Progress.NONE);
        int positions = corpora.find("short").positions();
        assertWrong("L1D2=mean-at:short@5", "position 5 (expected: one of the %d that corpus short has)"
                .formatted(positions));
        assertWrong("L1D2=resample:short@5",
                "corpus: windows of at most %d tokens (expected: one of 6 or more)".formatted(positions));
        assertThatThrownBy(() -> new Debugger(model).run(PROMPT, Intervention.parse("L1D2=mean:words")))
                .hasMessageContaining("corpus: words: not there");
    }
}
