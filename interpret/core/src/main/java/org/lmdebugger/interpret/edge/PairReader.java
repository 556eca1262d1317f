package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.MeasureReader;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.model.Gpt2;

/**
 * A reader of rows of the residual stream after the last layer: the pair's measure M of each, and KL(base ‖ row). M is the
 * logit difference of the pair's answers and wrong tokens, or a measure that is chosen in its place.
 */
final class PairReader {
    private final Pair.Ids pair;
    private final Optional<Measure> measure;
    private final List<Measure> measures = new ArrayList<>();
    private final MeasureReader reader;
    private final Tensor normed; // [tile, d]

    /** M and KL of each row. */
    record Numbers(double[] values, float[] kl) {
    }

    /**
     * A reader whose memory is freed with {@code scope}.
     *
     * @param measure of which the pair's first answer is the target, and its first wrong token the other one
     * @param rows    at most as many are read at a time
     * @param last    the last row of the base run, [1, d]
     * @throws IllegalArgumentException if the measure is not one number, or does not fit the model
     */
    PairReader(Gpt2 model, Operations session, TensorScope scope, Pair pair, Optional<Measure> measure, int rows,
            Tensor last) {
        this.pair = pair.ids(model);
        this.measure = measure;
        measures.add(Measure.kl());
        measure.filter(each -> !measures.contains(each)).ifPresent(measures::add);
        if (measure.isEmpty()) {
            IntStream.concat(IntStream.of(this.pair.answers()), IntStream.of(this.pair.wrong()))
                    .forEach(id -> measures.add(logit(id)));
        }
        var config = model.config();
        reader = new MeasureReader(model, session, scope, layout(model, pair, measures), rows,
                scope.allocate(ElementType.F32, 1, config.vocabularySize()));
        normed = scope.allocate(ElementType.F32, Math.min(rows, model.device().traits().logitRows()), config.width());
        reader.readClean(session, last, normed.row(0));
    }

    /** Checks that a measure is one number and fits the model and the pair. @throws IllegalArgumentException if not */
    static void check(Gpt2 model, Pair pair, Measure measure) {
        if (measure instanceof Measure.Top) {
            throw new IllegalArgumentException("measure: %s (expected: one that is a number, such as kl)"
                    .formatted(measure));
        }
        layout(model, pair, List.of(measure));
    }

    private static MeasureReader.Layout layout(Gpt2 model, Pair pair, List<Measure> measures) {
        var target = new Target(Optional.of(pair.answers().getFirst()), Optional.of(pair.wrong().getFirst()));
        return new MeasureReader.Layout(model, Sweep.of(List.of(pair.clean())).targets(List.of(target))
                .measure(measures.toArray(Measure[]::new)), 0);
    }

    /**
     * Returns M of both prompts.
     *
     * @param unpatched of the base run
     * @param last      the last row of the source run, [1, d]
     */
    Baseline baseline(Gpt2 model, Pair pair, Direction direction, double unpatched, Tensor last) {
        var differences = Baseline.of(model, pair);
        if (measure.isEmpty()) {
            return differences;
        }
        double other = model.call(session -> read(session, last)).values()[0];
        boolean noise = direction == Direction.NOISE;
        return new Baseline(noise ? unpatched : other, noise ? other : unpatched, differences.right());
    }

    private static Measure logit(int token) {
        return Measure.of(Measure.Quantity.LOGIT, token);
    }

    /** Reads rows, [R, d]. */
    Numbers read(Operations session, Tensor x) {
        var numbers = reader.read(session, x, normed);
        var kl = numbers.get(measures.indexOf(Measure.kl()));
        var rows = IntStream.range(0, (int) x.rows());
        if (measure.isPresent()) {
            var own = numbers.get(measures.indexOf(measure.get()));
            return new Numbers(rows.mapToDouble(r -> own[r]).toArray(), kl);
        }
        var logits = IntStream.concat(IntStream.of(pair.answers()), IntStream.of(pair.wrong())).distinct().boxed()
                .collect(Collectors.toMap(token -> token, token -> numbers.get(measures.indexOf(logit(token)))));
        return new Numbers(rows.mapToDouble(r -> pair.difference(token -> logits.get(token)[r])).toArray(), kl);
    }
}
