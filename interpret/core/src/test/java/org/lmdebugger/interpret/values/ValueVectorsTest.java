package org.lmdebugger.interpret.values;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import org.lmdebugger.model.Gpt2;

/** Projections and exact searches against plain loops in double precision. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ValueVectorsTest {
    /** A dot product of 192 numbers in single precision, of a sum of a few. */
    private static final double ROUNDING = 1e-5;
    private static final Neuron VECTOR = new Neuron(2, 253);

    @AutoClose
    private final TestModel sample = TestModel.open("sample");
    private final Device device = sample.device();
    private final Gpt2 model = sample.model();
    private final ValueVectors vectors = new ValueVectors(model);
    private final float[][] values = IntStream.range(0, vectors.count())
            .mapToObj(i -> vectors.row(vectors.at(i)).toFloats()).toArray(float[][]::new); // [N, d]
    private final int d = model.config().width();

    private double logit(int vector, int token) {
        return Vectors.dot(values[vector], model.head().row(token).toFloats());
    }

    @Test
    void aVectorsIndexIsItsPlace() {
        assertThat(vectors.count()).isEqualTo(3072);
        assertThat(vectors.index(VECTOR)).isEqualTo(2 * 768 + 253);
        assertThat(vectors.at(2 * 768 + 253)).isEqualTo(VECTOR);
        assertThat(Neuron.parse(" L2D253 ")).isEqualTo(VECTOR);
    }

    @Test
    void projectionThroughTheFinalNorm() {
        var gain = model.finalGain().toFloats();
        var vector = values[vectors.index(VECTOR)];
        double mean = IntStream.range(0, d).mapToDouble(i -> vector[i]).average().orElseThrow();
        for (var token : vectors.project(VECTOR, 20, Reading.FINAL_NORM).top()) {
            var embedding = model.head().row(token.id()).toFloats();
            double expected = IntStream.range(0, d).mapToDouble(i -> (vector[i] - mean) * gain[i] * embedding[i]).sum();
            assertThat((double) token.logit()).isCloseTo(expected, within(ROUNDING));
        }
    }

    /** Of a model that is small enough for every device. */
    @Test
    void allTogetherSayWhatTheySayAlone(@TempDir Path directory) throws IOException {
        var files = ModelFiles.of(new RandomCheckpoint(2, 1, 8, 16, 8192).write(directory, 1));
        try (var small = Gpt2.load(files, device); var arena = Arena.ofConfined()) {
            var all = new ValueVectors(small);
            var told = new ArrayList<Long>();
            var memory = arena.allocate(all.byteSize(7));
            for (var reading : Reading.values()) {
                told.clear();
                var projections = all.project(7, reading, memory, (done, total) -> told.add(done));
                assertThat(told).isSorted().endsWith(64L);
                assertThat(projections.k()).isEqualTo(7);
                for (int i = 0; i < all.count(); i++) {
                    var together = all.projections(7, memory).of(all.at(i));
                    var alone = all.project(all.at(i), 7, reading);
                    for (int j = 0; j < 7; j++) { // ids may change places where logits differ in the last bit
                        assertThat((double) together.top().get(j).logit()).isCloseTo(alone.top().get(j).logit(),
                                within(1e-7));
                        assertThat((double) together.bottom().get(j).logit()).isCloseTo(alone.bottom().get(j).logit(),
                                within(1e-7));
                    }
                }
            }
            assertThatThrownBy(() -> all.project(7, Reading.RAW, memory, (done, total) -> {
                throw new CancellationException();
            })).isInstanceOf(CancellationException.class);
            assertThatThrownBy(() -> all.projections(8, memory)).hasMessage("data: 7168 bytes (expected: 8192)");
        }
    }

    @Test
    void promotedAndSuppressedTokens() {
        for (int[] tokens : new int[][] {{301}, {17, 4000, 8191}}) {
            IntToDoubleFunction mean = v -> IntStream.of(tokens).mapToDouble(token -> logit(v, token)).average()
                    .orElseThrow();
            assertMatches(vectors.promote(tokens, 25), mean, Comparator.reverseOrder());
            assertMatches(vectors.suppress(tokens, 25), mean, Comparator.naturalOrder());
        }
        assertThat(vectors.promote(new int[] {301}, vectors.count())).hasSize(vectors.count());
    }

    @Test
    void similarVectors() {
        int self = vectors.index(VECTOR);
        assertMatches(vectors.similar(VECTOR, 25),
                v -> v == self ? Double.NEGATIVE_INFINITY : Vectors.cosine(values[self], values[v]),
                Comparator.reverseOrder());
    }

    /** Rank by rank the score is the expected one, and each vector has the score that it is listed with. */
    private void assertMatches(List<Match> actual, IntToDoubleFunction score, Comparator<Double> order) {
        var expected = IntStream.range(0, vectors.count()).mapToDouble(score).boxed().sorted(order).limit(actual.size())
                .toList();
        assertThat(actual).hasSize(25).extracting(Match::vector).doesNotHaveDuplicates();
        for (int i = 0; i < actual.size(); i++) {
            assertThat((double) actual.get(i).score()).isCloseTo(expected.get(i), within(ROUNDING))
                    .isCloseTo(score.applyAsDouble(vectors.index(actual.get(i).vector())), within(ROUNDING));
        }
    }

    @Test
    void whatCannotBeAskedIsSaid() {
        assertThatThrownBy(() -> vectors.promote(new int[0], 5)).hasMessage("tokens: none (expected: at least one)");
        assertThatThrownBy(() -> vectors.promote(new int[] {8192}, 5)).hasMessage("token: 8192 (expected: 0 to 8191)");
        assertThatThrownBy(() -> vectors.promote(new int[] {1}, 0)).hasMessage("k: 0 (expected: 1 to 3072)");
        assertThatThrownBy(() -> vectors.similar(VECTOR, 3072)).hasMessage("k: 3072 (expected: 1 to 3071)");
        assertThatThrownBy(() -> vectors.similar(new Neuron(4, 0), 5))
                .hasMessageStartingWith("value vector: L4D0 (expected: L0 to L3");
        assertThatThrownBy(() -> vectors.project(VECTOR, 8193, Reading.RAW))
                .hasMessage("k: 8193 (expected: 1 to 8192)");
    }
}
