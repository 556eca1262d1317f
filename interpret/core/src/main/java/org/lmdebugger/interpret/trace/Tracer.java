package org.lmdebugger.interpret.trace;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.trace.Trace.Prediction;
import org.lmdebugger.model.Gpt2;

/**
 * Reads a run as tokens: every layer's residual stream, before and after the FFN, at every traced position goes
 * through the head in one product (in tiles of {@value #TILE} rows), and only the best of each row leave the device.
 */
public final class Tracer implements AutoCloseable {
    private static final int TILE = 64;

    private final Gpt2 model;
    private final Operations session;
    private final int[] positions;
    private final int top;
    private final int[] tokens;
    private final TensorScope scope;
    private final Tensor positionRows; // [1, P]

    // by row: (2·layer + (after ? 1 : 0))·P + index of the position
    private final int[] topIds;
    private final float[] topLogits;
    private final float[] logSumExp;
    private final float[] chosenLogits;
    private final int[] chosenRanks;

    public Tracer(Gpt2 model, Operations session, int[] positions, int top, int[] tokens) {
        this.model = model;
        this.session = session;
        this.positions = positions;
        this.top = top;
        this.tokens = tokens;
        scope = new TensorScope(model.device());
        positionRows = scope.vector(session, positions);
        int rows = 2 * model.config().layers() * positions.length;
        topIds = new int[rows * top];
        topLogits = new float[rows * top];
        logSumExp = new float[rows];
        chosenLogits = new float[rows * tokens.length];
        chosenRanks = new int[rows * tokens.length];
    }

    /**
     * Reads a run.
     *
     * @param targets the token of each position that effects are on; the run's own predictions without it
     * @param against the token whose logit is subtracted from the target's, if any
     */
    public List<Trace.Position> read(Activations run, Optional<int[]> targets, OptionalInt against) {
        readPredictions(run);
        if (targets.isEmpty()) {
            session.await(); // the predictions are the targets
        }
        int last = row(model.config().layers() - 1, true, 0);
        var targetIds = targets.orElseGet(
                () -> IntStream.range(0, positions.length).map(i -> topIds[(last + i) * top]).toArray());
        var dominant = readDominant(run, targetIds, against);
        var other = against.isPresent() ? Optional.of(token(against.getAsInt())) : Optional.<Trace.Token>empty();
        return IntStream.range(0, positions.length).mapToObj(i -> new Trace.Position(positions[i], token(targetIds[i]),
                other, IntStream.range(0, model.config().layers()).mapToObj(l -> new Trace.Layer(l,
                        predictions(row(l, false, i)), predictions(row(l, true, i)), dominant.get(l).get(i),
                        chosen(l, i)))
                        .toList()))
                .toList();
    }

    private int row(int layer, boolean after, int index) {
        return (2 * layer + (after ? 1 : 0)) * positions.length + index;
    }

    private void readPredictions(Activations run) {
        int rows = logSumExp.length;
        var hidden = scope.allocate(ElementType.F32, rows, model.config().width());
        for (int l = 0; l < model.config().layers(); l++) {
            session.gatherRows(hidden.rows(row(l, false, 0), positions.length), run.residualMid(l), positionRows);
            session.gatherRows(hidden.rows(row(l, true, 0), positions.length), run.residualPost(l), positionRows);
        }
        int tile = Math.min(TILE, rows);
        var normed = scope.allocate(ElementType.F32, tile, hidden.columns());
        var logits = model.allocateLogits(scope, tile);
        var ids = scope.allocate(ElementType.I32, rows, top);
        var values = scope.allocate(ElementType.F32, rows, top);
        var sums = scope.allocate(ElementType.F32, 1, rows);
        var wanted = tokens.length == 0 ? null : scope.vector(session, tokens);
        var chosen = tokens.length == 0 ? null : scope.allocate(ElementType.F32, rows, tokens.length);
        var ranks = tokens.length == 0 ? null : scope.allocate(ElementType.I32, rows, tokens.length);
        model.readLogits(session, hidden, normed, logits, (from, part) -> {
            long count = part.rows();
            session.topK(ids.rows(from, count), values.rows(from, count), part);
            session.measure(LogitStatistics.ofTokens(wanted, sums.columns(from, count),
                    chosen == null ? null : chosen.rows(from, count),
                    ranks == null ? null : ranks.rows(from, count)), part);
        });
        session.fetch(topIds, ids);
        session.fetch(topLogits, values);
        session.fetch(logSumExp, sums);
        if (wanted != null) {
            session.fetch(chosenLogits, chosen);
            session.fetch(chosenRanks, ranks);
        }
    }

    /** Returns the dominant sub-updates, by layer, then position. */
    private List<List<List<Trace.SubUpdate>>> readDominant(Activations run, int[] targets, OptionalInt against) {
        int p = positions.length;
        var gathered = scope.allocate(ElementType.F32, p, model.config().feedForwardWidth());
        int layers = model.config().layers();
        var neurons = scope.allocate(ElementType.I32, (long) layers * p, top);
        var coefficients = scope.allocate(ElementType.F32, (long) layers * p, top);
        var scores = scope.allocate(ElementType.F32, (long) layers * p, top);
        var direct = scope.allocate(ElementType.F32, (long) layers * p, top);
        var last = scope.allocate(ElementType.F32, p, model.config().width());
        session.gatherRows(last, run.residualPost(layers - 1), positionRows);
        var reader = logitReader(last, targets);
        if (against.isPresent()) {
            var others = logitReader(last, IntStream.generate(against::getAsInt).limit(p).toArray());
            var minusOne = new float[p];
            Arrays.fill(minusOne, -1);
            session.shiftResidual(reader, scope.vector(session, minusOne),
                    scope.vector(session, IntStream.range(0, p).toArray()), others);
        }
        for (int l = 0; l < layers; l++) {
            long first = (long) l * p;
            var some = neurons.rows(first, p);
            var theirs = coefficients.rows(first, p);
            session.gatherRows(gathered, run.coefficients(l), positionRows);
            session.dominant(some, theirs, scores.rows(first, p), gathered, model.layer(l).valueNorms());
            session.contributions(direct.rows(first, p), some, theirs, model.layer(l).ffnOut(), reader);
        }
        var read = new Dominant(ints(neurons), floats(coefficients), floats(scores), floats(direct));
        session.await();
        return IntStream.range(0, layers).mapToObj(l -> subUpdates(l, read)).toList();
    }

    /** Returns the direction that the logit of a row's token reads in it, [P, d]. */
    private Tensor logitReader(Tensor rows, int[] ids) {
        var reader = scope.allocate(ElementType.F32, rows.rows(), rows.columns());
        session.logitReader(reader, rows, model.finalGain(), model.head(), scope.vector(session, ids),
                model.config().epsilon());
        return reader;
    }

    /** The dominant sub-updates, by layer, position and rank; filled when they have arrived. */
    private record Dominant(int[] neurons, float[] coefficients, float[] scores, float[] direct) {
    }

    private List<List<Trace.SubUpdate>> subUpdates(int layer, Dominant of) {
        int first = layer * positions.length;
        return IntStream.range(first, first + positions.length).mapToObj(i -> IntStream.range(i * top, (i + 1) * top)
                .mapToObj(j -> new Trace.SubUpdate(layer, of.neurons[j], of.coefficients[j], of.scores[j], of.direct[j],
                        OptionalDouble.empty()))
                .toList()).toList();
    }

    private List<Prediction> predictions(int row) {
        return IntStream.range(row * top, (row + 1) * top)
                .mapToObj(j -> new Prediction(topIds[j], model.tokenizer().text(topIds[j]),
                        probability(topLogits[j], row)))
                .toList();
    }

    private List<Trace.Chosen> chosen(int layer, int index) {
        return IntStream.range(0, tokens.length)
                .mapToObj(c -> new Trace.Chosen(tokens[c], model.tokenizer().text(tokens[c]),
                        standing(row(layer, false, index), c), standing(row(layer, true, index), c)))
                .toList();
    }

    private Trace.Standing standing(int row, int c) {
        int at = row * tokens.length + c;
        return new Trace.Standing(probability(chosenLogits[at], row), chosenRanks[at]);
    }

    private float probability(float logit, int row) {
        return (float) Math.exp((double) logit - logSumExp[row]);
    }

    private Trace.Token token(int id) {
        return new Trace.Token(id, model.tokenizer().text(id));
    }

    private int[] ints(Tensor tensor) {
        var to = new int[(int) (tensor.rows() * tensor.columns())];
        session.fetch(to, tensor);
        return to;
    }

    private float[] floats(Tensor tensor) {
        var to = new float[(int) (tensor.rows() * tensor.columns())];
        session.fetch(to, tensor);
        return to;
    }

    @Override
    public void close() {
        scope.close();
    }

    /** Positions as indices from 0, ascending, each once. */
    public static int[] positions(TraceOptions.Where where, int length) {
        return switch (where) {
            case TraceOptions.Where.All _ -> IntStream.range(0, length).toArray();
            case TraceOptions.Where.Indices(var indices) -> positions(indices, length);
        };
    }

    private static int[] positions(List<Integer> wanted, int length) {
        if (wanted.isEmpty()) {
            throw new IllegalArgumentException("positions: none (expected: at least one)");
        }
        for (int position : wanted) {
            if (position < -length || position >= length) {
                throw new IllegalArgumentException("position: %d (expected: 0 to %d, or -%d to -1 from the end)"
                        .formatted(position, length - 1, length));
            }
        }
        return wanted.stream().mapToInt(position -> position < 0 ? length + position : position).sorted().distinct()
                .toArray();
    }
}
