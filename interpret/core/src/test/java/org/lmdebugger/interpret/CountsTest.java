package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.DeviceTraits;
import org.lmdebugger.device.Sampling;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.cpu.CpuDevice;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.progress.Progress;

/** The counts that make it fast: GEMMs, bytes of weights that they read, bytes that Java allocates. */
class CountsTest {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int LAYERS = 4;
    private static final long WIDTH = 192;
    private static final long VOCABULARY = 8192;
    /** Weights of a block: d·3d, d·d, d·4d and 4d·d. */
    private static final long BLOCK_BYTES = 4 * 12 * WIDTH * WIDTH;
    private static final long HEAD_BYTES = 4 * VOCABULARY * WIDTH;
    /** Operations of a block: two norms, four products, attention, GELU and three sums with biases. */
    private static final int BLOCK = 11;
    /** Operations of a forward pass up to the last residual stream. */
    private static final int FORWARD = 1 + BLOCK * LAYERS;

    @Test
    void aDecodedTokenReadsEachWeightOnce() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var one = device.count(() -> debugger.generate(PROMPT, 1));
            var six = device.count(() -> debugger.generate(PROMPT, 6));
            assertThat(one).isEqualTo(new Counts(4 * LAYERS + 1, LAYERS * BLOCK_BYTES + HEAD_BYTES));
            assertThat(six).isEqualTo(new Counts(6 * (4 * LAYERS + 1), 6 * (LAYERS * BLOCK_BYTES + HEAD_BYTES)));
        }
    }

    @Test
    void aBatchReadsTheWeightsAsOftenAsOneContinuation() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var continuations = List.of(new Continuation(Intervention.NONE, 1), new Continuation(Intervention.NONE, 2),
                    new Continuation(Intervention.parse("L1D5=6@generated"), 3));
            var counts = device.count(() -> debugger.generate(PROMPT, continuations,
                    new GenerationOptions(6, new Sampling(1, 0, 1)), (c, t) -> true));
            assertThat(counts).isEqualTo(new Counts(6 * (4 * LAYERS + 1), 6 * (LAYERS * BLOCK_BYTES + HEAD_BYTES)));
        }
    }

    @Test
    void aTraceIsOneForwardAndOneProductWithTheHead() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var counts = device.count(() -> new Debugger(model).trace(PROMPT));
            assertThat(counts).isEqualTo(new Counts(4 * LAYERS + 1, LAYERS * BLOCK_BYTES + HEAD_BYTES));
        }
    }

    /** For predictions, which effects are on, and then for everything else. */
    @Test
    void aTraceWaitsTwice() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            device.operations.clear(); // those of loading
            debugger.trace(PROMPT);
            assertThat(device.operations).doesNotContain("download").filteredOn("await"::equals).hasSize(2);
        }
    }

    /** One wait a token and, where operations are queued, not before the next token's are. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aDecodedTokenIsWaitedForOnce(boolean queued) {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            device.queued = queued;
            device.operations.clear(); // those of loading
            new Debugger(model).generate(PROMPT, 6);
            var operations = device.operations;
            assertThat(operations).doesNotContain("download").filteredOn("await"::equals).hasSize(6);
            int first = operations.indexOf("await");
            assertThat(operations.subList(0, first)).filteredOn("sample"::equals).hasSize(queued ? 2 : 1);
        }
    }

    /** The best tokens of the product with the head, and no sums over the vocabulary. */
    @Test
    void aProjectionToTokensComputesNothingElse() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            device.operations.clear(); // those of loading
            var counts = device.count(() -> new Debugger(model).project(model.layer(1).ffnOut().rows(5, 3), 4));
            assertThat(counts).isEqualTo(new Counts(1, HEAD_BYTES));
            assertThat(device.operations).filteredOn(name -> !name.startsWith("multiply")).containsExactly("topK",
                    "download", "download");
        }
    }

    /** A tile for each layer; one wait for each, not before the next one's product is queued; and one for the gain. */
    @Test
    void allValueVectorsAreProjectedWhileTheHostTakesTheTileBefore() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device);
                var arena = Arena.ofConfined()) {
            var vectors = new ValueVectors(model);
            var memory = arena.allocate(vectors.byteSize(5));
            assertThat(device.queue(() -> vectors.project(5, ValueVectors.Reading.RAW, memory, Progress.NONE)))
                    .isEqualTo(new Queue(3 * LAYERS, 0, 1 + 4 * LAYERS, 1 + LAYERS));
            assertThat(device.operations.subList(0, device.operations.indexOf("await")))
                    .filteredOn("multiplyTransposed"::equals).hasSize(2);
        }
    }

    /** Layers above an edit, from its first position on, and in the top layer what the last position needs. */
    @Test
    void aSweepComputesOnlyWhatAnEditCanChange() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-9")).off().measure(Measure.kl());
            long block = 24 * WIDTH * WIDTH; // of one row
            long head = 2 * WIDTH * VOCABULARY;
            long clean = LAYERS * 8 * block + head;
            device.count(() -> new Debugger(model).sweep(sweep.atLast(), effects -> true));
            assertThat(device.flop).isEqualTo(clean + 10 * (3 + 2 + 1) * block + 40 * head);
            long top = (8 * 4 + 20) * WIDTH * WIDTH;
            device.count(() -> new Debugger(model).sweep(sweep.atAll(), effects -> true));
            assertThat(device.flop).isEqualTo(clean + 10 * ((2 + 1) * 8 * block + 3 * top) + 40 * head);
            device.count(() -> new Debugger(model).sweep(sweep.at(Positions.at(5)), effects -> true));
            top = (3 * 4 + 20) * WIDTH * WIDTH; // edits of the top layer change nothing before the last position
            assertThat(device.flop).isEqualTo(clean + 10 * ((2 + 1) * 3 * block + 3 * top) + 30 * head);
        }
    }

    /** The clean run, then one walk up the layers, into which each layer's neurons enter by a shift. */
    @Test
    void aSweepOfAllNeuronsIsOneWalkUpTheLayers() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var plan = debugger.plan(Sweep.of(PROMPT).allNeurons().off().atLast().measure(Measure.kl()));
            assertThat(plan.chunks()).hasSize(1);
            int tiles = 12; // of 256 rows, for 4 · 768 neurons
            int clean = FORWARD + LAYERS + 2 + 2; // a site kept in each layer; logits, which are copied; KL
            assertThat(device.queue(() -> debugger.sweep(plan, 0, effects -> true))).isEqualTo(new Queue(
                    clean + 2 * LAYERS + BLOCK * (LAYERS - 1) + 3 * tiles, 3 + 4 + 2 * LAYERS, 1 + LAYERS + 1, 2));
        }
    }

    @Test
    void aTraceIsAForwardAndWhatReadsIt() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            int readout = 6 + 3 * LAYERS; // rows gathered, then read together
            int dominant = 2 * LAYERS;
            assertThat(device.queue(() -> new Debugger(model).trace(PROMPT))).isEqualTo(
                    new Queue(FORWARD + 2 * LAYERS + readout + dominant, 5, 7, 2));
        }
    }

    /** A forward that keeps keys and values together, the head, a token that is drawn, and counters that go on together. */
    @Test
    void aDecodedTokenQueuesNothingButItsForward() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var five = device.queue(() -> debugger.generate(PROMPT, 5));
            var six = device.queue(() -> debugger.generate(PROMPT, 6));
            assertThat(six.minus(five)).isEqualTo(new Queue(FORWARD + LAYERS + 3 + 1, 0, 2, 1));
        }
    }

    /** Columns of numbers, some twice while they are sorted: no object for each neuron. */
    @Test
    void aPlanAllocatesLittleForEachIntervention() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().threadId();
        try (var device = new CpuDevice(1); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var sweep = Sweep.of(PROMPT).allNeurons().off().atLast().measure(Measure.kl());
            debugger.plan(sweep); // which loads classes
            long before = threads.getThreadAllocatedBytes(thread);
            long effects = debugger.plan(sweep).effects();
            assertThat((threads.getThreadAllocatedBytes(thread) - before) / effects).isLessThan(120);
        }
    }

    @Test
    void aPlanComputesNothing() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var sweep = Sweep.of(PROMPT).parts(PartSelection.parse("pre,q,pattern,neurons"))
                    .from("Once upon a time there was a big").at(Positions.EACH).measure(Measure.kl())
                    .interventions(List.of(Intervention.parse("L1D5=on", "L2.mid+=2*L1D3@last")));
            assertThat(device.count(() -> new Debugger(model).plan(sweep))).isEqualTo(new Counts(0, 0));
        }
    }

    /** The two runs, their last rows' logits, and for each role the head of the running prompt and of the cell. */
    @Test
    void theRunsOfAPairAreComputedOnce() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            var pair = Pair.of(PROMPT, "Once upon a time there was a big", " girl", " boy");
            var patching = new Patching(PartSelection.parse("pre:L3"), Patching.Direction.DENOISE,
                    Patching.Columns.ROLES);
            long block = 24 * WIDTH * WIDTH; // of one row
            long head = 2 * WIDTH * VOCABULARY;
            long runs = 2 * (LAYERS * 8 * block + head);
            device.count(() -> debugger.patch(pair.roles(Map.of("end", 7)), patching));
            assertThat(device.flop).isEqualTo(runs + head + block + head);
            device.count(() -> debugger.patch(pair.roles(Map.of("end", 7, "last", 7)), patching));
            assertThat(device.flop).isEqualTo(runs + 2 * (head + block + head));
        }
    }

    /** Ids and their log-probabilities; edits, random numbers and positions are there already. */
    @Test
    void ofAGenerationOnlyTokensCrossTheBus() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var continuations = List.of(Continuation.CLEAN, new Continuation(Intervention.parse("L1D5=6@generated"), 2),
                    new Continuation(Intervention.parse("L2D7=0"), 3));
            var up = new long[2];
            var down = new long[2];
            for (int i = 0; i < 2; i++) {
                var options = new GenerationOptions(10 + 10 * i, new Sampling(1, 0, 1));
                device.count(() -> new Debugger(model).generate(PROMPT, continuations, options, (c, t) -> true));
                up[i] = device.uploaded - 4 * 3 * options.tokens(); // random numbers of all steps, at the start
                down[i] = device.downloaded;
            }
            assertThat(up[1] - up[0]).isZero();
            assertThat(down[1] - down[0]).isEqualTo(10 * 3 * (4 + 4));
        }
    }

    /** Everything is queued before the results are waited for, once. */
    @Test
    void aChunkOfASweepWaitsForItsResultsAlone() {
        try (var device = new CountingDevice(); var model = TestModels.load("sample", device)) {
            var sweep = Sweep.of(PROMPT).neurons(NeuronSelection.parse("L0-3D0-9")).off()
                    .measure(Measure.kl(), Measure.rank(" girl"), Measure.top(3))
                    .interventions(List.of(Intervention.parse("L0D5=1", "L2D7=3", "L0D9=2"))).memory(1 << 20);
            var debugger = new Debugger(model);
            var plan = debugger.plan(sweep.atAll());
            assertThat(plan.chunks()).hasSize(4);
            debugger.sweep(plan, 0, effects -> {
                var operations = List.copyOf(device.operations);
                device.operations.clear();
                int first = operations.indexOf("fetch");
                if (effects.chunk() > 0) { // beside the first there is the clean run
                    assertThat(operations.subList(0, first)).as("chunk %d", effects.chunk()).contains("upload",
                            "shiftResidual", "measure", "topK");
                    assertThat(operations.subList(first, operations.size() - 1)).as("chunk %d", effects.chunk())
                            .containsOnly("fetch");
                    assertThat(operations).as("chunk %d", effects.chunk()).endsWith("await").doesNotContain("download");
                }
                return true;
            });
        }
    }

    /** A token, its text and what the listener sees: about 600 bytes. Vectors that became objects would leave thousands. */
    @Test
    @Tag("slow")
    void aDecodedTokenAllocatesLittle() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (var device = new CpuDevice(2); var model = TestModels.load("sample", device)) {
            var debugger = new Debugger(model);
            long least = Long.MAX_VALUE;
            // until the JVM has compiled it: before that, every vector is an object
            for (int round = 0; round < 60; round++) {
                var atToken = new long[110];
                var count = new int[1];
                debugger.generate(PROMPT, List.of(Continuation.CLEAN), GenerationOptions.greedy(110), (c, token) -> {
                    atToken[count[0]++] = threads.getThreadAllocatedBytes(Thread.currentThread().threadId());
                    return true;
                });
                least = Math.min(least, (atToken[109] - atToken[9]) / 100);
            }
            System.out.println("a decoded token allocates " + least + " bytes");
            assertThat(least).isLessThan(1500);
        }
    }

    record Counts(long gemms, long weightBytes) {
    }

    /** Operations of the device, uploads, downloads, and waits for these. */
    record Queue(long operations, long uploads, long downloads, long waits) {
        Queue minus(Queue other) {
            return new Queue(operations - other.operations, uploads - other.uploads, downloads - other.downloads,
                    waits - other.waits);
        }
    }

    /** The CPU, with its sessions' products counted. */
    private static final class CountingDevice extends DelegatingDevice {
        private long gemms;
        private long bytes;
        private long flop;
        private long uploaded; // bytes
        private long downloaded;
        private boolean queued; // what the device says of itself
        private final List<String> operations = new ArrayList<>();

        CountingDevice() {
            super(new CpuDevice(2));
        }

        Counts count(Runnable work) {
            gemms = 0;
            bytes = 0;
            flop = 0;
            uploaded = 0;
            downloaded = 0;
            work.run();
            return new Counts(gemms, bytes);
        }

        /** Returns what some work queues; recorded work counts each time that it runs. */
        Queue queue(Runnable work) {
            operations.clear();
            work.run();
            long uploads = Collections.frequency(operations, "upload");
            long downloads = Collections.frequency(operations, "fetch") + Collections.frequency(operations, "download");
            long waits = Collections.frequency(operations, "await") + Collections.frequency(operations, "download");
            long others = operations.stream().filter(name -> !List.of("upload", "fetch", "download", "await", "record")
                    .contains(name)).count();
            return new Queue(others, uploads, downloads, waits);
        }

        @Override
        public DeviceTraits traits() {
            var traits = super.traits();
            return new DeviceTraits(traits.chunkBytes(), traits.logitRows(), traits.logitColumns(),
                    traits.sumsDependOnShape(), queued);
        }

        @Override
        protected Object operation(String name, Object[] arguments, Operation original) throws Throwable {
            operations.add(name);
            if (name.equals("upload")) {
                uploaded += 4 * ((Tensor) arguments[0]).rows() * ((Tensor) arguments[0]).columns();
            } else if (name.equals("download") || name.equals("fetch")) {
                downloaded += 4 * ((Tensor) arguments[1]).rows() * ((Tensor) arguments[1]).columns();
            } else if (name.startsWith("multiply")) {
                var weights = (Tensor) arguments[2];
                gemms++;
                bytes += 4 * weights.rows() * weights.columns();
                flop += 2 * ((Tensor) arguments[0]).rows() * weights.rows() * weights.columns();
            }
            return original.run();
        }
    }
}
