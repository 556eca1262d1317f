package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.lmdebugger.model.Gpt2Config;

/**
 * A part of the network that reads the residual stream through a LayerNorm of its own: the queries, keys or values of a
 * head, a feed-forward layer (FFN), or the logits. Its text form is {@code L1H2.q}, {@code L2.ffn} or {@code logits};
 * receivers are ordered as the computation goes.
 *
 * @param layer {@link Integer#MAX_VALUE} for the logits
 * @param head  −1 unless the input is a head's
 */
public record Receiver(Input input, int layer, int head) implements Comparable<Receiver> {
    /** The receiver that comes last in every model. */
    public static final Receiver LOGITS = new Receiver(Input.LOGITS, Integer.MAX_VALUE, -1);

    private static final Comparator<Receiver> ORDER = Comparator.comparingInt(Receiver::layer)
            .thenComparing(Receiver::input).thenComparingInt(Receiver::head);
    private static final Pattern FORM = Pattern
            .compile("(?<logits>logits)|L(?<layer>\\d{1,4})(H(?<head>\\d{1,4})\\.(?<input>[qkv])|\\.ffn)");

    /** The inputs that a receiver may be. */
    public enum Input {
        /** The queries of a head. */
        Q,
        /** The keys of a head. */
        K,
        /** The values of a head. */
        V, FFN, LOGITS;

        boolean isOfHead() {
            return this == Q || this == K || this == V;
        }
    }

    public static Receiver ffn(int layer) {
        return new Receiver(Input.FFN, layer, -1);
    }

    /** Returns all receivers of a model, in order. */
    static List<Receiver> all(Gpt2Config config) {
        var all = new ArrayList<Receiver>();
        for (int l = 0; l < config.layers(); l++) {
            for (var input : List.of(Input.Q, Input.K, Input.V)) {
                for (int h = 0; h < config.heads(); h++) {
                    all.add(new Receiver(input, l, h));
                }
            }
            all.add(ffn(l));
        }
        all.add(LOGITS);
        return all;
    }

    /** Returns the receiver of a text form. @throws IllegalArgumentException if it is none */
    public static Receiver parse(String text) {
        var form = FORM.matcher(text);
        if (!form.matches()) {
            throw Edge.wrong("receiver", text, "a head's q, k or v such as L1H2.q, an FFN such as L2.ffn, or logits");
        }
        if (form.group("logits") != null) {
            return LOGITS;
        }
        int layer = Integer.parseInt(form.group("layer"));
        return form.group("head") == null ? ffn(layer)
                : new Receiver(Input.valueOf(form.group("input").toUpperCase(Locale.ROOT)), layer,
                        Integer.parseInt(form.group("head")));
    }

    /** Returns whether the sender writes into the residual stream before this receiver reads it. */
    public boolean reads(Sender sender) {
        return sender.layer() < layer
                || sender.layer() == layer && input == Input.FFN && sender.kind() == Sender.Kind.HEAD;
    }

    @Override
    public int compareTo(Receiver other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return switch (input) {
            case Q, K, V -> "L" + layer + "H" + head + "." + input.name().toLowerCase(Locale.ROOT);
            case FFN -> "L" + layer + ".ffn";
            case LOGITS -> "logits";
        };
    }
}
