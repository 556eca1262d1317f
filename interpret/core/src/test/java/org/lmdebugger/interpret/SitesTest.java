package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/** Identities between edits of different parts, and parts that do not fit. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SitesTest {
    private static final String CLEAN = "Once upon a time there was a little girl who had a";
    private static final String OTHER = "Once upon a time there was a little bird who had a";
    private static final int LENGTH = 12;
    private static final int FIRST_DIFFERENCE = 8;

    @AutoClose
    private final TestModel sample = TestModel.open("sample");

    private final Gpt2 model = sample.model();
    private final Debugger debugger = sample.debugger();

    private float[] logits(String prompt, String... edits) {
        try (var run = debugger.run(prompt, Intervention.parse(edits)); var logits = run.logits()) {
            return logits.row(logits.rows() - 1).toFloats();
        }
    }

    private List<float[]> effects(Sweep sweep) {
        var rows = new ArrayList<float[]>();
        var kl = Measure.kl();
        var difference = Measure.difference(" girl", " boy");
        debugger.sweep(sweep.measure(kl, difference), effects -> {
            for (int i = 0; i < effects.size(); i++) {
                rows.add(new float[] {effects.values(kl)[i],
                        effects.values(difference)[i] - effects.clean(difference)});
            }
            return true;
        });
        return rows;
    }

    private static Sweep sweep(PartSelection.Kind kind) {
        return Sweep.of(CLEAN).parts(new PartSelection.OfKind(kind));
    }

    @ParameterizedTest
    @EnumSource(value = PartSelection.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "LINKS")
    void aPatchFromTheSamePromptChangesNothingAtAll(PartSelection.Kind kind) {
        assertThat(effects(sweep(kind).operation(new Operation.From(CLEAN)).at(Positions.EACH))).isNotEmpty()
                .allSatisfy(effect -> assertThat(effect).containsExactly(0, 0));
    }

    /** And is not computed: those positions are in a chunk that has no rows. */
    @Test
    void aPatchWhereThePromptsStillAgreeChangesNothingAtAll() {
        var sweep = sweep(PartSelection.Kind.MID).operation(new Operation.From(OTHER)).at(Positions.EACH)
                .measure(Measure.kl());
        var plan = debugger.plan(sweep);
        var without = plan.chunks().getLast();
        int layers = model.config().layers();
        assertThat(without.firstPosition()).isEqualTo(LENGTH);
        // in the top layer the last position alone is read
        assertThat(without.count()).isEqualTo((layers - 1) * FIRST_DIFFERENCE + LENGTH - 1);
        assertThat(without.rows()).isZero();
        assertThat(without.flop()).isZero();
        debugger.sweep(sweep, effects -> {
            if (effects.chunk() == plan.chunks().size() - 1) {
                assertThat(effects.values(Measure.kl())).containsOnly(0);
            }
            return true;
        });
    }

    @Test
    void theStreamAfterALayerIsThatBeforeTheNextAndIsComputedOnce() {
        var sweep = Sweep.of(CLEAN).operation(new Operation.From(OTHER)).at(Positions.EACH)
                .measure(Measure.kl(), Measure.top(3));
        var before = sweep.parts(PartSelection.parse("pre"));
        var both = sweep.parts(PartSelection.parse("pre,post"));
        assertThat(debugger.plan(both).effects()).isEqualTo(2 * debugger.plan(before).effects());
        assertThat(debugger.plan(both).flop()).isLessThan(1.3 * debugger.plan(before).flop());
        var found = new HashMap<Edit, String>();
        debugger.sweep(both, effects -> {
            for (int i = 0; i < effects.size(); i++) {
                found.put(effects.edits(i).list().getFirst(), effects.values(Measure.kl())[i] + " "
                        + Arrays.toString(Arrays.copyOfRange(effects.topIds(), 3 * i, 3 * i + 3))
                        + Arrays.toString(Arrays.copyOfRange(effects.topProbabilities(), 3 * i, 3 * i + 3)));
            }
            return true;
        });
        int layers = model.config().layers();
        assertThat(found).hasSize(2 * layers * LENGTH);
        found.forEach((edit, effect) -> {
            if (edit.part() instanceof Residual(int layer, Residual.Point point) && point == Residual.Point.POST
                    && layer < layers - 1) {
                assertThat(effect).as(edit.toString()).isEqualTo(found.get(new Edit(
                        new Residual(layer + 1, Residual.Point.PRE), edit.operation(), edit.positions())));
            }
        });
    }

    @Test
    void aNamedPartThatDoesNotFitIsRefusedAmongOthersBeforeAnythingIsComputed() {
        assertThatThrownBy(() -> debugger.plan(Sweep.of(CLEAN).parts(PartSelection.parse("heads,L0H6")).off()
                .measure(Measure.kl()))).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("L0 to L3 and H0 to H5");
    }

    @Test
    void editsOnWhichASweepRestsAreCheckedBeforeAnythingIsComputed() {
        var heads = sweep(PartSelection.Kind.HEADS).off().measure(Measure.kl());
        assertThatThrownBy(() -> debugger.plan(heads.base(Intervention.parse("L9H0=0"))))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("L0 to L3 and H0 to H5");
    }

    @Test
    void thePatchedStreamBeforeLayer0IsTheOtherRun() {
        assertThat(logits(CLEAN, "L0.pre=from:\"" + OTHER + "\"")).isEqualTo(logits(OTHER));
    }

    @Test
    void allHeadsTogetherAreTheOutputOfAttention() {
        var from = "=from:\"" + OTHER + "\"@9..11";
        assertThat(logits(CLEAN, "L2H*" + from)).isEqualTo(logits(CLEAN, "L2.attention" + from));
        var heads = IntStream.range(0, model.config().heads()).mapToObj(h -> "L2H" + h + from).toArray(String[]::new);
        assertThat(logits(CLEAN, heads)).isEqualTo(logits(CLEAN, "L2H*" + from));
    }

    @Test
    void valuesAndPatternTogetherAreTheMixedValues() {
        var from = "=from:\"" + OTHER + "\"";
        var both = logits(CLEAN, "L1H2.v" + from, "L1H2.pattern" + from);
        var z = logits(CLEAN, "L1H2" + from);
        for (int i = 0; i < z.length; i++) { // the weights are computed by another operation than the mixed values
            assertThat(both[i]).isCloseTo(z[i], within(1e-4f));
        }
    }

    @Test
    void anEditOfAnOutputIncludesItsBias() {
        var none = logits(CLEAN, "L1.attention=0");
        try (var run = debugger.run(CLEAN, Intervention.parse("L1.attention=0"))) {
            var pre = run.residualPre(1).toFloats();
            var mid = run.residualMid(1).toFloats();
            for (int i = 0; i < pre.length; i++) {
                assertThat(mid[i]).isCloseTo(pre[i], within(1e-6f));
            }
        }
        assertThat(none).isNotEqualTo(logits(CLEAN));
        assertThat(logits(CLEAN, "L1.ffn*=1")).isEqualTo(logits(CLEAN));
    }

    @Test
    void aDirectionThatIsProjectedOutIsGone() {
        try (var run = debugger.run(CLEAN, Intervention.parse("L2.mid-=L3D42"))) {
            var direction = model.layer(3).ffnOut().row(42).toFloats();
            var rows = run.residualMid(2).toFloats();
            double norm = Math.sqrt(IntStream.range(0, direction.length)
                    .mapToDouble(i -> (double) direction[i] * direction[i]).sum());
            for (int p = 0; p < LENGTH; p++) {
                int at = p * direction.length;
                double along = IntStream.range(0, direction.length)
                        .mapToDouble(i -> (double) rows[at + i] * direction[i]).sum() / norm;
                assertThat(along).isCloseTo(0, within(1e-4)); // of rows with a norm of about 50
            }
        }
    }

    @Test
    void everySiteOfARunIsKept() {
        try (var run = debugger.run(CLEAN)) {
            for (var site : Site.values()) {
                assertThat(run.at(site, 3).rows()).as(site.name()).isEqualTo(LENGTH);
            }
            assertThat(run.residualPre(2).toFloats()).isEqualTo(run.residualPost(1).toFloats());
        }
    }

    /** A sweep on top of edits is a sweep with one edit more; sums in another order differ by rounding. */
    @ParameterizedTest
    @ValueSource(strings = {"L1D5=6", "L1H3=0", "L1.mid+=3*L3D42", "L1.ffn*=2", "L1H2.link=off@9->2", "L1H1.k*=2"})
    void aSweepOnTopOfEdits(String base) {
        int step = TestDevice.isEmulated() ? 41 : 7; // whole passes take long by emulation
        for (var kind : PartSelection.Kind.values()) {
            var operation = kind == PartSelection.Kind.PATTERN ? new Operation.From(OTHER) : new Operation.Set(0);
            var sweep = sweep(kind).operation(operation).base(Intervention.parse(base)).measure(Measure.logit(" girl"));
            debugger.sweep(sweep, effects -> {
                for (int i = 0; i < effects.size(); i += step) {
                    var edits = Intervention.parse(base).and(effects.edits(i));
                    try (var run = debugger.run(CLEAN, edits); var logits = run.logits()) {
                        assertThat(effects.values(Measure.logit(" girl"))[i]).as(edits.texts().toString()).isCloseTo(
                                logits.row(LENGTH - 1).toFloats()[model.tokenizer().single(" girl")], within(1e-3f));
                    }
                }
                return true;
            });
        }
    }

    /** Rows of NumPy files with a header of version 1. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"(1, 3)| 1 2 3| direction: %s#0: 3 numbers (expected: 32, as this part has)",
            "(1, 2)| 1 NaN| direction: %s: row 0: number 1: NaN (expected: a finite one in single precision)",
            "(1, 1, 2)| 1 2| direction: %s: ", "(2, 1)| 1 2| direction: %s#0: 1 numbers (expected: 32",
            "| 7| direction: %s: "})
    void aDirectionOfAFileThatDoesNotFitIsRefused(String shape, String numbers, String message, @TempDir Path directory)
            throws IOException {
        var file = directory.resolve("d.npy");
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }".formatted(shape);
        var values = Arrays.stream(numbers.split(" ")).map(Float::valueOf).toList();
        var bytes = ByteBuffer.allocate(128 + 4 * values.size()).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0}).putShort((short) 118)
                .put((header + " ".repeat(117 - header.length()) + "\n").getBytes(StandardCharsets.US_ASCII));
        values.forEach(bytes::putFloat);
        Files.write(file, shape == null ? "no matrix".getBytes(StandardCharsets.US_ASCII) : bytes.array());
        assertThatThrownBy(() -> debugger.run(CLEAN, Intervention.parse("L1H2+=2*" + file + "#0")).close())
                .isInstanceOf(IllegalArgumentException.class).hasMessageStartingWith(message.formatted(file))
                .hasMessageContaining("expected: ");
    }

    @ParameterizedTest
    @CsvSource({"L4H0=0, L0 to L3 and H0 to H5", "L0H6=0, L0 to L3 and H0 to H5", "L4.mid=0, L0 to L3",
            "L0H6.link=off@3->1, L0 to L3 and H0 to H5", "L1H2.link=off@2->5, a key that is not after its query",
            "L1H2.link=off@3..9->5, a key that is not after its query",
            "L1H2.link=off@0->0, one link at least that stays",
            "L1.mid+=L9D0, L0 to L3 and D0 to D767", "L1.mid+=token:\" girls and boys\", one token",
            "L1.mid+=token:#9999, expected", "L1.mid+=no-such-file.npy#0, no-such-file.npy",
            "L1H2+=L3D42, 32", "L1H2=0@12, position 12"})
    void aPartThatDoesNotFitIsRefused(String edit, String reason) {
        assertThatThrownBy(() -> debugger.run(CLEAN, Intervention.parse(edit)).close())
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining(reason);
    }
}
