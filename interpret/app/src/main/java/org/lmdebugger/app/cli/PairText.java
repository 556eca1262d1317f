package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.patch.Averages.Statistic;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;

/** Pairs of prompts and their logit differences as lines for people. */
final class PairText {
    private static final int WIDTH = 80;

    private final Gpt2 model;

    PairText(Gpt2 model) {
        this.model = model;
    }

    /** Returns the model, and where it computes. */
    String model() {
        return "%s on %s, %s".formatted(model.files().name(), model.device().name(),
                model.device().precision().toString().toLowerCase(Locale.ROOT));
    }

    /** Returns the name of what is measured. */
    static String name(Optional<Measure> measure) {
        return measure.map(Measure::toString).orElse("logit difference");
    }

    /** Prints the prompts' tokens, the tokens that are compared, and the pair's logit differences. */
    void print(PrintWriter out, Pair pair, Baseline baseline) {
        print(out, pair, baseline, Optional.empty());
    }

    /** Prints the same of a pair of which another number is measured. */
    void print(PrintWriter out, Pair pair, Baseline baseline, Optional<Measure> measure) {
        out.println(prompt("clean", texts(model.encode(pair.clean()))));
        out.println(prompt("corrupted", texts(model.encode(pair.corrupted()))));
        out.println("answer %s, wrong %s; %s: clean %+.4f, corrupted %+.4f".formatted(tokens(pair.answers()),
                tokens(pair.wrong()), name(measure), baseline.clean(), baseline.corrupted()));
    }

    /** Returns how often the model is right, before anything is patched. */
    static String right(List<Baseline> baselines) {
        return right(baselines, Optional.empty());
    }

    /** Returns the same of pairs of which another number is measured. */
    static String right(List<Baseline> baselines, Optional<Measure> measure) {
        long right = baselines.stream().filter(Baseline::right).count();
        return "the model is right on %,d of %,d pairs; mean %s: clean %+.4f, corrupted %+.4f".formatted(
                right, baselines.size(), name(measure),
                baselines.stream().mapToDouble(Baseline::clean).average().orElseThrow(),
                baselines.stream().mapToDouble(Baseline::corrupted).average().orElseThrow());
    }

    private static String prompt(String name, List<String> texts) {
        var words = new ArrayList<>(List.of(name));
        IntStream.range(0, texts.size()).forEach(i -> words.add(i + ":" + texts.get(i)));
        return Text.wrap(words, WIDTH);
    }

    List<String> texts(int[] ids) {
        return Arrays.stream(ids).mapToObj(id -> Text.visible(model.tokenizer().text(id))).toList();
    }

    private String tokens(List<Measure.Token.Fixed> tokens) {
        return tokens.stream().map(token -> Text.visible(model.tokenizer().text(token.idIn(model.tokenizer()))))
                .collect(Collectors.joining(" "));
    }

    static String number(double number) {
        return "%+.4f".formatted(number);
    }

    static String number(Statistic statistic) {
        return "%+.4f ± %.4f".formatted(statistic.mean(), statistic.error());
    }
}
