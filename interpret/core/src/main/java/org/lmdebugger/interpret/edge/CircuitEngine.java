package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;

/**
 * Runs of circuits on a pair of prompts, exactly: all edges outside a circuit are patched at once, in the order of the
 * layers, and no LayerNorm is frozen. In direction {@code noise} the clean prompt runs and edges outside carry the corrupted
 * prompt's outputs; the whole model is then the clean run, and the empty circuit the corrupted one. It is for one thread.
 */
public final class CircuitEngine implements AutoCloseable {
    private final Gpt2 model;
    private final Baseline baseline;
    private final double whole; // M(all)
    private final double empty; // M(∅)
    private final int firstPosition;
    private final int batch;
    private final TensorScope scope;
    private final Activations base;
    private final Activations source;
    private final PairReader reader;

    /**
     * What is left of the behaviour in a circuit.
     *
     * @param edges        how many are kept
     * @param difference   M(C), the logit difference, or the measure in its place
     * @param faithfulness (M(C) − M(∅)) ÷ (M(all) − M(∅)): 1 is the whole model's, 0 that of the other prompt. NaN where the
     *                     divisor is below {@link Baseline#SMALLEST_DIVISOR}
     * @param kl           KL(whole model ‖ circuit) of the next token's distribution, in nats
     */
    public record Score(int edges, double difference, double faithfulness, double kl) {
    }

    /** Runs the pair's prompts. @throws IllegalArgumentException if it does not fit the model */
    public CircuitEngine(Gpt2 model, Pair pair, Direction direction) {
        this(model, pair, direction, Optional.empty());
    }

    /**
     * Runs the pair's prompts likewise.
     *
     * @param measure the number that is measured in place of the logit difference, as of {@link EdgePlan#of}
     */
    public CircuitEngine(Gpt2 model, Pair pair, Direction direction, Optional<Measure> measure) {
        measure.ifPresent(each -> PairReader.check(model, pair, each));
        this.model = model;
        var ids = pair.ids(model);
        boolean noise = direction == Direction.NOISE;
        int mismatch = Arrays.mismatch(ids.clean(), ids.corrupted());
        firstPosition = mismatch < 0 ? ids.length() - 1 : mismatch; // the last row is always computed
        batch = Math.toIntExact(Math.max(1, model.device().traits().chunkBytes()
                / CircuitWalk.bytes(model, ids.length() - firstPosition)));
        scope = new TensorScope(model.device());
        base = run(noise ? ids.clean() : ids.corrupted());
        source = run(noise ? ids.corrupted() : ids.clean());
        reader = model.call(session -> new PairReader(model, session, scope, pair, measure, batch, last(base)));
        double unpatched = model.call(session -> reader.read(session, last(base))).values()[0];
        baseline = reader.baseline(model, pair, direction, unpatched, last(source));
        whole = noise ? baseline.clean() : baseline.corrupted();
        empty = noise ? baseline.corrupted() : baseline.clean();
    }

    private Tensor last(Activations run) {
        return run.residualPost(model.config().layers() - 1).row(run.length() - 1);
    }

    private Activations run(int[] prompt) {
        return Activations.forward(model, prompt, CompiledIntervention.NONE, Activations.Keep.ALL);
    }

    public Baseline baseline() {
        return baseline;
    }

    /** Returns how many circuits are computed together at most. */
    public int batch() {
        return batch;
    }

    /** Runs circuits; the same one gives the same score beside any others, but for rounding on a GPU. */
    public List<Score> scores(List<Circuit> circuits) {
        circuits.forEach(circuit -> circuit.edges().forEach(edge -> edge.check(model.config())));
        var scores = new ArrayList<Score>();
        for (int from = 0; from < circuits.size(); from += batch) {
            var part = circuits.subList(from, Math.min(from + batch, circuits.size()));
            try (var temporary = new TensorScope(model.device())) {
                var numbers = model.call(session -> reader.read(session,
                        new CircuitWalk(session, temporary, base, source, firstPosition, part).run()));
                for (int c = 0; c < part.size(); c++) {
                    double difference = numbers.values()[c];
                    double divisor = whole - empty;
                    scores.add(new Score(part.get(c).edges().size(), difference,
                            Math.abs(divisor) < Baseline.SMALLEST_DIVISOR ? Double.NaN
                                    : (difference - empty) / divisor,
                            numbers.kl()[c]));
                }
            }
        }
        return scores;
    }

    @Override
    public void close() {
        scope.close();
        base.close();
        source.close();
    }
}
