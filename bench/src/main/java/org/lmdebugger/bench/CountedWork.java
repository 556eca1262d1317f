package org.lmdebugger.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceTraits;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.corpus.Corpora;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The work that the library gives to a device, counted on one that computes nothing: for each job and operation, its
 * shape and how often it is called, as lines of {@code job, operation, shape, count}; and the processor's time that the
 * host takes for a job, in milliseconds, warm.
 */
public final class CountedWork {
    private static final String PROMPT = "Once" + " a".repeat(9);
    private static final String OTHER = "The" + " b".repeat(9);

    private CountedWork() {
    }

    /** @param arguments {@code gpu} or {@code cpu}: the device whose sizes of chunks and tiles are taken */
    public static void main(String[] arguments) throws Exception {
        var traits = arguments[0].equals("gpu") ? new DeviceTraits(2L << 30, 1024, 64, true, true)
                : new DeviceTraits(256 << 20, 256, 1, false, false);
        var device = new Counter(traits);
        try (var model = Gpt2.load(Checkpoints.of("gpt2"), device)) {
            var debugger = new Debugger(model);
            var sweep = Sweep.of(PROMPT).measure(Measure.kl());
            var neurons = sweep.allNeurons().off().atLast();
            var heads = sweep.parts(PartSelection.parse("heads")).off().at(Positions.EACH);
            var links = sweep.parts(PartSelection.parse("links")).off().at(Positions.EACH);
            var patch = sweep.parts(PartSelection.parse("pre,mid,post,attention,ffn,heads")).from(OTHER)
                    .at(Positions.EACH);
            job("sweep", device, 300, () -> debugger.sweep(neurons, effects -> true));
            job("sweep of heads", device, 300, () -> debugger.sweep(heads, effects -> true));
            job("sweep of links", device, 100, () -> debugger.sweep(links, effects -> true));
            job("patch", device, 300, () -> debugger.sweep(patch, effects -> true));
            var pair = Edges.pair(model, 15);
            job("all edges, 15 tokens", device, 3,
                    () -> debugger.edges(pair, Direction.NOISE, List.of(), Progress.NONE));
            job("trace", device, 200, () -> debugger.trace(PROMPT));
            job("decode 1", device, 100, () -> debugger.generate(PROMPT, 1));
            job("decode 33", device, 100, () -> debugger.generate(PROMPT, 33));
            var vectors = new ValueVectors(model);
            var projections = Arena.ofAuto().allocate(vectors.byteSize(50));
            job("projections", device, 20,
                    () -> vectors.project(50, ValueVectors.Reading.RAW, projections, Progress.NONE));
            var corpora = new Corpora(Files.createTempDirectory("lmdebugger-bench"), model);
            for (int batches : new int[] {1, 2}) {
                var texts = Corpus.ofIds(model, Stream.generate(() -> IntStream.range(0, 128).toArray())
                        .limit(8 * batches), 128);
                job("corpus " + batches, device, 1, () -> {
                    corpora.build("zeros", texts, Progress.NONE);
                    corpora.delete("zeros");
                });
            }
        }
    }

    private static void job(String name, Counter device, int rounds, Runnable work) {
        device.counts.clear();
        work.run();
        var counts = new TreeMap<>(device.counts);
        device.counting = false; // which would take as long as the work
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        var times = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            long start = threads.getCurrentThreadCpuTime();
            work.run();
            times[i] = (threads.getCurrentThreadCpuTime() - start) / 1e6;
        }
        device.counting = true;
        Arrays.sort(times, rounds / 2, rounds);
        counts.forEach((operation, count) -> System.out.printf("%s\t%s\t%d%n", name, operation, count));
        System.out.printf("%s\thost\t\t%.3f%n", name, times[rounds * 3 / 4]);
    }

    private record Block(Device device, long byteSize) implements Memory {
        @Override
        public void close() {
        }
    }

    /** A device without memory or arithmetic, whose results are zeros. */
    private static final class Counter implements Device {
        private final DeviceTraits traits;
        private final Map<String, Integer> counts = new TreeMap<>(); // by operation and shape
        private boolean counting = true;
        private String before = ""; // the latest operation and its shape
        private Tensor output; // of that
        private final Operations operations = (Operations) Proxy.newProxyInstance(Operations.class.getClassLoader(),
                new Class<?>[] {Operations.class}, (proxy, method, arguments) -> run(method.getName(), arguments));

        Counter(DeviceTraits traits) {
            this.traits = traits;
        }

        private Object run(String name, Object[] arguments) {
            if (name.equals("record")) {
                var work = (Runnable) arguments[0];
                return new Operations.Replay() {
                    @Override
                    public void run() {
                        count("replay\t");
                        work.run();
                    }

                    @Override
                    public void close() {
                    }
                };
            }
            if (counting) {
                String operation = name + "\t" + shape(name, arguments);
                if (name.equals("multiplyConsuming")) {
                    operation = consuming(operation, (Tensor) arguments[1]);
                } else if (addsToProduct(name, arguments)) {
                    operation = "joined " + operation;
                }
                count(operation);
                before = operation;
                output = arguments != null && arguments[0] instanceof Tensor first ? first : null;
            }
            return null;
        }

        /** Takes the operation before as one that writes rounded rows, if it does; else as any product. */
        private String consuming(String product, Tensor a) {
            if (!before.matches("(layerNorm|biasGelu)\t.*") || !isOutput(a)) {
                return product.replace("multiplyConsuming", "multiply");
            }
            counts.merge(before, -1, Integer::sum);
            count("rounded " + before);
            return product;
        }

        /** Returns whether an operation adds to the product just before it. */
        private boolean addsToProduct(String name, Object[] arguments) {
            return before.matches("multiply(Consuming)?\t.*") && switch (name) {
                case "addBias" -> isOutput((Tensor) arguments[0]);
                case "biasResidual" -> isOutput((Tensor) arguments[1]);
                default -> false;
            };
        }

        private boolean isOutput(Tensor x) {
            return output.memory() == x.memory() && output.byteOffset() == x.byteOffset() && output.rows() == x.rows();
        }

        private void count(String operation) {
            if (counting) {
                counts.merge(operation, 1, Integer::sum);
            }
        }

        private static String shape(String name, Object[] arguments) {
            if (name.equals("attention")) {
                var context = (AttentionContext) arguments[2];
                return "%s %d %d".formatted(shape(arguments[0]), context.heads(),
                        context.prefixKeys().rows() + context.keys().rows() / context.sequences());
            }
            return switch (name) {
                case "await" -> "";
                case "multiply", "multiplyConsuming", "multiplyTransposed", "innerProducts" ->
                        "%s %d %d".formatted(shape(arguments[0]), ((Tensor) arguments[1]).columns(),
                                ((Tensor) arguments[0]).stride());
                case "measure", "fetch", "download", "rowNorms", "biasNorms", "accumulate" -> shape(arguments[1]);
                case "addRows" -> "%s %d".formatted(shape(arguments[1]), ((Tensor) arguments[0]).rows());
                case "mergeExtremes" -> "%s %d".formatted(shape(arguments[1]), ((Tensor) arguments[2]).rows());
                case "topK", "bottomK", "sample" -> shape(arguments[2]);
                case "dominant" -> shape(arguments[3]);
                default -> shape(arguments[0]);
            };
        }

        private static String shape(Object tensor) {
            return ((Tensor) tensor).rows() + " " + ((Tensor) tensor).columns();
        }

        @Override
        public String name() {
            return "counter";
        }

        @Override
        public String description() {
            return "a device that counts";
        }

        @Override
        public Precision precision() {
            return Precision.FP32;
        }

        @Override
        public String arithmetic() {
            return "none";
        }

        @Override
        public DeviceTraits traits() {
            return traits;
        }

        @Override
        public Tensor allocate(ElementType type, long rows, long columns) {
            return Tensor.owning(new Block(this, Math.max(1, rows * columns * type.bytes())), type, rows, columns);
        }

        @Override
        public Tensor load(ElementType type, long rows, long columns, MemorySegment data) {
            return allocate(ElementType.F32, rows, columns);
        }

        @Override
        public <T> T call(Function<Operations, T> work) {
            count("call\t");
            return work.apply(operations);
        }

        @Override
        public void awaitCalls() {
        }

        @Override
        public void close() {
        }
    }
}
