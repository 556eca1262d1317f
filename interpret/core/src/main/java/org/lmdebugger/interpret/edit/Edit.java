package org.lmdebugger.interpret.edit;

import java.util.Optional;
import java.util.regex.Pattern;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.text.Shown;

/**
 * A change of one part of the network at some positions. What is set is what the network uses.
 *
 * <p>Text form: a {@link Part}, one of {@code =0} (set), {@code *=2} (scale), {@code +=1.5} (add; a neuron),
 * {@code =from:"other prompt"} (the part at the same position of another prompt's run), {@code =mean:NAME} or
 * {@code =mean-at:NAME} (its mean over a corpus, or over its tokens at the same position), {@code =resample:NAME#7} (the
 * part at the same position of a text of a corpus, drawn by the seed 7; 0 if it is left out), {@code =on} or {@code =off}
 * (LM-Debugger's switch; a neuron), {@code +=4*DIRECTION} (add a {@link Direction}, times a factor; with
 * {@code +=0.5*norm*DIRECTION} also times the norm of the row) or {@code -=DIRECTION} (project it out); then, unless all
 * positions are meant, {@code @} and {@link Positions}: {@code L12D345*=2@last}. A link names its key after the
 * positions: {@code L5H3.link=off@7->2}.
 *
 * <table>
 * <caption>Operations of each part</caption>
 * <tr><td>neuron</td><td>set, scale, add, from, mean, resample, on, off</td></tr>
 * <tr><td>z, queries, keys, values of a head</td><td>set to 0, scale, from, mean, resample, add a
 * direction of a head's width</td></tr>
 * <tr><td>pattern of a head</td><td>from, resample</td></tr>
 * <tr><td>link</td><td>off</td></tr>
 * <tr><td>residual stream, outputs</td><td>set to 0, scale, from, mean, resample, add a direction; the stream also:
 * times its norm, project out</td></tr>
 * </table>
 */
public record Edit(Part part, Operation operation, Positions positions) {
    private static final Pattern HEAD = Pattern
            .compile("(L\\d{1,9}H\\*(?:\\.\\w+)?|[\\w.\\[\\]]+)\\s*+(=|\\*=|\\+=|-=)\\s*+");
    private static final Pattern LINK = Pattern.compile("L(\\d{1,9})H(\\d{1,9})\\.link");
    private static final Pattern NUMBER = Pattern
            .compile("NaN|[-+]?(?:Infinity|(?:\\d++(?:\\.\\d*+)?|\\.\\d++)(?:[eE][-+]?\\d++)?)");
    private static final Pattern DIRECTION = Pattern.compile("\\*|L\\d+D|token:|\\.npy#|\\.safetensors#");
    private static final Pattern STEER = Pattern.compile("(?:(" + NUMBER + ")\\s*\\*\\s*)?(norm\\s*\\*\\s*)?(.+)",
            Pattern.DOTALL);
    private static final Pattern OF_CORPUS = Pattern.compile("(mean|mean-at):(%s)|resample:(%<s)(?:#(\\d{1,18}))?"
            .formatted(Operation.CORPUS));
    private static final String FROM = "from:\"";
    private static final String FORM = "(expected: L12D345=0, *=2, +=1.5, =from:\"other prompt\", =mean:NAME, =on or =off; or L5H3=0, "
            + "L5.mid+=4*L3D42, L5.post-=L3D42, L5H3.link=off@7->2; then @last, @generated, @3, @1,4 or @2..5 if not all)";

    /** @throws IllegalArgumentException if the part has no such operation */
    public Edit {
        if (!allows(part, operation)) {
            throw new IllegalArgumentException("edit: %s (expected: an operation of this part: %s)"
                    .formatted(Shown.of(part + text(operation)), operations(part)));
        }
        if (positions == Positions.EACH) {
            throw new IllegalArgumentException("edit: " + part + "@each (expected: positions; each is a sweep's)");
        }
    }

    /** A change of neuron {@code neuron} of layer {@code layer}. */
    public Edit(int layer, int neuron, Operation operation, Positions positions) {
        this(new Neuron(layer, neuron), operation, positions);
    }

    private static boolean allows(Part part, Operation operation) {
        return switch (part) {
            case Neuron _ ->
                    !(operation instanceof Operation.AddDirection || operation instanceof Operation.ProjectOut);
            case Link _ -> operation instanceof Operation.Off;
            case Head head when head.vector() == Head.Vector.PATTERN -> operation instanceof Operation.From
                    || operation instanceof Operation.Resample;
            case Head _ -> isOfVector(operation)
                    || operation instanceof Operation.AddDirection add && !add.timesNorm();
            case Residual residual -> isOfVector(operation)
                    || operation instanceof Operation.AddDirection add && (residual.isStream() || !add.timesNorm())
                    || operation instanceof Operation.ProjectOut && residual.isStream();
        };
    }

    private static boolean isOfVector(Operation operation) {
        return operation instanceof Operation.Set(float value) && value == 0 || operation instanceof Operation.Scale
                || operation instanceof Operation.From || operation instanceof Operation.Mean
                || operation instanceof Operation.Resample;
    }

    private static String operations(Part part) {
        return switch (part) {
            case Neuron _ -> "=0, *=2, +=1.5, =from:\"other prompt\", =mean:NAME, =resample:NAME, =on, =off";
            case Link _ -> "=off";
            case Head head when head.vector() == Head.Vector.PATTERN -> "=from:\"other prompt\", =resample:NAME";
            case Head _ -> "=0, *=2, =from:\"other prompt\", =mean:NAME, =resample:NAME, +=4*vectors.npy#3";
            case Residual residual -> "=0, *=2, =from:\"other prompt\", =mean:NAME, =resample:NAME, +=4*L3D42"
                    + (residual.isStream() ? ", +=0.5*norm*L3D42, -=L3D42" : "");
        };
    }

    /** A change of a part: of a coefficient m, or of a vector. */
    public sealed interface Operation {
        /** Sets the part to {@code value}; a vector to 0 only. */
        record Set(float value) implements Operation {
            public Set {
                finite(value);
            }
        }

        /** Multiplies the part by {@code factor}. */
        record Scale(float factor) implements Operation {
            public Scale {
                finite(factor);
            }
        }

        /** Adds {@code amount} to m. */
        record Add(float amount) implements Operation {
            public Add {
                finite(amount);
            }
        }

        /** Adds {@code factor} · {@code direction}; if {@code timesNorm}, also times the norm of the row before. */
        record AddDirection(float factor, boolean timesNorm, Direction direction) implements Operation {
            public AddDirection {
                finite(factor);
            }
        }

        /** Takes the row's part along {@code direction} away: x − (x·d ÷ d·d)·d. */
        record ProjectOut(Direction direction) implements Operation {
        }

        /**
         * The part becomes what it is at the same position of {@code prompt}, which must have the position. A prompt of
         * ids is shown as {@code from:#464,582}, and edits after it; neither is read as text.
         *
         * @param under edits that hold in that prompt's run; in the text form there are none
         */
        record From(Prompt prompt, Intervention under) implements Operation {
            public From(Prompt prompt) {
                this(prompt, Intervention.NONE);
            }

            public From(String prompt) {
                this(Prompt.of(prompt));
            }

            @Override
            public String toString() {
                return "from:" + prompt + (under.isEmpty() ? "" : " under " + String.join("; ", under.texts()));
            }
        }

        /** Form of a corpus' name. */
        String CORPUS = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";

        /**
         * The part becomes its mean over a corpus.
         *
         * @param corpus     its name
         * @param atPosition whether over the tokens at the same position of their windows alone, and not over all
         */
        record Mean(String corpus, boolean atPosition) implements Operation {
            @Override
            public String toString() {
                return (atPosition ? "mean-at:" : "mean:") + corpus;
            }
        }

        /**
         * The part becomes what it is at the same position of a corpus' window that has the position.
         *
         * @param corpus its name
         * @param seed   by which the window is drawn
         */
        record Resample(String corpus, long seed) implements Operation {
            @Override
            public String toString() {
                return "resample:" + corpus + (seed == 0 ? "" : "#" + seed);
            }
        }

        /**
         * LM-Debugger's (Geva et al., 2022) switch to on: before the activation the neuron becomes the largest score of
         * its layer at the last position of the unedited prompt, plus 0.01.
         */
        record On() implements Operation {
        }

        /** LM-Debugger's switch to off: before the activation the neuron becomes 0. A link: its score becomes −∞. */
        record Off() implements Operation {
        }

        /** Returns whether this is LM-Debugger's switch, {@link On} or {@link Off}. */
        default boolean isSwitch() {
            return this instanceof On || this instanceof Off;
        }

        /** Returns the name of the corpus that a mean or a text is taken from, if one is. */
        default Optional<String> fromCorpus() {
            return switch (this) {
                case Mean(var corpus, _) -> Optional.of(corpus);
                case Resample(var corpus, _) -> Optional.of(corpus);
                default -> Optional.empty();
            };
        }

        private static void finite(float value) {
            if (!Float.isFinite(value)) {
                throw new IllegalArgumentException("edit: " + value + " (expected: a finite number)");
            }
        }
    }

    /** Returns the layer that is edited. */
    public int layer() {
        return part.layer();
    }

    /** Switches a value vector off: its coefficient becomes 0 at all positions. */
    public static Edit off(int layer, int neuron) {
        return new Edit(layer, neuron, new Operation.Set(0), Positions.ALL);
    }

    /** @throws IllegalArgumentException if {@code text} is not an edit in its text form */
    public static Edit parse(String text) {
        var head = HEAD.matcher(text.strip());
        if (!head.lookingAt()) {
            throw wrong(text, "");
        }
        var rest = text.strip().substring(head.end());
        boolean from = head.group(2).equals("=") && rest.startsWith(FROM);
        int closing = Math.max(rest.lastIndexOf('"'), rest.lastIndexOf('#')); // of what may have an @ in it
        int end = from ? rest.lastIndexOf('"') : rest.indexOf('@', Math.max(closing, 0)); // of what is written
        if (from && end < FROM.length()) {
            throw wrong(text, "");
        }
        var operation = from ? new Operation.From(rest.substring(FROM.length(), end))
                : operation(text, head.group(2), (end < 0 ? rest : rest.substring(0, end)).strip());
        var where = from ? rest.substring(end + 1).strip() : end < 0 ? "" : rest.substring(end);
        if (!where.isEmpty() && !where.startsWith("@")) {
            throw wrong(text, "");
        }
        var link = LINK.matcher(head.group(1));
        if (link.matches()) {
            return link(text, Integer.parseInt(link.group(1)), Integer.parseInt(link.group(2)), operation, where);
        }
        var positions = where.isEmpty() ? Positions.ALL : Positions.parse(where.substring(1));
        return new Edit(part(text, head.group(1)), operation, positions);
    }

    private static Part part(String text, String name) {
        try {
            return Part.parse(name);
        } catch (IllegalArgumentException failure) {
            throw wrong(text, "");
        }
    }

    private static Edit link(String text, int layer, int head, Operation operation, String where) {
        int arrow = where.indexOf("->");
        if (arrow < 0 || !where.substring(arrow + 2).matches("\\d{1,9}")) {
            throw new IllegalArgumentException("edit: " + Shown.of(text)
                    + " (expected: a query and a key, as in L5H3.link=off@7->2)");
        }
        return new Edit(new Link(layer, head, Integer.parseInt(where.substring(arrow + 2))), operation,
                Positions.parse(where.substring(1, arrow)));
    }

    private static Operation operation(String text, String sign, String number) {
        if (sign.equals("=") && number.equals("on")) {
            return new Operation.On();
        } else if (sign.equals("=") && number.equals("off")) {
            return new Operation.Off();
        }
        var ofCorpus = sign.equals("=") ? ofCorpus(number) : Optional.<Operation>empty();
        if (ofCorpus.isPresent()) {
            return ofCorpus.get();
        }
        if (sign.equals("-=")) {
            return new Operation.ProjectOut(Direction.parse(number));
        } else if (sign.equals("+=") && isDirection(number)) {
            return steer(text, number);
        }
        if (!NUMBER.matcher(number).matches()) { // Java's own numbers, such as 1f and 0x1p3, are not meant
            throw wrong(text, number.isEmpty() ? "" : ": " + Shown.of(number) + " is not a number");
        }
        float value = finite(text, number);
        return switch (sign) {
            case "*=" -> new Operation.Scale(value);
            case "+=" -> new Operation.Add(value);
            default -> new Operation.Set(value);
        };
    }

    /** Reads {@code mean:NAME}, {@code mean-at:NAME}, {@code resample:NAME} or {@code resample:NAME#SEED}. */
    static Optional<Operation> ofCorpus(String text) {
        var form = OF_CORPUS.matcher(text);
        if (!form.matches()) {
            return Optional.empty();
        }
        return Optional.of(form.group(1) != null ? new Operation.Mean(form.group(2), form.group(1).equals("mean-at"))
                : new Operation.Resample(form.group(3), form.group(4) == null ? 0 : Long.parseLong(form.group(4))));
    }

    /** Returns whether a text after {@code +=} names a direction; what is neither it nor a number is a wrong number. */
    static boolean isDirection(String sum) {
        return DIRECTION.matcher(sum).find();
    }

    static Operation steer(String text, String sum) {
        var parts = STEER.matcher(sum);
        if (!parts.matches()) {
            throw wrong(text, "");
        }
        return new Operation.AddDirection(parts.group(1) == null ? 1 : finite(text, parts.group(1)),
                parts.group(2) != null, Direction.parse(parts.group(3)));
    }

    private static float finite(String text, String number) {
        float value = Float.parseFloat(number);
        if (!Float.isFinite(value)) {
            throw new IllegalArgumentException(
                    "edit: %s: %s (expected: a finite number)".formatted(Shown.of(text), Shown.of(number)));
        }
        return value;
    }

    private static IllegalArgumentException wrong(String text, String why) {
        return new IllegalArgumentException("edit: " + Shown.of(text) + why + " " + FORM);
    }

    /** Returns the text form. */
    @Override
    public String toString() {
        return part + text(operation) + (part instanceof Link link ? "@" + positions + "->" + link.key()
                : positions.equals(Positions.ALL) ? "" : "@" + positions);
    }

    private static String text(Operation operation) {
        return switch (operation) {
            case Operation.Set set -> "=" + number(set.value());
            case Operation.Scale scale -> "*=" + number(scale.factor());
            case Operation.Add add -> "+=" + number(add.amount());
            case Operation.AddDirection add -> "+=" + (add.factor() == 1 ? "" : number(add.factor()) + "*")
                    + (add.timesNorm() ? "norm*" : "") + add.direction();
            case Operation.ProjectOut out -> "-=" + out.direction();
            case Operation.From _,Operation.Mean _,Operation.Resample _ -> "=" + operation;
            case Operation.On _ -> "=on";
            case Operation.Off _ -> "=off";
        };
    }

    private static String number(float value) {
        return Float.compare(value, (int) value) == 0 ? String.valueOf((int) value) : String.valueOf(value);
    }
}
