package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.lmdebugger.app.ranking.TraceAttributions;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.TokenLogit;
import picocli.CommandLine.Help.Ansi;

/** Attributions and heads' attention as tables of 80 columns. */
final class AttributionTable {
    private static final int WIDTH = 80;
    private static final int SOURCES = 3; // of a head

    private final PrintWriter out;
    private final Ansi ansi;
    private final List<Trace.Token> tokens;
    private final TraceAttributions.Scope scope;

    /** @param tokens of the prompt */
    AttributionTable(PrintWriter out, Ansi ansi, List<Trace.Token> tokens, TraceAttributions.Scope scope) {
        this.out = out;
        this.ansi = ansi;
        this.tokens = tokens;
        this.scope = scope;
    }

    /** @param run the name of the run, before each heading */
    void print(String run, Attribution attribution) {
        if (scope.attention()) {
            attention(run, attribution);
        }
        if (scope.attribution()) {
            attribution(run, attribution);
        }
    }

    private void attention(String run, Attribution attribution) {
        out.println();
        out.println(Text.bold(ansi, run + "attention of position " + attribution.position() + ", effects on "
                + target(attribution)));
        for (var head : attribution.heads()) {
            var promoted = head.promoted().stream().limit(SOURCES).map(TokenLogit::token).map(Text::visible)
                    .map(token -> token.length() > 14 ? Text.fit(token, 14) : token).collect(Collectors.joining(" "));
            out.println("  %s direct %+.3f%s  promotes %s".formatted(Text.fit(head.component().toString(), 7),
                    head.direct(),
                    head.total().isPresent() ? "  total %+.3f".formatted(head.total().getAsDouble()) : "",
                    promoted));
            var sources = TraceAttributions.strongest(head, Math.min(SOURCES, scope.top())).stream()
                    .map(source -> "%s weight %.2f norm %.2f".formatted(token(source.position(), 8), source.weight(),
                            source.norm()))
                    .toList();
            out.println(sources.isEmpty() ? "    its mixed values are edited"
                    : Text.wrap(sources, WIDTH - 4).indent(4).stripTrailing());
        }
    }

    private void attribution(String run, Attribution attribution) {
        var strongest = TraceAttributions.strongest(attribution, scope.top());
        double shown = strongest.stream().mapToDouble(Attribution.Contribution::direct).sum();
        out.println();
        out.println(Text.bold(ansi, run + "logit of position " + attribution.position() + ", effects on "
                + target(attribution)));
        out.println("  part               direct  renorm.    total  strongest sources");
        for (var part : strongest) {
            var sources = part.sources().stream()
                    .sorted(Comparator.comparingDouble(source -> -Math.abs(source.direct()))).limit(2)
                    .map(source -> "%s %+.3f".formatted(token(source.position(), 8), source.direct()))
                    .collect(Collectors.joining("  "));
            row(part.component().toString(), Stream.of(OptionalDouble.of(part.direct()),
                    OptionalDouble.of(part.renormalised()), part.total()), sources);
            neurons(part);
        }
        int others = attribution.contributions().size() - strongest.size();
        if (others > 0) {
            row("%d other parts".formatted(others), attribution.sum() - shown);
        }
        row("sum", attribution.sum());
        row("logit", attribution.logit());
        out.println("  remainder        %+.1e".formatted(attribution.remainder()));
    }

    private void neurons(Attribution.Contribution part) {
        for (var neuron : part.neurons()) {
            row("  " + neuron.neuron(), Stream.of(OptionalDouble.of(neuron.direct())),
                    "coefficient %+.3f".formatted(neuron.coefficient()));
        }
        if (!part.neurons().isEmpty()) {
            row("  other neurons", part.otherNeurons());
        }
    }

    private void row(String name, double direct) {
        row(name, Stream.of(OptionalDouble.of(direct)), "");
    }

    private void row(String name, Stream<OptionalDouble> numbers, String more) {
        out.println("  %s %s  %s".formatted(Text.fit(name, 16), numbers
                .map(number -> number.isPresent() ? "%+8.3f".formatted(number.getAsDouble()) : " ".repeat(8))
                .collect(Collectors.joining(" ")), more).stripTrailing());
    }

    private String token(int position, int width) {
        var text = position + ":" + Text.visible(tokens.get(position).text());
        return text.codePointCount(0, text.length()) > width ? Text.fit(text, width) : text;
    }

    private static String target(Attribution attribution) {
        return target(attribution.target(), attribution.against());
    }

    /** Returns the token that effects are on, or of two the difference. */
    static String target(Trace.Token target, Optional<Trace.Token> against) {
        return Text.visible(target.text()) + against.map(token -> " − " + Text.visible(token.text())).orElse("");
    }
}
