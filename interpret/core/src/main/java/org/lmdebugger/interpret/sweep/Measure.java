package org.lmdebugger.interpret.sweep;

import java.util.Locale;
import java.util.regex.Pattern;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A property of the next-token distribution under an intervention, which a sweep measures. Natural logarithms. Its text
 * form is the name of its column: {@code kl}, {@code entropy}, {@code logit:" king"}, {@code probability:" king"},
 * {@code log-probability:" king"}, {@code rank:" king"}, {@code difference:" king"/" queen"}, {@code top:5}. A token is
 * given as text that is exactly one token, where a leading space is real, or by its id: {@code logit:#620}. Where each
 * prompt has a token of its own, its {@link Target}, it is {@code target} or {@code against}: {@code logit:target},
 * {@code difference:target/against}.
 */
public sealed interface Measure {
    /** KL(clean ‖ edited) in nats, as {@link org.lmdebugger.device.LogitStatistics} computes it. */
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

    /** A quantity of one token. */
    enum Quantity {
        LOGIT, PROBABILITY, LOG_PROBABILITY,
        /** Number of tokens with a strictly greater logit: 0 for the most likely one. */
        RANK;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** The token that a measure is of: the same for all prompts, or each prompt's own. */
    sealed interface Token {
        /** The prompt's {@link Target#token()}. */
        Token TARGET = OfPrompt.TARGET;
        /** The prompt's {@link Target#against()}. */
        Token AGAINST = OfPrompt.AGAINST;

        /** A token that is given by itself. */
        sealed interface Fixed extends Token {
            /** @throws IllegalArgumentException if it is not one token of that model */
            int idIn(Tokenizer tokenizer);
        }

        /** A token as text that is exactly one, where a leading space is real. */
        record OfText(String text) implements Fixed {
            @Override
            public int idIn(Tokenizer tokenizer) {
                return tokenizer.single(text);
            }

            @Override
            public String toString() {
                return "\"" + text + "\"";
            }
        }

        /** A token by its id. */
        record OfId(int id) implements Fixed {
            @Override
            public int idIn(Tokenizer tokenizer) {
                tokenizer.raw(id); // throws for an id that is none
                return id;
            }

            @Override
            public String toString() {
                return "#" + id;
            }
        }

        /** One of the tokens of the prompt's {@link Target}. */
        enum OfPrompt implements Token {
            TARGET, AGAINST;

            @Override
            public String toString() {
                return name().toLowerCase(Locale.ROOT);
            }
        }

        static Fixed of(String text) {
            return new OfText(text);
        }

        static Fixed ofId(int id) {
            return new OfId(id);
        }

        /** Returns the token of an id, such as {@code #620}, or else of a text, which has no quotation marks around it. */
        static Fixed ofTextOrId(String text) {
            return text.matches("#\\d{1,9}") ? ofId(Integer.parseInt(text.substring(1))) : of(text);
        }
    }

    /** A measured quantity of one token. */
    record OfToken(Quantity quantity, Token token) implements Measure {
        @Override
        public String toString() {
            return quantity + ":" + token;
        }
    }

    /** logit(token) − logit(other). */
    record Difference(Token token, Token other) implements Measure {
        @Override
        public String toString() {
            return "difference:" + token + "/" + other;
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

    /**
     * A measure of a program's own, computed on the host. Its name is that of its column; two are equal if name and
     * function are.
     */
    record Own(String name, OfLogits function) implements Measure {
        @Override
        public String toString() {
            return name;
        }
    }

    /** A function of the logits of the whole vocabulary. */
    @FunctionalInterface
    interface OfLogits {
        /**
         * Returns the measure; finite for a prompt without an intervention.
         *
         * @param logits one for each token, by id; the function's own to change
         */
        float measure(float[] logits);
    }

    /**
     * A measure of a program's own. All logits of every intervention are copied to the host for it. The function is
     * called by the thread that sweeps, and by several if a sweep is on several devices.
     */
    static Measure own(String name, OfLogits function) {
        return new Own(name, function);
    }

    /** A measure of a program's own, computed on the device; equal as {@link Own} is. */
    record OwnOnDevice(String name, OfLogitTile function) implements Measure {
        @Override
        public String toString() {
            return name;
        }
    }

    /** A function of the logits of several rows, queued on the device. */
    @FunctionalInterface
    interface OfLogitTile {
        /**
         * Queues the work that computes the measure of each row; finite for a prompt without an intervention. An
         * element of {@code values} that nothing is written to is NaN.
         *
         * @param session operations of the sweep's device, in whose order the work takes its place: own kernels by
         *     {@link Operations#access}. It and the other two tensors are lent until the function returns
         * @param logits  [n, V], read-only; n is at most the device's
         *     {@link org.lmdebugger.device.DeviceTraits#logitRows}
         * @param values  [n, 1], the output
         */
        void measure(Operations session, Tensor logits, Tensor values);
    }

    /**
     * A measure of a program's own, computed on the device: only its numbers are copied to the host. The function is
     * called by the thread that sweeps, and by several, each with the session of its device, if a sweep is on several
     * devices. Further tensors that it uses are the program's: on that device, and open until the sweep has ended. An
     * exception that it throws ends the sweep.
     */
    static Measure ownOnDevice(String name, OfLogitTile function) {
        return new OwnOnDevice(name, function);
    }

    static Measure kl() {
        return new Kl();
    }

    static Measure entropy() {
        return new Entropy();
    }

    static Measure logit(String token) {
        return of(Quantity.LOGIT, Token.of(token));
    }

    static Measure probability(String token) {
        return of(Quantity.PROBABILITY, Token.of(token));
    }

    static Measure logProbability(String token) {
        return of(Quantity.LOG_PROBABILITY, Token.of(token));
    }

    static Measure rank(String token) {
        return of(Quantity.RANK, Token.of(token));
    }

    static Measure difference(String token, String other) {
        return difference(Token.of(token), Token.of(other));
    }

    /** Returns logit(token) − logit(other), for example of {@link Token#TARGET} and {@link Token#AGAINST}. */
    static Measure difference(Token token, Token other) {
        return new Difference(token, other);
    }

    /** Returns a quantity of a token, for example of each prompt's {@link Token#TARGET}. */
    static Measure of(Quantity quantity, Token token) {
        return new OfToken(quantity, token);
    }

    /** Returns a quantity of the token with this id. */
    static Measure of(Quantity quantity, int id) {
        return of(quantity, Token.ofId(id));
    }

    static Measure top(int count) {
        return new Top(count);
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of a measure */
    static Measure parse(String text) {
        var ofToken = Text.OF_TOKEN.matcher(text);
        if (text.equals("kl")) {
            return kl();
        } else if (text.equals("entropy")) {
            return entropy();
        } else if (text.matches("top:\\d{1,9}")) {
            return top(Integer.parseInt(text.substring(4)));
        } else if (text.startsWith(Text.DIFFERENCE)) {
            return difference(text);
        } else if (ofToken.matches()) {
            return new OfToken(Quantity.valueOf(ofToken.group(1).toUpperCase(Locale.ROOT).replace('-', '_')),
                    token(ofToken.group(2)));
        }
        throw wrong(text);
    }

    private static Measure difference(String text) {
        var tokens = text.substring(Text.DIFFERENCE.length());
        int slash; // the one between the two tokens
        if (!tokens.startsWith("\"")) {
            slash = tokens.indexOf('/');
        } else if (tokens.endsWith("\"")) {
            slash = tokens.indexOf(Text.BETWEEN, 2) + 1; // a token has a quotation mark and a character before it, and one after
            if (slash > 0 && tokens.lastIndexOf(Text.BETWEEN, tokens.length() - 5) >= slash) {
                throw new IllegalArgumentException(
                        "measure: " + Shown.of(text) + " (expected: a token with a quotation mark in it by its "
                                + "id, as in difference:#620/\" queen\")");
            }
        } else {
            slash = tokens.lastIndexOf('/');
        }
        if (slash < 1 || !Text.TOKEN.matcher(tokens.substring(0, slash)).matches()
                || !Text.TOKEN.matcher(tokens.substring(slash + 1)).matches()) {
            throw wrong(text);
        }
        return new Difference(token(tokens.substring(0, slash)), token(tokens.substring(slash + 1)));
    }

    private static IllegalArgumentException wrong(String text) {
        return new IllegalArgumentException(
                "measure: " + Shown.of(text) + " (expected: kl, entropy, logit:\" king\", probability:\" king\", "
                        + "log-probability:\" king\", rank:\" king\", difference:\" king\"/\" queen\" or top:5; "
                        + "a token is a text in quotation marks, an id such as #620, target or against)");
    }

    private static Token token(String text) {
        return switch (text) {
            case "target" -> Token.TARGET;
            case "against" -> Token.AGAINST;
            default -> text.startsWith("#") ? Token.ofTextOrId(text) : Token.of(text.substring(1, text.length() - 1));
        };
    }

    /** Forms of texts. */
    final class Text {
        private static final String DIFFERENCE = "difference:";
        private static final String BETWEEN = "\"/\"";
        private static final Pattern TOKEN = Pattern.compile("\".+\"|#\\d{1,9}|target|against", Pattern.DOTALL);
        private static final Pattern OF_TOKEN = Pattern
                .compile("(logit|probability|log-probability|rank):(" + TOKEN + ")", Pattern.DOTALL);

        private Text() {
        }
    }
}
