package org.lmdebugger.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.edge.EdgeEngine;
import org.lmdebugger.interpret.edge.EdgePlan;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;

/**
 * All edges of GPT-2's shape on a pair of prompts that differ from the first token on: time, share of the rate of large
 * matrix products, and the factor over a whole forward pass for each edge. Evenly spaced chunks stand for all if these would
 * take longer than a time limit.
 */
public final class Edges {
    private static final int GEMM = 2048; // rows and columns
    private static final int FORWARDS = 20;

    private Edges() {
    }

    /** @param arguments shape, device, tokens and time limit in seconds, as in {@code gpt2 cpu 15 170} */
    public static void main(String[] arguments) throws IOException {
        int length = Integer.parseInt(arguments[2]);
        double limit = Double.parseDouble(arguments[3]);
        try (var device = Devices.open(arguments[1]);
                var model = Gpt2.load(Checkpoints.of(arguments[0]), device)) {
            double rate = rate(device);
            double forward = forward(model, ids(model, length, 2));
            var plan = EdgePlan.of(model, pair(model, length), Direction.NOISE, List.of());
            try (var engine = new EdgeEngine(model, plan)) {
                engine.compute(plan.chunks().size() - 1); // to warm up
                int middle = plan.chunks().size() / 2;
                double first = seconds(() -> engine.compute(middle));
                double expected = first * plan.flop() / plan.chunks().get(middle).flop();
                int step = Math.clamp((long) Math.ceil(expected / limit), 1, plan.chunks().size());
                double flop = 0;
                int edges = 0;
                int chunks = 0;
                double time = 0;
                for (int chunk = step / 2; chunk < plan.chunks().size(); chunk += step) {
                    int index = chunk;
                    time += seconds(() -> engine.compute(index));
                    flop += plan.chunks().get(chunk).flop();
                    edges += plan.chunks().get(chunk).count();
                    chunks++;
                }
                double all = time * plan.flop() / flop;
                System.out.printf("large products: %.0f GFLOP/s%n", rate / 1e9);
                System.out.printf("measured: %,d of %,d edges in %d of %d chunks, %.2f of %.2f TFLOP, in %.1f s%n",
                        edges,
                        plan.edges().size(), chunks, plan.chunks().size(),
                        flop / 1e12, plan.flop() / 1e12, time);
                System.out.printf(
                        "that is %.0f GFLOP/s, %.0f %% of large products'; all edges: %.0f s, %.2f ms an edge%n",
                        flop / time / 1e9, 100 * flop / time / rate, all, 1e3 * all / plan.edges().size());
                System.out.printf(
                        "a whole forward pass with its logits: %.1f ms; for each edge: %.0f s, %.1f times as long%n",
                        1e3 * forward, forward * plan.edges().size(), forward * plan.edges().size() / all);
            }
        }
    }

    private static double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / 1e9;
    }

    /** Returns a pair that differs from the first token on. */
    static Pair pair(Gpt2 model, int length) {
        return new Pair(Prompt.ofIds(ids(model, length, 2)), Prompt.ofIds(ids(model, length, 3)),
                List.of(Measure.Token.ofId(5)), List.of(Measure.Token.ofId(6)), Map.of());
    }

    private static int[] ids(Gpt2 model, int length, long seed) {
        return new Random(seed).ints(length, 0, 8192).toArray(); // that the tokenizer of these checkpoints has
    }

    /** Operations a second of a product of square matrices, the median of nine. */
    private static double rate(Device device) {
        try (var scope = new TensorScope(device)) {
            var a = scope.allocate(ElementType.F32, GEMM, GEMM);
            var b = scope.allocate(ElementType.F32, GEMM, GEMM);
            var c = scope.allocate(ElementType.F32, GEMM, GEMM);
            return device.call(session -> {
                session.upload(a, new float[GEMM * GEMM]);
                session.upload(b, new float[GEMM * GEMM]);
                return 2.0 * GEMM * GEMM * GEMM / median(9, () -> {
                    session.multiply(c, a, b);
                    session.download(new float[GEMM], c.row(0));
                });
            });
        }
    }

    /** Seconds of a forward pass and the last row's logits, the median. */
    private static double forward(Gpt2 model, int[] ids) {
        return median(FORWARDS, () -> {
            try (var run = Activations.forward(model, ids, CompiledIntervention.NONE,
                    Activations.Keep.KEYS_AND_VALUES); var scope = new TensorScope(model.device())) {
                model.call(session -> {
                    var logits = scope.allocate(ElementType.F32, 1, model.config().vocabularySize());
                    model.readLogits(session, logits, run.residualPost(model.config().layers() - 1).row(ids.length - 1),
                            scope.allocate(ElementType.F32, 1, model.config().width()));
                    session.download(new float[(int) logits.columns()], logits);
                    return null;
                });
            }
        });
    }

    private static double median(int times, Runnable work) {
        var all = new ArrayList<Double>();
        for (int i = 0; i < times; i++) {
            all.add(seconds(work));
        }
        return all.stream().sorted().skip(times / 2).findFirst().orElseThrow();
    }
}
