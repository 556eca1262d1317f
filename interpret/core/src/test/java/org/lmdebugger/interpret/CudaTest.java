package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Emulation;
import org.lmdebugger.device.FilledMemory;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.Vectors;
import org.lmdebugger.interpret.values.cluster.ClusterOptions;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.model.Gpt2;

/** What holds of a GPU alone: memory, and the faster precisions. */
@OnEveryDevice
class CudaTest {
    /**
     * Bytes that a card's other users, its pages and its driver may take meanwhile; less than a thousand rows of logits of a
     * vocabulary of 8,192.
     */
    private static final long SHARED = 16 << 20;
    private static final String PROMPT = "Once upon a time there was a little";

    @BeforeAll
    static void needsCuda() {
        assumeFalse(TestDevice.isCpu(), "a GPU's own");
    }

    @Test
    void tracesLeaveMemoryAsItWas(@TempDir Path directory) throws Exception {
        try (var device = TestDevice.open();
                var model = Gpt2.load(ModelFiles.of(new RandomCheckpoint(1, 1, 8, 4, 8192).write(directory, 1)),
                        device)) {
            var debugger = new Debugger(model);
            var first = debugger.trace("Once", Intervention.parse("L0D3=1"));
            long free = free();
            for (int i = 0; i < (TestDevice.isEmulated() ? 100 : 1000); i++) { // by emulation, a byte would show
                assertThat(debugger.trace("Once", Intervention.parse("L0D3=1"))).isEqualTo(first);
            }
            assertThat(free - free()).isLessThanOrEqualTo(TestDevice.isEmulated() ? 0 : SHARED);
        }
    }

    private static long free() {
        return CudaDevices.on(0, CudaMemory::available).free();
    }

    /** Next to a block that leaves less than a chunk takes. */
    @Test
    void aChunkThatDoesNotFitIsDoneInParts() {
        var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-99")).off().atLast().measure(Measure.kl(),
                Measure.logit(" girl"));
        List<Effects> expected = new ArrayList<>();
        try (var device = TestDevice.open(); var model = TestModels.load("sample", device)) {
            new Debugger(model).sweep(sweep, expected::add);
        }
        try (var device = TestDevice.open(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            long chunk = debugger.plan(sweep).bytes();
            List<Effects> effects = new ArrayList<>();
            try (var _ = new FilledMemory(chunk / 2)) {
                assertThat(free() - CudaMemory.RESERVE).isLessThan(chunk);
                debugger.sweep(sweep, effects::add);
            }
            assertThat(effects).hasSize(1).hasSameSizeAs(expected);
            assertThat(effects.getFirst().values(Measure.logit(" girl"))).usingComparatorWithPrecision(2e-4f)
                    .containsExactly(expected.getFirst().values(Measure.logit(" girl")));
        }
    }

    /** A step that is replayed computes the bits of one that runs as it is. */
    @Test
    void replayedStepsAreThoseThatRunAsTheyAre() {
        try (var device = TestDevice.open(); var eager = TestModels.load("sample", new EagerDevice(device));
                var model = TestModels.load("sample", device)) {
            var edits = Intervention.parse("L1D5=6@generated", "L2D8=3@9..11");
            var options = new GenerationOptions(12, new Sampling(0.9f, 0, 0.95f));
            var continuations = List.of(Continuation.CLEAN, new Continuation(edits, 7), new Continuation(edits, 8));
            assertThat(new Debugger(model).generate(PROMPT, continuations, options, (c, token) -> true))
                    .isEqualTo(new Debugger(eager).generate(PROMPT, continuations, options, (c, token) -> true));
        }
    }

    @Test
    void withoutMemoryForAGraphTokensAreGeneratedAllTheSame() {
        assumeTrue(TestDevice.isEmulated(), "a full memory is emulated");
        try (var device = TestDevice.open(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var full = new ArrayList<Emulation.Setting>();
            try {
                var generated = debugger.generate(PROMPT, List.of(Continuation.CLEAN), GenerationOptions.greedy(5),
                        (c, token) -> full.isEmpty() ? full.add(fill()) : true);
                full.removeFirst().close();
                assertThat(generated).containsExactly(debugger.generate(PROMPT, 5));
            } finally {
                full.forEach(Emulation.Setting::close);
            }
        }
    }

    /** Gives the card no more memory than is taken. */
    private static Emulation.Setting fill() {
        var memory = CudaDevices.on(0, CudaMemory::available);
        return Emulation.set("LMDEBUGGER_EMULATED_MEMORY", memory.total() - memory.free());
    }

    /** Runs again what others record. */
    private static final class EagerDevice extends DelegatingDevice {
        EagerDevice(Device device) {
            super(device);
        }

        @Override
        protected Object operation(String name, Object[] arguments, Operation original) throws Throwable {
            if (!name.equals("record")) {
                return original.run();
            }
            var work = (Runnable) arguments[0];
            return new Operations.Replay() {
                @Override
                public void run() {
                    work.run();
                }

                @Override
                public void close() {
                }
            };
        }
    }

    /** The predictions of single precision, with probabilities that rounded operands have moved. */
    @ParameterizedTest
    @EnumSource(names = {"TF32", "BF16"})
    void fasterPrecisionsRound(Precision precision) {
        try (var exact = TestDevice.open(); var exactModel = TestModels.load("sample", exact);
                var device = TestDevice.open(precision); var model = TestModels.load("sample", device)) {
            var expected = last(new Debugger(exactModel));
            var rounded = new Debugger(model);
            var probabilities = last(rounded);
            assertThat(probabilities.get(0).id()).isEqualTo(expected.get(0).id());
            // 2^-11 and 2^-8 for each operand, which grow by a small factor through four layers
            double tolerance = 8 * (precision == Precision.TF32 ? 0x1p-11 : 0x1p-8);
            assertThat((double) probabilities.get(0).probability()).isCloseTo(expected.get(0).probability(),
                    within(tolerance));
            if (precision == Precision.BF16 || TestDevice.isEmulated()) { // cuBLAS may, but need not, round to TF32
                assertThat(probabilities.get(0).probability()).isNotEqualTo(expected.get(0).probability());
            }
            assertThat(rounded.trace(PROMPT)).isEqualTo(rounded.trace(PROMPT));
            assertThat(rounded.trace(PROMPT).precision()).isEqualToIgnoringCase(precision.name());
            assertThat(rounded.generate(PROMPT, 5).tokens()).hasSize(5);
            var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L2D0-9")).off().measure(Measure.kl(),
                    Measure.logit(" girl"));
            var kl = new float[10];
            rounded.sweep(sweep, effects -> {
                System.arraycopy(effects.values(Measure.kl()), 0, kl, 0, 10);
                return true;
            });
            assertThat(IntStream.range(0, 10).allMatch(i -> Float.isFinite(kl[i]))).isTrue();
        }
    }

    /**
     * Edits that do nothing, at several layers, beside others: their rows are those without edits, to the bit but for sums
     * that another product adds up. Rounding that depends on the shape would give 10⁻⁷ and more.
     */
    @ParameterizedTest
    @EnumSource
    void anEditThatDoesNothingHasNoKl(Precision precision) {
        try (var _ = Emulation.set("LMDEBUGGER_EMULATED_SHAPES", 1); var device = TestDevice.open(precision);
                var model = TestModels.load("sample", device)) {
            var none = IntStream.range(0, 3).mapToObj(l -> Intervention.parse("L" + l + "D5*=1@5..7")).toList();
            var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-2D0-4")).off().at(Positions.at(5))
                    .interventions(none).measure(Measure.kl(), Measure.top(2), Measure.logit(" girl"));
            new Debugger(model).sweep(sweep, effects -> {
                assertThat(effects.size()).isEqualTo(18);
                assertThat(effects.rows()).filteredOn(row -> none.contains(row.intervention())).hasSize(3)
                        .allSatisfy(row -> assertThat(row.value(Measure.kl())).isZero());
                assertThat(effects.rows()).anySatisfy(row -> assertThat(row.value(Measure.kl())).isGreaterThan(1e-7f));
                return true;
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"TF32, 8", "TF32, 256", "BF16, 8", "BF16, 256"})
    void fasterPrecisionsProjectAsSinglePrecisionDoes(Precision precision, int width, @TempDir Path directory)
            throws Exception {
        new RandomCheckpoint(1, 1, width, 4, 8192).write(directory, 1);
        assertProjectsExactly(precision, directory, width);
    }

    /** Rounded products say nothing of embeddings that differ by less than the rounding: no margin can be proven. */
    @Test
    void embeddingsThatRoundingConfusesAreToldApart(@TempDir Path directory) throws Exception {
        int width = 16;
        var file = new RandomCheckpoint(1, 1, width, 4, 8192).write(directory, 1).resolve("model.safetensors");
        try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            var size = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(size, 0);
            var random = new Random(1);
            var embeddings = ByteBuffer.allocate(4 * 8192 * width).order(ByteOrder.LITTLE_ENDIAN); // the first tensor of the file
            while (embeddings.hasRemaining()) {
                embeddings.putFloat((float) (0.03 + 0x1p-17 * random.nextGaussian()));
            }
            channel.write(embeddings.flip(), 8 + size.getLong(0));
        }
        assertProjectsExactly(Precision.TF32, directory, width);
    }

    /** Rank by rank, against double precision on the weights as the device keeps them. */
    private static void assertProjectsExactly(Precision precision, Path directory, int width) {
        try (var device = TestDevice.open(precision); var model = Gpt2.load(ModelFiles.of(directory), device)) {
            var vectors = new ValueVectors(model);
            var head = IntStream.range(0, 8192).mapToObj(token -> model.head().row(token).toFloats()).toList();
            for (int i = 0; i < 2; i++) {
                var vector = model.layer(0).ffnOut().row(i).toFloats();
                double mean = IntStream.range(0, width).mapToDouble(j -> vector[j]).average().orElseThrow();
                for (var reading : ValueVectors.Reading.values()) {
                    double shift = reading == ValueVectors.Reading.RAW ? 0 : mean; // gains are 1
                    var logits = head.stream().mapToDouble(
                            token -> IntStream.range(0, width).mapToDouble(j -> (vector[j] - shift) * token[j]).sum())
                            .toArray();
                    var sorted = DoubleStream.of(logits).sorted().toArray();
                    var projection = vectors.project(vectors.at(i), 7, reading);
                    for (int j = 0; j < 7; j++) {
                        var top = projection.top().get(j);
                        var bottom = projection.bottom().get(j);
                        double tolerance = width * 0x1p-23 * 0.0012; // of as many products, each of at most 0.0347²
                        assertThat((double) top.logit()).isCloseTo(sorted[8191 - j], within(tolerance))
                                .isCloseTo(logits[top.id()], within(tolerance));
                        assertThat((double) bottom.logit()).isCloseTo(sorted[j], within(tolerance))
                                .isCloseTo(logits[bottom.id()], within(tolerance));
                    }
                }
            }
        }
    }

    /** Searches and clusters are those of single precision on any device. */
    @ParameterizedTest
    @EnumSource(names = {"TF32", "BF16"})
    void fasterPrecisionsSearchAsSinglePrecisionDoes(Precision precision, @TempDir Path directory) throws Exception {
        var files = ModelFiles.of(new RandomCheckpoint(1, 1, 16, 4, 8192).write(directory, 1));
        try (var device = TestDevice.open(precision); var model = Gpt2.load(files, device)) {
            var vectors = new ValueVectors(model);
            var values = IntStream.range(0, vectors.count()).mapToObj(i -> vectors.row(vectors.at(i)).toFloats())
                    .toList();
            var head = model.head().row(301).toFloats();
            for (var match : vectors.promote(new int[] {301}, 5)) {
                assertThat((double) match.score())
                        .isCloseTo(Vectors.dot(values.get(vectors.index(match.vector())), head), within(1e-7));
            }
            for (var match : vectors.similar(vectors.at(3), 5)) {
                assertThat((double) match.score()).isCloseTo(
                        Vectors.cosine(values.get(vectors.index(match.vector())), values.get(3)), within(1e-6));
            }
            var options = ClusterOptions.of(vectors).count(5);
            assertThat(Clusters.of(vectors, ClusterOptions.of(vectors).count(5), (done, total) -> {}).count())
                    .isEqualTo(5);
        }
    }

    private static List<Trace.Prediction> last(Debugger debugger) {
        return debugger.trace(PROMPT).position(-1).layers().getLast().after();
    }
}
