package org.lmdebugger.app.json;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;

/**
 * A line of a data set of pairs.
 *
 * @param positions of the pair's roles, by name; null for none
 */
public record PairLine(String clean, String corrupted, List<String> answers, List<String> wrong,
        Map<String, Integer> positions) {
    /** Returns the pair. @throws IllegalArgumentException if something is missing */
    public Pair pair() {
        return new Pair(Prompt.of(given("clean", clean)), Prompt.of(given("corrupted", corrupted)),
                tokens("answers", answers), tokens("wrong", wrong), roles());
    }

    private Map<String, Integer> roles() {
        if (positions == null) {
            return Map.of();
        }
        positions.forEach((role, position) -> given("positions." + role, position));
        return positions;
    }

    private static List<Measure.Token.Fixed> tokens(String name, List<String> texts) {
        if (given(name, texts).stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException(name + ": null (expected: texts of one token each)");
        }
        return texts.stream().map(Measure.Token::ofTextOrId).toList();
    }

    private static <T> T given(String name, T value) {
        if (value == null) {
            throw new IllegalArgumentException(
                    name + ": missing (expected: clean, corrupted, answers, wrong and, if there "
                            + "are roles, positions)");
        }
        return value;
    }
}
