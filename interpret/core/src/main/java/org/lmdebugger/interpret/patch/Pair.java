package org.lmdebugger.interpret.patch;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.Lens;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.text.Shown;

/**
 * Two prompts of equal length that differ in the information in question, and the next tokens that tell which of them
 * the model follows.
 *
 * @param clean     a prompt after which one of {@code answers} is right
 * @param corrupted the same without the information, after which one of {@code wrong} is right, or nothing is
 * @param answers   the right tokens after the clean prompt, at least one
 * @param wrong     the tokens that they are compared with, at least one
 * @param roles     positions by name, such as {@code subject}: pairs of different length are averaged by these; kept in
 *                  this order
 */
public record Pair(Prompt clean, Prompt corrupted, List<Measure.Token.Fixed> answers, List<Measure.Token.Fixed> wrong,
        Map<String, Integer> roles) {
    public Pair {
        answers = List.copyOf(answers);
        wrong = List.copyOf(wrong);
        roles = Collections.unmodifiableMap(new LinkedHashMap<>(roles));
        if (answers.isEmpty() || wrong.isEmpty()) {
            throw new IllegalArgumentException((answers.isEmpty() ? "answers" : "wrong")
                    + ": none (expected: at least one token)");
        }
    }

    /** Returns a pair of texts with one answer each, without roles. */
    public static Pair of(String clean, String corrupted, String answer, String wrong) {
        return new Pair(Prompt.of(clean), Prompt.of(corrupted), List.of(Measure.Token.of(answer)),
                List.of(Measure.Token.of(wrong)), Map.of());
    }

    /**
     * Returns a pair without roles, where the likeliest token after a prompt stands for tokens that are not given.
     *
     * @param answers the right tokens after the clean prompt; empty for the likeliest one
     * @param wrong   those that they are compared with; empty for the likeliest one after the corrupted prompt
     * @throws IllegalArgumentException if neither is given and the likeliest tokens are the same
     */
    public static Pair completed(Gpt2 model, Prompt clean, Prompt corrupted, List<Measure.Token.Fixed> answers,
            List<Measure.Token.Fixed> wrong) {
        var right = answers.isEmpty() ? likeliest(model, clean) : answers;
        var others = wrong.isEmpty() ? likeliest(model, corrupted) : wrong;
        if (answers.isEmpty() && right.equals(others)) {
            var tokenizer = model.tokenizer();
            throw new IllegalArgumentException(
                    "answers: none, and the likeliest token is the same after both prompts, \"%s\" (expected: answers and wrong tokens, such as \" girl\" and \" boy\")"
                            .formatted(Shown.of(tokenizer.text(right.getFirst().idIn(tokenizer)))));
        }
        return new Pair(clean, corrupted, right, others, Map.of());
    }

    private static List<Measure.Token.Fixed> likeliest(Gpt2 model, Prompt prompt) {
        var ids = model.encode(prompt);
        try (var run = Activations.forward(model, ids, CompiledIntervention.NONE,
                Activations.Keep.KEYS_AND_VALUES)) {
            var last = run.residualPost(model.config().layers() - 1).row(ids.length - 1);
            return List.of(Measure.Token.ofId(Lens.of(model).tokens(last, 1).getFirst().getFirst().id()));
        }
    }

    /** Returns the same pair with other roles. */
    public Pair roles(Map<String, Integer> positions) {
        return new Pair(clean, corrupted, answers, wrong, positions);
    }

    /** Returns the number of tokens of each prompt. @throws IllegalArgumentException if the pair does not fit the model */
    public int length(Gpt2 model) {
        return ids(model).length();
    }

    /** A pair in a model's tokens: prompts of equal length, and answers that are one token each. */
    public record Ids(int[] clean, int[] corrupted, int[] answers, int[] wrong) {
        public int length() {
            return clean.length;
        }

        /** Returns mean logit of the answers − mean logit of the wrong tokens. */
        public double difference(Logits logits) {
            return mean(answers, logits) - mean(wrong, logits);
        }

        /** Returns the gradient of that difference by the logits of a vocabulary. */
        public float[] gradient(int vocabulary) {
            var gradient = new float[vocabulary];
            Arrays.stream(answers).forEach(token -> gradient[token] = 1f / answers.length);
            Arrays.stream(wrong).forEach(token -> gradient[token] = -1f / wrong.length);
            return gradient;
        }

        private static double mean(int[] tokens, Logits logits) {
            return Arrays.stream(tokens).mapToDouble(logits::of).sum() / tokens.length;
        }
    }

    /** The logits of tokens, but for a number that all of them share. */
    @FunctionalInterface
    public interface Logits {
        double of(int token);
    }

    /** Returns the pair in the model's tokens. @throws IllegalArgumentException if it does not fit the model */
    public Ids ids(Gpt2 model) {
        var tokenizer = model.tokenizer();
        var ids = new Ids(model.encode(clean), model.encode(corrupted),
                answers.stream().mapToInt(token -> token.idIn(tokenizer)).distinct().toArray(),
                wrong.stream().mapToInt(token -> token.idIn(tokenizer)).distinct().toArray());
        if (ids.clean.length != ids.corrupted.length) {
            int differ = Arrays.mismatch(ids.clean, ids.corrupted);
            throw new IllegalArgumentException(
                    "pair: prompts of %d and %d tokens, which differ from position %d on: %s and %s (expected: equal lengths)"
                            .formatted(ids.clean.length, ids.corrupted.length, differ,
                                    quoted(model, ids.clean, differ), quoted(model, ids.corrupted, differ)));
        }
        Arrays.stream(ids.answers).filter(id -> Arrays.stream(ids.wrong).anyMatch(other -> other == id)).findFirst()
                .ifPresent(id -> {
                    throw new IllegalArgumentException("answers: \"%s\" is also wrong (expected: different tokens)"
                            .formatted(Shown.of(tokenizer.text(id))));
                });
        roles.forEach((role, position) -> {
            if (position < 0 || position >= ids.length()) {
                throw new IllegalArgumentException("role: %s: position %d (expected: 0 to %d)"
                        .formatted(Shown.of(role), position, ids.length() - 1));
            }
        });
        return ids;
    }

    private static String quoted(Gpt2 model, int[] ids, int position) {
        return position == ids.length ? "the end" : '"' + Shown.of(model.tokenizer().text(ids[position])) + '"';
    }
}
