package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.SweepBuffers;
import org.lmdebugger.model.Gpt2;

/**
 * Path patching of single edges (Wang et al., 2022, arXiv 2211.00593), exactly. In the base run B, the input of the edge's
 * receiver becomes x_B + out_S(u) − out_B(u), where S is the source run and u the sender; the receiver's LayerNorm is
 * computed anew, no other part sees the change, and all that comes after the receiver is computed from its new output.
 *
 * <p>Two runs give the changes of all senders. Then, chunk by chunk, only what an edge can change is computed: the rows from
 * the first position on where the prompts differ, from the receiver on ({@link EdgeWalk}).
 */
public final class EdgeEngine implements AutoCloseable {
    private final Gpt2 model;
    private final EdgePlan plan;
    private final Baseline baseline;
    private final Pair.Ids ids;
    private final TensorScope scope;
    private final Activations base;
    private final SenderChanges changes;
    private final double unpatched; // M of the base run
    private int most = Integer.MAX_VALUE; // edges at a time, after the device ran out of memory

    private TensorScope work; // of what chunks of the same size share
    private SweepBuffers buffers;
    private PairReader reader;
    private int edges;
    private int positions;

    /** Runs the pair's two prompts. @throws IllegalArgumentException if the network's numbers are not finite */
    public EdgeEngine(Gpt2 model, EdgePlan plan) {
        this.model = model;
        this.plan = plan;
        ids = plan.pair().ids(model);
        scope = new TensorScope(model.device());
        boolean noise = plan.direction() == Direction.NOISE;
        base = run(noise ? ids.clean() : ids.corrupted());
        try (var source = run(noise ? ids.corrupted() : ids.clean())) {
            var senders = new TreeSet<>(plan.edges().stream().map(Edge::sender).toList());
            changes = model.call(session -> new SenderChanges(session, scope, base, source, senders,
                    ids.length() - plan.firstPosition()));
            reserve(1, 1);
            unpatched = model.call(session -> reader.read(session, last(base))).values()[0];
            baseline = reader.baseline(model, plan.pair(), plan.direction(), unpatched, last(source));
        } catch (Throwable failure) {
            close();
            throw failure;
        }
    }

    private Activations run(int[] prompt) {
        return Activations.forward(model, prompt, CompiledIntervention.NONE, Activations.Keep.ALL);
    }

    /** Returns the pair without patching. */
    public Baseline baseline() {
        return baseline;
    }

    private Tensor last(Activations run) {
        return run.residualPost(model.config().layers() - 1).row(ids.length() - 1);
    }

    /** Computes the chunks of a plan from {@code firstChunk} on. */
    public static void run(Gpt2 model, EdgePlan plan, int firstChunk, EdgeEffects.Listener listener) {
        int end = plan.chunks().size();
        Objects.checkIndex(firstChunk, end + 1);
        try (var engine = new EdgeEngine(model, plan)) {
            for (int chunk = firstChunk; chunk < end && listener.take(chunk, engine.compute(chunk)); chunk++) {}
        }
    }

    /** Computes a chunk; in halves, and halves of those, if the device has too little memory. */
    public EdgeEffects compute(int index) {
        var chunk = plan.chunks().get(index);
        var all = plan.edges(chunk);
        var cells = new ArrayList<Grid.Cell>(all.size());
        while (cells.size() < all.size()) {
            int count = Math.min(most, all.size() - cells.size());
            try {
                cells.addAll(compute(all.subList(cells.size(), cells.size() + count), chunk.positions()));
            } catch (OutOfDeviceMemoryException failure) {
                if (count == 1) {
                    throw failure;
                }
                release();
                most = (count + 1) / 2;
            }
        }
        return new EdgeEffects(plan.direction(), baseline, all, List.copyOf(cells));
    }

    private List<Grid.Cell> compute(List<Edge> part, int positions) {
        if (positions == 0) { // the prompts are the same
            return part.stream().map(edge -> cell(unpatched, 0)).toList();
        }
        reserve(part.size(), positions);
        try (var temporary = new TensorScope(model.device())) {
            var numbers = model.call(session -> reader.read(session,
                    new EdgeWalk(session, temporary, base, changes, plan.firstPosition(), part, buffers, positions)
                            .run()));
            var cells = new ArrayList<Grid.Cell>(part.size());
            for (int i = 0; i < part.size(); i++) {
                cells.add(cell(numbers.values()[i], numbers.kl()[i]));
            }
            return cells;
        }
    }

    private Grid.Cell cell(double difference, double kl) {
        return Grid.Cell.of(plan.direction(), baseline, difference, difference - unpatched, kl);
    }

    /** Reserves buffers: those of the previous chunk if it is as large; larger ones may not fit beside its tables. */
    private void reserve(int edges, int positions) {
        if (edges == this.edges && positions == this.positions) {
            return;
        }
        release();
        work = new TensorScope(model.device());
        buffers = SweepBuffers.of(work, model.config(), edges, positions);
        reader = model
                .call(session -> new PairReader(model, session, work, plan.pair(), plan.measure(), edges, last(base)));
        this.edges = edges;
        this.positions = positions;
    }

    private void release() {
        edges = 0;
        if (work != null) {
            work.close();
        }
    }

    @Override
    public void close() {
        release();
        scope.close();
        base.close();
    }
}
