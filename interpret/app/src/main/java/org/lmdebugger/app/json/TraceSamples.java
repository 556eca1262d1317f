package org.lmdebugger.app.json;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Measure.Quantity;
import org.lmdebugger.interpret.sweep.SampleMeans;
import org.lmdebugger.interpret.sweep.SampleMeans.Mean;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/**
 * The prediction under edits that take texts from a corpus, averaged over several of them.
 *
 * @param count  of the samples
 * @param kl     of the clean prediction from the edited one
 * @param tokens the target and the followed tokens
 */
public record TraceSamples(int count, Mean kl, List<Token> tokens) {
    /**
     * A token's probability.
     *
     * @param clean  without edits
     * @param edited over the samples
     */
    public record Token(int id, String token, double clean, Mean edited) {
    }

    /**
     * Computes samples of a trace of {@code prompt} under {@code edits}.
     *
     * @param progress of the chunks in which samples are computed
     * @throws IllegalArgumentException if no edit takes a text from a corpus, or another position than the last is traced
     */
    public static TraceSamples of(Debugger debugger, Trace trace, Prompt prompt, Intervention edits, int count,
            Progress progress) {
        if (!edits.isSampled()) {
            throw new IllegalArgumentException(
                    "samples: %d without =resample:NAME (expected: an edit that takes a text)".formatted(count));
        }
        if (trace.positions().size() != 1 || trace.positions().getFirst().position() != trace.tokens().size() - 1) {
            throw new IllegalArgumentException("samples: %d of position %s (expected: the last one alone)".formatted(
                    count, trace.positions().stream().map(each -> String.valueOf(each.position())).toList()));
        }
        var position = trace.positions().getFirst();
        var ids = Stream.concat(Stream.of(position.target().id()),
                position.layers().getLast().chosen().stream().map(Trace.Chosen::id)).distinct().toList();
        var measures = Stream
                .concat(Stream.of(Measure.kl()), ids.stream().map(id -> Measure.of(Quantity.PROBABILITY, id))).toList();
        var sweep = Sweep.of(List.of(prompt)).measure(measures.toArray(Measure[]::new))
                .interventions(edits.samples(count));
        var means = new SampleMeans(measures, count);
        var read = new ArrayList<TraceSamples>();
        debugger.sweep(sweep, effects -> {
            IntStream.range(0, effects.size()).forEach(i -> means.add(effects, i)
                    .ifPresent(all -> read.add(of(debugger, effects, all, ids, count))));
            progress.report(effects.chunk() + 1, effects.plan().chunks().size());
            return true;
        });
        return read.getFirst();
    }

    private static TraceSamples of(Debugger debugger, Effects effects, SampleMeans.Means means, List<Integer> ids,
            int count) {
        return new TraceSamples(count, means.values().get(Measure.kl()), ids.stream().map(id -> {
            var probability = Measure.of(Quantity.PROBABILITY, id);
            return new Token(id, debugger.model().tokenizer().text(id), effects.clean(probability),
                    means.values().get(probability));
        }).toList());
    }
}
