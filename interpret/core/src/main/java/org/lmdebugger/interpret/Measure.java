package org.lmdebugger.interpret;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a sweep measures of the next-token distribution under an intervention. Natural logarithms. Its text form is the
 * name of its column: {@code kl}, {@code entropy}, {@code logit:" king"}, {@code probability:" king"},
 * {@code log-probability:" king"}, {@code rank:" king"}, {@code difference:" king"/" queen"}, {@code top:5}. A token is
 * given as text that is exactly one token; a leading space is real.
 */
public sealed interface Measure {
    /** KL(clean ‖ edited) in nats, as {@link org.lmdebugger.device.Measures} computes it. */
    record Kl() implements Measure {
        @Override
        public String toString() {
            return "kl";
        }
    }

    /** −Σ p·log p in nats. */
    record Entropy() implements Measure {
        @Override
        public String toString() {
            return "entropy";
        }
    }

    /** What is measured of one token. */
    enum Quantity {
        LOGIT, PROBABILITY, LOG_PROBABILITY,
        /** Number of tokens with a strictly greater logit, from 0. */
        RANK;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** A quantity of one token. */
    record OfToken(Quantity quantity, String token) implements Measure {
        @Override
        public String toString() {
            return quantity + ":\"" + token + "\"";
        }
    }

    /** logit(token) − logit(other). */
    record Difference(String token, String other) implements Measure {
        @Override
        public String toString() {
            return "difference:\"" + token + "\"/\"" + other + "\"";
        }
    }

    /** The {@code count} likeliest tokens and their probabilities. */
    record Top(int count) implements Measure {
        public Top {
            if (count < 1) {
                throw new IllegalArgumentException("measure: top:%d (expected: at least 1)".formatted(count));
            }
        }

        @Override
        public String toString() {
            return "top:" + count;
        }
    }

    static Measure kl() {
        return new Kl();
    }

    static Measure entropy() {
        return new Entropy();
    }

    static Measure logit(String token) {
        return new OfToken(Quantity.LOGIT, token);
    }

    static Measure probability(String token) {
        return new OfToken(Quantity.PROBABILITY, token);
    }

    static Measure logProbability(String token) {
        return new OfToken(Quantity.LOG_PROBABILITY, token);
    }

    static Measure rank(String token) {
        return new OfToken(Quantity.RANK, token);
    }

    static Measure difference(String token, String other) {
        return new Difference(token, other);
    }

    static Measure top(int count) {
        return new Top(count);
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of a measure */
    static Measure parse(String text) {
        var ofToken = Text.OF_TOKEN.matcher(text);
        var difference = Text.DIFFERENCE.matcher(text);
        if (text.equals("kl")) {
            return kl();
        } else if (text.equals("entropy")) {
            return entropy();
        } else if (text.matches("top:\\d{1,9}")) {
            return top(Integer.parseInt(text.substring(4)));
        } else if (difference.matches()) {
            return difference(difference.group(1), difference.group(2));
        } else if (ofToken.matches()) {
            return ofToken(ofToken);
        }
        throw new IllegalArgumentException("measure: " + text + " (expected: kl, entropy, logit:\" king\", probability:\" king\", "
                + "log-probability:\" king\", rank:\" king\", difference:\" king\"/\" queen\" or top:5)");
    }

    private static Measure ofToken(Matcher parts) {
        var quantity = Quantity.valueOf(parts.group(1).toUpperCase(Locale.ROOT).replace('-', '_'));
        return new OfToken(quantity, parts.group(2));
    }

    /** Forms of texts. */
    final class Text {
        private static final Pattern OF_TOKEN = Pattern.compile("(logit|probability|log-probability|rank):\"(.+)\"", Pattern.DOTALL);
        private static final Pattern DIFFERENCE = Pattern.compile("difference:\"(.+)\"/\"(.+)\"", Pattern.DOTALL);

        private Text() {
        }
    }
}
