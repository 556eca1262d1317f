package org.lmdebugger.interpret.edge;

import java.util.Comparator;
import java.util.List;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.text.Shown;

/**
 * The part of a receiver's input that comes from one sender. Its text form is {@code SENDER>RECEIVER}, such as
 * {@code L0H3>L2.ffn}. Edges are ordered by receiver, then by sender.
 */
public record Edge(Sender sender, Receiver receiver) implements Comparable<Edge> {
    private static final Comparator<Edge> ORDER = Comparator.comparing(Edge::receiver).thenComparing(Edge::sender);
    private static final String ALL = "*";

    /** @throws IllegalArgumentException if the sender does not come before the receiver */
    public Edge {
        if (!receiver.reads(sender)) {
            throw wrong("edge", sender + ">" + receiver, "a sender that comes before the receiver");
        }
    }

    /** Returns all edges of a model, in order: of GPT-2 small, 32,491. */
    public static List<Edge> all(Gpt2Config config) {
        return between(Sender.all(config), Receiver.all(config));
    }

    /** Returns the edge of a text form. @throws IllegalArgumentException if it is none */
    public static Edge parse(String text) {
        var sides = sides(text);
        return new Edge(Sender.parse(sides[0]), Receiver.parse(sides[1]));
    }

    /**
     * Returns the edges of a model that a text selects: a text form in which either side may be {@code *}, for all.
     *
     * @throws IllegalArgumentException if it selects none, or a part that the model has not
     */
    public static List<Edge> select(Gpt2Config config, String text) {
        var sides = sides(text);
        if (!sides[0].equals(ALL) && !sides[1].equals(ALL)) {
            var edge = parse(text);
            edge.check(config);
            return List.of(edge);
        }
        var senders = sides[0].equals(ALL) ? Sender.all(config) : List.of(Sender.parse(sides[0]));
        var receivers = sides[1].equals(ALL) ? Receiver.all(config) : List.of(Receiver.parse(sides[1]));
        check(config, text, senders.getLast(), receivers.getFirst());
        var selected = between(senders, receivers);
        if (selected.isEmpty()) {
            throw wrong("edge", text, "a sender that comes before a receiver");
        }
        return selected;
    }

    private static List<Edge> between(List<Sender> senders, List<Receiver> receivers) {
        return receivers.stream().flatMap(receiver -> senders.stream().filter(receiver::reads)
                .map(sender -> new Edge(sender, receiver))).toList();
    }

    private static String[] sides(String text) {
        var sides = text.strip().split(">", -1);
        if (sides.length != 2) {
            throw wrong("edge", text, "SENDER>RECEIVER, such as embedding>L1H2.q, L0H3>L2.ffn or L1.ffn>logits");
        }
        return new String[] {sides[0].strip(), sides[1].strip()};
    }

    /** @throws IllegalArgumentException if the model has not these layers and heads */
    void check(Gpt2Config config) {
        check(config, toString(), sender, receiver);
    }

    private static void check(Gpt2Config config, String text, Sender sender, Receiver receiver) {
        if (sender.layer() >= config.layers() || sender.head() >= config.heads()
                || receiver.input() != Receiver.Input.LOGITS && receiver.layer() >= config.layers()
                || receiver.head() >= config.heads()) {
            throw wrong("edge", text, "layers L0 to L%d and heads H0 to H%d in this model"
                    .formatted(config.layers() - 1, config.heads() - 1));
        }
    }

    static IllegalArgumentException wrong(String thing, String text, String expected) {
        return new IllegalArgumentException("%s: %s (expected: %s)".formatted(thing, Shown.of(text), expected));
    }

    @Override
    public int compareTo(Edge other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return sender + ">" + receiver;
    }
}
