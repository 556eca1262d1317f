package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeAverages;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;

/** The strongest edges as lines for people. */
final class EdgePrinter {
    private static final String ONE = " %11s %10s %11s %10s";
    private static final String MEAN = " %18s %10s %18s %10s";

    private final PrintWriter out;
    private final PairText text;
    private final int top;
    private final Optional<Measure> measure;

    EdgePrinter(PrintWriter out, Gpt2 model, int top, Optional<Measure> measure) {
        this.out = out;
        this.top = top;
        this.measure = measure;
        text = new PairText(model);
    }

    void print(Pair pair, EdgeEffects effects) {
        head(effects.direction(), effects.edges().size());
        text.print(out, pair, effects.baseline(), measure);
        out.println();
        out.println(Text.fit("strongest", 24)
                + ONE.formatted(measure.isEmpty() ? "logit diff." : "measure", "effect", "normalised", "KL"));
        strongest(effects.edges(), effects.cells(), cell -> cell.effect(), cell -> ONE.formatted(
                PairText.number(cell.difference()), PairText.number(cell.effect()),
                PairText.number(cell.normalised()), "%.4g".formatted(cell.kl())), 24);
    }

    void print(EdgeAverages averages) {
        head(averages.direction(), averages.edges().size());
        out.println(PairText.right(averages.baselines(), measure));
        out.println();
        out.println(Text.fit("strongest", 18) + MEAN.formatted("effect", "same sign", "normalised", "KL"));
        strongest(averages.edges(), averages.cells(), cell -> cell.effect().mean(), cell -> MEAN.formatted(
                PairText.number(cell.effect()), "%.0f %%".formatted(100 * cell.sameSign()),
                PairText.number(cell.normalised()), "%.4g".formatted(cell.kl().mean())), 18);
    }

    private void head(Direction direction, int edges) {
        boolean noise = direction == Direction.NOISE;
        out.println(
                "%s, direction %s: the %s prompt runs; each receiver by itself reads a sender of the %s one".formatted(
                        text.model(), direction, noise ? "clean" : "corrupted", noise ? "corrupted" : "clean"));
        out.println("%,d edge%s".formatted(edges, edges == 1 ? "" : "s"));
    }

    private <T> void strongest(List<Edge> edges, List<T> cells, ToDoubleFunction<T> effect, Function<T, String> numbers,
            int width) {
        IntStream.range(0, edges.size()).boxed().filter(e -> Math.abs(effect.applyAsDouble(cells.get(e))) > 0)
                .sorted(Comparator.comparingDouble(e -> -Math.abs(effect.applyAsDouble(cells.get(e))))).limit(top)
                .forEach(e -> out.println(Text.fit(edges.get(e).toString(), width) + numbers.apply(cells.get(e))));
        out.flush();
    }
}
