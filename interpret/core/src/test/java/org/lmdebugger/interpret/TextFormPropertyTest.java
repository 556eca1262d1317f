package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;

/** The text forms of edits, positions, neurons and measures: what is printed is read as the same, and nothing else breaks. */
class TextFormPropertyTest {
    private static final Map<String, Function<String, Object>> PARSERS = Map.of("edit", Edit::parse, "edits",
            Intervention::parse,
            "switches", text -> Intervention.parse(Mode.LM_DEBUGGER, List.of(text)), "positions", Positions::parse,
            "neurons", NeuronSelection::parse,
            "neuron", Neuron::parse, "measure", Measure::parse);

    @Property(tries = 500, seed = "1")
    void anEditIsReadAsItIsPrinted(@ForAll("edits") Edit edit) {
        assertThat(Edit.parse(edit.toString())).isEqualTo(edit);
        assertThat(Edit.parse("\t" + edit + " \n")).isEqualTo(edit);
    }

    @Property(tries = 500, seed = "7")
    void anOperationIsReadAsItIsPrinted(@ForAll("edits") Edit edit) {
        var operation = edit.operation();
        var mode = operation.isSwitch() ? Mode.LM_DEBUGGER : Mode.EXACT;
        if (!(operation instanceof Operation.From(Prompt.Text(var text), _) && text.isEmpty())) { // an empty prompt is none
            assertThat(mode.operation(Mode.text(operation))).isEqualTo(operation);
        }
    }

    @Example
    void directionsOfASweepAreReadAsTheyArePrinted() {
        for (var text : List.of("add:4*L3D42", "add:-0.5*norm*L3D42", "project-out:token:\" king\"", "add:2*v.npy#3")) {
            var operation = Mode.EXACT.operation(text);
            assertThat(Mode.EXACT.operation(Mode.text(operation))).isEqualTo(operation);
        }
    }

    @Property(tries = 500, seed = "2")
    void neuronsAreReadAsTheyArePrinted(@ForAll("neurons") NeuronSelection neurons) {
        assertThat(NeuronSelection.parse(neurons.toString())).isEqualTo(neurons);
    }

    @Property(tries = 500, seed = "3")
    void aMeasureIsReadAsItIsPrinted(@ForAll("measures") Measure measure) {
        assertThat(Measure.parse(measure.toString())).isEqualTo(measure);
    }

    @Property(tries = 500, seed = "4")
    void switchesAreReadAsTheyArePrinted(@ForAll("index") int layer, @ForAll("index") int neuron, @ForAll boolean on) {
        var edits = Intervention
                .of(new Edit(layer, neuron, on ? new Operation.On() : new Operation.Off(), Positions.ALL));
        assertThat(Intervention.parse(Mode.LM_DEBUGGER, edits.texts())).isEqualTo(edits);
    }

    /** Ranges that were joined hold where the indices did that were given. */
    @Property(tries = 500, seed = "5")
    void positionsHoldAtTheirIndicesAndNowhereElse(@ForAll("indices") List<Integer> indices) {
        var positions = Positions.at(indices.stream().mapToInt(i -> i).toArray());
        for (int position = 0; position < 40; position++) {
            assertThat(positions.contains(position, 5)).as("%s at %d", positions, position)
                    .isEqualTo(indices.contains(position));
        }
        assertThat(Positions.parse(positions.toString())).isEqualTo(positions);
    }

    /** Damaged texts: pieces of good ones cut out, doubled, and put together with others. */
    @Property(tries = 5000, seed = "6")
    void whatCannotBeReadIsRefusedInAFewWords(@ForAll("damaged") String text) {
        PARSERS.forEach((name, parser) -> {
            var failure = catchThrowable(() -> parser.apply(text));
            if (failure != null) {
                assertThat(failure).as("%s of %s", name, text).isInstanceOf(IllegalArgumentException.class);
                assertThat(failure.getMessage()).as(name).hasSizeLessThan(500).doesNotContainPattern("\\p{Cntrl}")
                        .contains("expected: ");
            }
        });
    }

    /** A regular expression that tries again for every character would take hours, one that calls itself the whole stack. */
    @Example
    void longTextsAreReadInOnePass() {
        var pieces = List.of(" ", "a", "0", ",", "\"", "@", "=", "#", "\n", "\"@a", "\"/\"", "\"/#", "0,", "1..2,",
                "L0,", "L1D2=", "(", "\\", "\0", "🙂");
        var starts = List.of("", "L0D0=1", "L0D0=1@1", "L0D0=from:\"", "L0D0=from:\"a\"@", "difference:\"", "logit:\"a",
                "top:1", "L0D", "L0-1D0-", "dominant:");
        for (var start : starts) {
            for (var piece : pieces) {
                for (var end : List.of("", " x", "\"", "\" x")) {
                    var text = start + piece.repeat(100_000 / piece.length()) + end;
                    PARSERS.forEach((name, parser) -> {
                        var failure = catchThrowable(() -> parser.apply(text));
                        assertThat(failure == null || failure instanceof IllegalArgumentException)
                                .as("%s, %s of %s", failure, name, start + piece).isTrue();
                        assertThat(failure == null ? "" : failure.getMessage()).hasSizeLessThan(500);
                    });
                }
            }
        }
    }

    @Example
    void aTokenThatHidesWhereTheOtherBeginsIsRefused() {
        assertThat(Measure.parse("difference:\"/\"/\"/\"")).isEqualTo(Measure.difference("/", "/"));
        assertThatThrownBy(() -> Measure.parse("difference:\"a\"/\"b\"/\"c\""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected: a token with a quotation mark in it by its id");
    }

    @Provide
    Arbitrary<Integer> index() {
        return Arbitraries.integers().between(0, 999_999_999);
    }

    @Provide
    Arbitrary<List<Integer>> indices() {
        return Arbitraries.integers().between(0, 39).list().ofMinSize(1).ofMaxSize(12);
    }

    @Provide
    Arbitrary<Edit> edits() {
        var numbers = Arbitraries.floats()
                .edgeCases(edges -> edges.add(-0f, 0f, Float.MIN_VALUE, Float.MAX_VALUE, 0x1p31f, -0x1p31f));
        Arbitrary<Operation> operations = Arbitraries.oneOf(numbers.map(Operation.Set::new),
                numbers.map(Operation.Scale::new),
                numbers.map(Operation.Add::new), texts().map(Prompt::of).map(Operation.From::new),
                Arbitraries.of(new Operation.On(), new Operation.Off(), new Operation.Mean("stories", false),
                        new Operation.Mean("a-b.c_1", true), new Operation.Resample("stories", 0),
                        new Operation.Resample("stories", 999_999_999_999_999_999L)));
        return Combinators.combine(index(), index(), operations, positions()).as(Edit::new);
    }

    private Arbitrary<Positions> positions() {
        var ranges = Combinators
                .combine(Arbitraries.integers().between(0, 500_000_000), Arbitraries.integers().between(0, 3))
                .as((first, more) -> new Positions.Range(first, first + more));
        return Arbitraries.oneOf(Arbitraries.of(Positions.Named.class).filter(named -> named != Positions.EACH),
                ranges.list().ofMinSize(1).ofMaxSize(5).map(Positions.Ranges::new));
    }

    @Provide
    Arbitrary<NeuronSelection> neurons() {
        var ranges = Combinators.combine(index(), index(), index(), index(), Arbitraries.of(true, false))
                .as((a, b, c, d, whole) -> new NeuronSelection.Range(Math.min(a, b), Math.max(a, b),
                        whole ? 0 : Math.min(c, d), whole ? NeuronSelection.Range.END : Math.max(c, d)));
        return Arbitraries.oneOf(Arbitraries.just(NeuronSelection.ALL),
                Arbitraries.integers().between(1, 999_999_999).map(NeuronSelection.Dominant::new),
                ranges.list().ofMinSize(1).ofMaxSize(5).map(NeuronSelection.Ranges::new));
    }

    @Provide
    Arbitrary<Measure> measures() {
        Arbitrary<Measure.Token> tokens = Arbitraries.oneOf(
                texts().filter(text -> !text.isEmpty()).map(Measure.Token::of), index().map(Measure.Token::ofId),
                Arbitraries.of(Measure.Token.TARGET, Measure.Token.AGAINST));
        var plain = tokens.filter(token -> !(token instanceof Measure.Token.OfText(var text) && text.contains("\""))); // else it may be unclear where it ends
        return Arbitraries.oneOf(Arbitraries.of(Measure.kl(), Measure.entropy()),
                Arbitraries.integers().between(1, 999_999_999).map(Measure::top),
                Combinators.combine(Arbitraries.of(Measure.Quantity.class), tokens).as(Measure.OfToken::new),
                Combinators.combine(plain, plain).as(Measure.Difference::new));
    }

    /** Any text, often of the characters that mean something. */
    private static Arbitrary<String> texts() {
        return Arbitraries.oneOf(Arbitraries.strings().ofMaxLength(20),
                Arbitraries.strings().withChars("\"/#@=,;: \n\\a").ofMaxLength(10));
    }

    @Provide
    Arbitrary<String> damaged() {
        var good = Arbitraries.oneOf(edits().map(Edit::toString), neurons().map(NeuronSelection::toString),
                measures().map(Measure::toString),
                positions().map(Positions::toString), Arbitraries.of("L1D2=on", "L3D4=off"), texts());
        var pieces = Combinators
                .combine(good, Arbitraries.integers().between(0, 30), Arbitraries.integers().between(0, 30))
                .as((text, from, to) -> text.substring(Math.min(from, text.length()),
                        Math.max(Math.min(from, text.length()), Math.min(to, text.length()))));
        return Combinators.combine(pieces, Arbitraries.integers().between(1, 60), pieces)
                .as((first, times, second) -> first.repeat(times) + second);
    }
}
