package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import org.lmdebugger.model.Gpt2Config;

/**
 * A part of the network that adds to the residual stream: the embedding of tokens and positions, a head (its mixed values
 * times its rows of W_O), or a feed-forward layer (FFN). Biases, which are the same in all runs, belong to none. Its text
 * form is {@code embedding}, {@code L0H3} or {@code L1.ffn}; senders are ordered as the computation goes.
 *
 * @param layer −1 for the embedding
 * @param head  −1 unless it is a head
 */
public record Sender(Kind kind, int layer, int head) implements Comparable<Sender> {
    /** The sender that comes first in every model. */
    public static final Sender EMBEDDING = new Sender(Kind.EMBEDDING, -1, -1);

    private static final Comparator<Sender> ORDER = Comparator.comparingInt(Sender::layer).thenComparing(Sender::kind)
            .thenComparingInt(Sender::head);
    private static final Pattern FORM = Pattern
            .compile("(?<embedding>embedding)|L(?<layer>\\d{1,4})(H(?<head>\\d{1,4})|\\.ffn)");

    /** The kinds of senders. */
    public enum Kind {
        EMBEDDING, HEAD, FFN
    }

    public static Sender head(int layer, int head) {
        return new Sender(Kind.HEAD, layer, head);
    }

    public static Sender ffn(int layer) {
        return new Sender(Kind.FFN, layer, -1);
    }

    /** Returns all senders of a model, in order. */
    static List<Sender> all(Gpt2Config config) {
        var all = new ArrayList<Sender>();
        all.add(EMBEDDING);
        for (int l = 0; l < config.layers(); l++) {
            for (int h = 0; h < config.heads(); h++) {
                all.add(head(l, h));
            }
            all.add(ffn(l));
        }
        return all;
    }

    /** Returns the sender of a text form. @throws IllegalArgumentException if it is none */
    public static Sender parse(String text) {
        var form = FORM.matcher(text);
        if (!form.matches()) {
            throw Edge.wrong("sender", text, "embedding, a head such as L0H3, or an FFN such as L1.ffn");
        }
        if (form.group("embedding") != null) {
            return EMBEDDING;
        }
        int layer = Integer.parseInt(form.group("layer"));
        return form.group("head") == null ? ffn(layer) : head(layer, Integer.parseInt(form.group("head")));
    }

    @Override
    public int compareTo(Sender other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return switch (kind) {
            case EMBEDDING -> "embedding";
            case HEAD -> "L" + layer + "H" + head;
            case FFN -> "L" + layer + ".ffn";
        };
    }
}
