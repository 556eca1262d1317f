package org.lmdebugger.app.cli;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.Receiver;
import org.lmdebugger.interpret.edge.Sender;

/** Edges as a graph in the DOT language of Graphviz, from the embedding below to the logits above. */
final class EdgeDot {
    private EdgeDot() {
    }

    /** Returns the graph of the {@code top} edges with the largest absolute effects; an edge without effect is not drawn. */
    static String of(List<Edge> edges, List<Double> effects, int top) {
        var strongest = IntStream.range(0, edges.size()).boxed().filter(e -> Math.abs(effects.get(e)) > 0)
                .sorted(Comparator.comparingDouble(e -> -Math.abs(effects.get(e)))).limit(top).toList();
        double largest = strongest.isEmpty() ? 1 : Math.abs(effects.get(strongest.getFirst()));
        return graph(strongest.stream().map(e -> new Arrow(edges.get(e), "%+.3g".formatted(effects.get(e)),
                effects.get(e) > 0 ? "#c0392b" : "#2471a3", 0.5 + 4 * Math.abs(effects.get(e)) / largest)).toList());
    }

    /** Returns the graph of a circuit. */
    static String of(Circuit circuit) {
        return graph(circuit.edges().stream().map(edge -> new Arrow(edge, "", "#444444", 1)).toList());
    }

    private record Arrow(Edge edge, String label, String color, double width) {
    }

    private static String graph(List<Arrow> arrows) {
        var layers = new TreeMap<Integer, TreeSet<String>>(); // of nodes of one height
        var lines = new StringBuilder();
        for (var arrow : arrows) {
            var sender = arrow.edge().sender();
            var receiver = arrow.edge().receiver();
            boolean head = receiver.head() >= 0;
            var to = head ? Sender.head(receiver.layer(), receiver.head()).toString() : receiver.toString();
            layers.computeIfAbsent(height(sender.layer(), sender.head() < 0), key -> new TreeSet<>())
                    .add(sender.toString());
            layers.computeIfAbsent(height(receiver.layer(), !head), key -> new TreeSet<>()).add(to);
            lines.append("  \"%s\" -> \"%s\" [label=\"%s\", color=\"%s\", penwidth=%.2f];%n".formatted(sender, to,
                    ((head ? receiver.input().name().toLowerCase(Locale.ROOT) + " " : "") + arrow.label()).strip(),
                    arrow.color(), arrow.width()));
        }
        var dot = new StringBuilder("digraph edges {\n  rankdir=BT;\n  node [shape=box, style=rounded];\n");
        layers.values().forEach(nodes -> {
            dot.append("  { rank=same;");
            nodes.forEach(node -> dot.append(" \"").append(node).append("\";"));
            dot.append(" }\n");
        });
        return dot.append(lines).append("}\n").toString();
    }

    /** Heads of a layer are below its FFN. */
    private static int height(int layer, boolean isFfn) {
        return layer == Receiver.LOGITS.layer() ? layer : 2 * layer + (isFfn ? 1 : 0);
    }
}
