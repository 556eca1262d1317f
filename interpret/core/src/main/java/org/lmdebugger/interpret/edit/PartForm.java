package org.lmdebugger.interpret.edit;

import java.util.Optional;
import java.util.function.BiFunction;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The text forms of a {@link Part}: our own, then the names of TransformerLens' hooks. */
enum PartForm {
    NEURON("L(\\d{1,9})D(\\d{1,9})", (layer, m) -> new Neuron(layer, number(m.group(2)))),
    HEAD("L(\\d{1,9})H(\\d{1,9}|\\*)(?:\\.(q|k|v|pattern))?",
            (layer, m) -> new Head(layer, head(m.group(2)), Head.Vector.of(m.group(3)))),
    RESIDUAL("L(\\d{1,9})\\.(pre|mid|post|attention|ffn)",
            (layer, m) -> new Residual(layer, Residual.Point.of(m.group(2)))),
    STREAM_HOOK("blocks\\.(\\d{1,9})\\.hook_resid_(pre|mid|post)",
            (layer, m) -> new Residual(layer, Residual.Point.of(m.group(2)))),
    OUTPUT_HOOK("blocks\\.(\\d{1,9})\\.hook_(attn|mlp)_out",
            (layer, m) -> new Residual(layer,
                    m.group(2).equals("attn") ? Residual.Point.ATTENTION : Residual.Point.FFN)),
    HEAD_HOOK("blocks\\.(\\d{1,9})\\.attn\\.hook_(z|q|k|v|pattern)(?:\\[(\\d{1,9})])?",
            (layer, m) -> new Head(layer, m.group(3) == null ? Head.ALL : number(m.group(3)),
                    Head.Vector.of(m.group(2).equals("z") ? null : m.group(2)))),
    NEURON_HOOK("blocks\\.(\\d{1,9})\\.mlp\\.hook_post\\[(\\d{1,9})]",
            (layer, m) -> new Neuron(layer, number(m.group(2))));

    private final Pattern pattern;
    private final BiFunction<Integer, MatchResult, Part> reader;

    PartForm(String pattern, BiFunction<Integer, MatchResult, Part> reader) {
        this.pattern = Pattern.compile(pattern);
        this.reader = reader;
    }

    /** Returns the part; empty if {@code text} has another form. */
    Optional<Part> read(String text) {
        var parts = pattern.matcher(text);
        return parts.matches() ? Optional.of(reader.apply(number(parts.group(1)), parts)) : Optional.empty();
    }

    private static int number(String digits) {
        return Integer.parseInt(digits);
    }

    private static int head(String text) {
        return text.equals("*") ? Head.ALL : number(text);
    }
}
