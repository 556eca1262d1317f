package org.lmdebugger.interpret.patch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.PartSelection.Kind;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Grids of patching and their averages, against forward passes and plain formulas. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PatchingTest {
    private static final String CLEAN = "Once upon a time there was a little girl who had a";
    private static final String CORRUPTED = "Once upon a time there was a little bird who had a";
    private static final int FIRST_DIFFERENCE = 8;
    private static final Pair PAIR = Pair.of(CLEAN, CORRUPTED, " big", " nest");
    /** Logits up to 30 in single precision, as in the golden values. */
    private static final double DIFFERENCE = 1e-4;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");

    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    private static Pair pair(String clean, String corrupted, List<String> answers, List<String> wrong,
            Map<String, Integer> roles) {
        return new Pair(Prompt.of(clean), Prompt.of(corrupted), answers.stream().map(Measure.Token::of).toList(),
                wrong.stream().map(Measure.Token::of).toList(), roles);
    }

    private float[] logits(String prompt, Intervention edits) {
        try (var run = debugger.run(prompt, edits); var logits = run.logits()) {
            return logits.row(logits.rows() - 1).toFloats();
        }
    }

    private double difference(float[] logits, String answer, String wrong) {
        return logits[model.tokenizer().single(answer)] - logits[model.tokenizer().single(wrong)];
    }

    @ParameterizedTest
    @EnumSource
    void aCellIsAForwardPassWithThatPartOfTheOtherPrompt(Direction direction) {
        boolean denoise = direction == Direction.DENOISE;
        var base = denoise ? CORRUPTED : CLEAN;
        var from = new Operation.From(denoise ? CLEAN : CORRUPTED);
        var grid = debugger.patch(PAIR, new Patching(new PartSelection.OfKind(Kind.V), direction, Columns.POSITIONS));
        double clean = difference(logits(CLEAN, Intervention.NONE), " big", " nest");
        double corrupted = difference(logits(CORRUPTED, Intervention.NONE), " big", " nest");
        assertThat(grid.columns()).hasSize(12).startsWith("0", "1").endsWith("11");
        for (int r = 0; r < grid.parts().size(); r += 3) {
            var edit = new Edit(grid.parts().get(r), from, Positions.at(FIRST_DIFFERENCE));
            double difference = difference(logits(base, Intervention.of(edit)), " big", " nest");
            var cell = grid.cells().get(r).get(FIRST_DIFFERENCE);
            assertThat(cell.difference()).as("%s", edit).isCloseTo(difference, within(DIFFERENCE));
            assertThat(cell.effect()).as("%s", edit).isNotZero()
                    .isCloseTo(difference - (denoise ? corrupted : clean), within(2 * DIFFERENCE));
            assertThat(cell.normalised()).as("%s", edit).isCloseTo((difference - corrupted) / (clean - corrupted),
                    within(3 * DIFFERENCE / Math.abs(clean - corrupted)));
        }
    }

    /** Logits of a whole forward pass of the base run, in which one intervention more sets a part to the other's run. */
    private float[] patched(String base, String other, Intervention edits, Part part) {
        var from = new Operation.From(Prompt.of(other), edits);
        return logits(base, edits.and(Intervention.of(new Edit(part, from, Positions.at(FIRST_DIFFERENCE)))));
    }

    @ParameterizedTest
    @CsvSource({"L1D5=6, q", "L0H3=0, heads", "L1.mid+=3*L3D42, post", "L0.ffn*=2, pattern",
            "L1H2.link=off@9->2, attention", "L1H1.k*=2, k", "L2D7=on, mid", "L1H1.v*=2, v", "L0.pre*=1.5, ffn"})
    void underEditsTheEffectIsThatOfOneInterventionMore(String edit, String sites) {
        var edits = Intervention.parse(edit);
        for (var direction : TestDevice.isEmulated() ? List.of(Direction.DENOISE) : List.of(Direction.values())) {
            boolean denoise = direction == Direction.DENOISE;
            var base = denoise ? CORRUPTED : CLEAN;
            var other = denoise ? CLEAN : CORRUPTED;
            var grid = debugger.patch(PAIR,
                    new Patching(PartSelection.parse(sites), direction, Columns.POSITIONS).under(edits));
            double clean = difference(logits(CLEAN, edits), " big", " nest");
            double corrupted = difference(logits(CORRUPTED, edits), " big", " nest");
            assertThat(grid.baseline().clean()).isCloseTo(clean, within(DIFFERENCE));
            assertThat(grid.baseline().corrupted()).isCloseTo(corrupted, within(DIFFERENCE));
            for (int r = 0; r < grid.parts().size(); r += 5) {
                double difference = difference(patched(base, other, edits, grid.parts().get(r)), " big", " nest");
                var cell = grid.cells().get(r).get(FIRST_DIFFERENCE);
                assertThat(cell.difference()).as("%s", grid.parts().get(r))
                        .isCloseTo(difference, within(2 * DIFFERENCE));
                assertThat(cell.effect()).as("%s", grid.parts().get(r))
                        .isCloseTo(difference - (denoise ? corrupted : clean), within(3 * DIFFERENCE));
            }
        }
    }

    /** Activations come from the other prompt's run under the edits: its coefficients, set one by one, do the same. */
    @Test
    void activationsAreThoseOfTheOtherPromptUnderTheEdits() {
        var edits = Intervention.parse("L0H3=0", "L1.mid+=3*L3D42");
        var grid = debugger.patch(PAIR, new Patching(NeuronSelection.parse("L2D3-9,L3D42"), Direction.DENOISE,
                Columns.POSITIONS).under(edits));
        try (var run = debugger.run(CLEAN, edits); var without = debugger.run(CLEAN)) {
            for (int r = 0; r < grid.parts().size(); r++) {
                var neuron = (Neuron) grid.parts().get(r);
                int position = neuron.layer() == 3 ? 11 : FIRST_DIFFERENCE;
                var coefficients = run.coefficients(neuron.layer()).row(position).toFloats();
                assertThat(coefficients[neuron.neuron()])
                        .isNotEqualTo(without.coefficients(neuron.layer()).row(position).toFloats()[neuron.neuron()]);
                var set = new Edit(neuron, new Operation.Set(coefficients[neuron.neuron()]), Positions.at(position));
                assertThat(grid.cells().get(r).get(position).difference()).as("%s", set).isCloseTo(
                        difference(logits(CORRUPTED, edits.and(Intervention.of(set))), " big", " nest"),
                        within(2 * DIFFERENCE));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void underEditsThatAreAlikePositionsBeforeThePromptsDifferChangeNothing(Direction direction) {
        var grid = debugger.patch(PAIR, new Patching(new PartSelection.OfKind(Kind.POST), direction, Columns.POSITIONS)
                .under(Intervention.parse("L1H2=0", "L2D7*=2@last")));
        for (var row : grid.cells()) {
            assertThat(row.subList(0, FIRST_DIFFERENCE)).allSatisfy(cell -> {
                assertThat(cell.effect()).isZero();
                assertThat(cell.kl()).isZero();
            });
        }
        assertThat(grid.cells().getFirst().get(FIRST_DIFFERENCE).effect()).isNotZero();
        // "on" writes another number in each prompt
        var on = debugger.patch(PAIR, new Patching(new PartSelection.OfKind(Kind.POST), direction, Columns.POSITIONS)
                .under(Intervention.parse("L0D7=on")));
        assertThat(on.cells().getFirst().get(3).effect()).isNotZero();
    }

    @Test
    void editsThatDoNotFitAPairAreRefusedBeforeAnyIsComputed() {
        assertThatThrownBy(() -> debugger.patch(pairs(), Patching.denoise(Kind.PRE).by(Columns.ROLES)
                .under(Intervention.parse("L1D2=0@4")), (done, all) -> {
                    throw new AssertionError("computed");
                })).isInstanceOf(IllegalArgumentException.class).hasMessage(
                        "pair 3: edit: L1D2=0@4: position 4 (expected: at most 3)");
        assertThatThrownBy(() -> debugger.patch(PAIR, List.of(Patching.denoise(Kind.PRE), Patching.denoise(Kind.MID)
                .under(Intervention.parse("L1D2=0"))), Progress.NONE))
                        .hasMessageContaining("the same columns and edits");
    }

    @Test
    void severalKindsTogetherGiveWhatEachGivesAlone() {
        for (var columns : List.of(Columns.POSITIONS, Columns.ALL)) {
            var patchings = Stream.of(Kind.PRE, Kind.POST, Kind.HEADS, Kind.Q)
                    .map(kind -> Patching.denoise(kind).by(columns)).collect(Collectors.toCollection(ArrayList::new));
            patchings.add(new Patching(NeuronSelection.parse("L2D3-9"), Direction.DENOISE, columns));
            var together = debugger.patch(PAIR, patchings, Progress.NONE);
            for (int i = 0; i < patchings.size(); i++) {
                var alone = debugger.patch(PAIR, patchings.get(i));
                assertThat(together.get(i).patching()).isEqualTo(patchings.get(i));
                assertThat(together.get(i).parts()).isEqualTo(alone.parts());
                for (int r = 0; r < alone.parts().size(); r++) {
                    for (int c = 0; c < alone.columns().size(); c++) {
                        assertThat(together.get(i).cells().get(r).get(c).effect())
                                .as("%s, %s", alone.parts().get(r), alone.columns().get(c))
                                .isCloseTo(alone.cells().get(r).get(c).effect(), within(2 * DIFFERENCE));
                    }
                }
            }
        }
        assertThatThrownBy(() -> debugger.patch(PAIR,
                List.of(Patching.denoise(Kind.PRE), Patching.denoise(Kind.PRE)), Progress.NONE))
                        .hasMessageStartingWith("patchings: ").hasMessageEndingWith("each kind of parts once)");
        assertThatThrownBy(() -> debugger.patch(PAIR,
                List.of(Patching.denoise(Kind.PRE), Patching.denoise(Kind.MID).by(Columns.ALL)), Progress.NONE))
                        .hasMessageContaining("with the same columns");
    }

    @Test
    void patchingAllOfTheStreamIsTheOtherPromptsRun() {
        var denoised = debugger.patch(PAIR, Patching.denoise(Kind.PRE).by(Columns.ALL)).cells().getFirst().getFirst();
        assertThat(denoised.normalised()).isCloseTo(1, within(DIFFERENCE));
        var noised = debugger.patch(PAIR,
                new Patching(new PartSelection.OfKind(Kind.PRE), Direction.NOISE, Columns.ALL));
        assertThat(noised.cells().getFirst().getFirst().normalised()).isCloseTo(0, within(DIFFERENCE));
    }

    @Test
    void positionsBeforeThePromptsDifferChangeNothing() {
        for (var direction : Direction.values()) {
            var grid = debugger.patch(PAIR,
                    new Patching(new PartSelection.OfKind(Kind.POST), direction, Columns.POSITIONS));
            double unpatched = direction == Direction.DENOISE ? 0 : 1;
            for (var row : grid.cells()) {
                for (var cell : row.subList(0, FIRST_DIFFERENCE)) {
                    assertThat(cell.effect()).isZero();
                    assertThat(cell.kl()).isZero();
                    assertThat(cell.normalised()).isEqualTo(unpatched);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aPromptPatchedWithItselfChangesNothingAndHasNothingToDivideBy(Direction direction) {
        var grid = debugger.patch(Pair.of(CLEAN, CLEAN, " big", " nest"),
                new Patching(new PartSelection.OfKind(Kind.HEADS), direction, Columns.POSITIONS));
        assertThat(grid.baseline().divisor()).isNaN();
        assertThat(grid.cells()).allSatisfy(row -> assertThat(row).allSatisfy(cell -> {
            assertThat(cell.effect()).isZero();
            assertThat(cell.kl()).isZero();
            assertThat(cell.normalised()).isNaN();
        }));
    }

    @Test
    void aDivisorBelowAHundredthIsNone() {
        assertThat(new Baseline(1, 0.985, true).divisor()).isCloseTo(0.015, within(1e-12));
        assertThat(new Baseline(1, 1.0099, true).divisor()).isNaN();
        assertThat(new Baseline(1, 3, true).divisor()).isEqualTo(-2);
    }

    @Test
    void severalAnswersCountByTheirMean() {
        var grid = debugger.patch(pair(CLEAN, CORRUPTED, List.of(" big", " small"), List.of(" nest", " dog", " cat"),
                Map.of()), Patching.denoise(Kind.PRE));
        var logits = logits(CLEAN, Intervention.NONE);
        double answers = Stream.of(" big", " small").mapToDouble(t -> logits[model.tokenizer().single(t)]).sum() / 2;
        double wrong = Stream.of(" nest", " dog", " cat").mapToDouble(t -> logits[model.tokenizer().single(t)]).sum()
                / 3;
        assertThat(grid.baseline().clean()).isCloseTo(answers - wrong, within(DIFFERENCE));
        assertThat(grid.cells().getFirst().get(FIRST_DIFFERENCE).difference())
                .isCloseTo(answers - wrong, within(DIFFERENCE));
    }

    @Test
    void partsComeByLayerAndNumber() {
        assertThat(debugger.patch(PAIR, Patching.denoise(Kind.MID)).parts()).extracting(part -> part.layer())
                .containsExactly(0, 1, 2, 3);
        var heads = debugger.patch(PAIR, Patching.denoise(Kind.Q).by(Columns.ALL)).parts();
        assertThat(heads).startsWith(new Head(0, 0, Head.Vector.QUERY), new Head(0, 1, Head.Vector.QUERY))
                .hasSize(4 * model.config().heads());
        var neurons = debugger.patch(PAIR, new Patching(NeuronSelection.parse("L2D5-7,L0D9"), Direction.DENOISE,
                Columns.POSITIONS));
        assertThat(neurons.parts()).extracting(Object::toString).containsExactly("L0D9", "L2D5", "L2D6", "L2D7");
        assertThat(neurons.cells().get(1)).hasSize(12).doesNotContainNull();
    }

    @Test
    void rolesAreThePositionsOfThatName() {
        var pair = pair(CLEAN, CORRUPTED, List.of(" big"), List.of(" nest"), Map.of("subject", FIRST_DIFFERENCE));
        var byRole = debugger.patch(pair, Patching.denoise(Kind.ATTENTION).by(Columns.ROLES));
        var byPosition = debugger.patch(pair, Patching.denoise(Kind.ATTENTION));
        assertThat(byRole.columns()).containsExactly("subject");
        for (int l = 0; l < 4; l++) {
            assertThat(byRole.cells().get(l).getFirst().difference())
                    .isCloseTo(byPosition.cells().get(l).get(FIRST_DIFFERENCE).difference(), within(DIFFERENCE));
        }
        assertThat(byRole.parts()).contains(new Residual(3, Residual.Point.ATTENTION));
    }

    /** Pairs of different length, one of which gives no normalised numbers. */
    private static List<Pair> pairs() {
        return List.of(
                pair(CLEAN, CORRUPTED, List.of(" big"), List.of(" nest"), Map.of("subject", 8, "end", 11)),
                pair("The little girl who had a", "The little bird who had a", List.of(" big"), List.of(" nest"),
                        Map.of("end", 5, "subject", 2)),
                pair("The king was very", "The king was very", List.of(" happy"), List.of(" the"),
                        Map.of("subject", 1, "end", 3)),
                pair("One day a girl had a", "One day a bird had a", List.of(" nest"), List.of(" big"),
                        Map.of("subject", 3, "end", 5)));
    }

    @Test
    void averagesAreThoseOfThePairsGrids() {
        var patching = Patching.denoise(Kind.POST).by(Columns.ROLES);
        var averages = debugger.patch(pairs(), patching, Progress.NONE);
        var grids = pairs().stream().map(pair -> debugger.patch(pair, patching)).toList();
        assertThat(averages.baselines()).isEqualTo(grids.stream().map(Grid::baseline).toList());
        assertThat(averages.parts()).isEqualTo(grids.getFirst().parts());
        assertThat(averages.columns()).containsExactlyInAnyOrder("subject", "end");
        for (int r = 0; r < averages.parts().size(); r++) {
            int row = r;
            for (var column : averages.columns()) {
                var average = averages.cells().get(r).get(averages.columns().indexOf(column));
                var cells = grids.stream().map(grid -> grid.cells().get(row).get(grid.columns().indexOf(column)))
                        .toList();
                var effects = cells.stream().mapToDouble(Grid.Cell::effect).toArray();
                assertStatistic(average.effect(), effects);
                assertStatistic(average.kl(), cells.stream().mapToDouble(Grid.Cell::kl).toArray());
                assertStatistic(average.normalised(),
                        cells.stream().mapToDouble(Grid.Cell::normalised).filter(n -> !Double.isNaN(n)).toArray());
                double sign = Math.signum(average.effect().mean());
                assertThat(average.sameSign()).isEqualTo(
                        cells.stream().filter(cell -> Math.signum(cell.effect()) == sign).count() / 4.0);
            }
        }
        assertThat(averages.cells().getFirst().getFirst().normalised().count()).isEqualTo(3);
    }

    private static void assertStatistic(Averages.Statistic actual, double... numbers) {
        double mean = Arrays.stream(numbers).sum() / numbers.length;
        double squares = 0;
        for (double number : numbers) {
            squares += (number - mean) * (number - mean);
        }
        assertThat(actual.count()).isEqualTo(numbers.length);
        assertThat(actual.mean()).isCloseTo(mean, within(1e-12));
        assertThat(actual.error())
                .isCloseTo(Math.sqrt(squares / (numbers.length - 1)) / Math.sqrt(numbers.length), within(1e-12));
    }

    @Test
    void onePairHasNoStandardError() {
        var cell = debugger.patch(List.of(PAIR), Patching.denoise(Kind.PRE), Progress.NONE).cells().getFirst().get(8);
        assertThat(cell.effect().mean()).isNotZero();
        assertThat(cell.effect().error()).isNaN();
        assertThat(cell.sameSign()).isEqualTo(1);
    }

    @Test
    void theModelIsRightWhereAnAnswerIsAboveAllWrongTokens() {
        var sure = pair("Once upon a time there was a little", "Once upon a time there was a big",
                List.of(" king", " girl"),
                List.of(" nest", " dog"), Map.of());
        assertThat(debugger.baseline(sure).right()).isTrue();
        var unsure = pair("Once upon a time there was a little", "Once upon a time there was a big", List.of(" king"),
                List.of(" nest", " girl"), Map.of());
        assertThat(debugger.baseline(unsure).right()).isFalse();
        assertThat(debugger.patch(List.of(sure, unsure, sure), Patching.denoise(Kind.PRE), Progress.NONE).right())
                .isEqualTo(2);
    }

    private void refused(Pair pair, String message) {
        assertThatThrownBy(() -> debugger.patch(pair, Patching.denoise(Kind.PRE)))
                .isInstanceOf(IllegalArgumentException.class).hasMessage(message);
    }

    @Test
    void pairsThatDoNotFitAreRefused() {
        refused(Pair.of(CLEAN, "Once upon a time there was a big red bird who had a", " big", " nest"),
                "pair: prompts of 12 and 13 tokens, which differ from position 7 on: \" little\" and \" big\" "
                        + "(expected: equal lengths)");
        refused(Pair.of(CLEAN, CLEAN + " big", " big", " nest"),
                "pair: prompts of 12 and 13 tokens, which differ from position 12 on: the end and \" big\" "
                        + "(expected: equal lengths)");
        refused(Pair.of(CLEAN, CORRUPTED, " big", " big"),
                "answers: \" big\" is also wrong (expected: different tokens)");
        assertThatThrownBy(() -> debugger.baseline(Pair.of(CLEAN, CORRUPTED, " bigger one", " nest")))
                .hasMessageStartingWith("token: \" bigger one\" (expected: one token, but it is ")
                .hasMessageContaining("\" big");
        refused(pair(CLEAN, CORRUPTED, List.of(" big"), List.of(" nest"), Map.of("subject", 12)),
                "role: subject: position 12 (expected: 0 to 11)");
        assertThatThrownBy(() -> pair(CLEAN, CORRUPTED, List.of(), List.of(" nest"), Map.of()))
                .hasMessage("answers: none (expected: at least one token)");
        assertThatThrownBy(() -> pair(CLEAN, CORRUPTED, List.of(" big"), List.of(), Map.of()))
                .hasMessage("wrong: none (expected: at least one token)");
        assertThatThrownBy(() -> debugger.patch(PAIR, Patching.denoise(Kind.PRE).by(Columns.ROLES)))
                .hasMessage("roles: none (expected: positions by name, such as subject)");
    }

    @Test
    void dataSetsThatDoNotFitAreRefused() {
        var byPosition = Patching.denoise(Kind.PRE);
        assertThatThrownBy(() -> debugger.patch(List.of(), byPosition, Progress.NONE))
                .hasMessage("pairs: none (expected: at least one)");
        assertThatThrownBy(() -> debugger.patch(pairs(), byPosition, Progress.NONE)).hasMessage(
                "pair 2: 6 tokens, where pair 1 has 12 (expected: pairs of one length, or averages by role)");
        var lacking = pair(CLEAN, CORRUPTED, List.of(" big"), List.of(" nest"), Map.of("subject", 8));
        for (var pairs : List.of(List.of(pairs().getFirst(), lacking), List.of(lacking, pairs().getFirst()))) {
            assertThatThrownBy(() -> debugger.patch(pairs, byPosition.by(Columns.ROLES), Progress.NONE))
                    .hasMessage("pair %d: no position of the role end (expected: one, as in other pairs)"
                            .formatted(pairs.indexOf(lacking) + 1));
        }
        assertThatThrownBy(() -> debugger.patch(List.of(PAIR, Pair.of(CLEAN, CORRUPTED, " big", " big")), byPosition,
                Progress.NONE)).hasMessage("pair 2: answers: \" big\" is also wrong (expected: different tokens)");
    }

    @Test
    void partsThatHaveNoValueToPatchAreRefused() {
        for (var parts : List.of("links", "L0H1+L1H0")) {
            assertThatThrownBy(() -> new Patching(PartSelection.parse(parts), Direction.DENOISE, Columns.ALL))
                    .hasMessage(
                            "sites: %s (expected: neurons, heads, q, k, v, pattern, pre, mid, post, attention or ffn)"
                                    .formatted(parts));
        }
    }
}
