package org.lmdebugger.interpret.edge;

import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.lmdebugger.model.Gpt2Config;

/**
 * A part of a model: some of its edges, which are kept. Along all others, receivers read the outputs of another prompt's
 * run.
 *
 * @param edges in order
 */
public record Circuit(SortedSet<Edge> edges) {
    public Circuit {
        edges = Collections.unmodifiableSortedSet(new TreeSet<>(edges));
    }

    public static Circuit of(Collection<Edge> edges) {
        return new Circuit(new TreeSet<>(edges));
    }

    /** Returns the whole model. */
    public static Circuit all(Gpt2Config config) {
        return of(Edge.all(config));
    }

    /**
     * Returns the circuit of heads and FFNs: all edges between these, from the embedding and into the logits.
     *
     * @throws IllegalArgumentException if the model has not one of them
     */
    public static Circuit ofParts(Gpt2Config config, Collection<Sender> parts) {
        var kept = new HashSet<>(parts);
        kept.add(Sender.EMBEDDING);
        parts.forEach(part -> new Edge(part, Receiver.LOGITS).check(config));
        return of(Edge.all(config).stream()
                .filter(edge -> kept.contains(edge.sender()) && kept.containsAll(part(edge.receiver()))).toList());
    }

    /** Returns the part that a receiver belongs to; none for the logits. */
    private static List<Sender> part(Receiver receiver) {
        return switch (receiver.input()) {
            case LOGITS -> List.of();
            case FFN -> List.of(Sender.ffn(receiver.layer()));
            default -> List.of(Sender.head(receiver.layer(), receiver.head()));
        };
    }

    /** Returns the same circuit without some edges. */
    public Circuit without(Collection<Edge> removed) {
        var rest = new TreeSet<>(edges);
        rest.removeAll(removed);
        return new Circuit(rest);
    }
}
