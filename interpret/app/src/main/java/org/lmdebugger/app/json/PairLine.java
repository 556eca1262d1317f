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
    /** Reads a line. @throws IllegalArgumentException naming what is wrong with it */
    public static Pair read(String line) {
        var read = JsonReader.readLine(line, PairLine.class);
        return new Pair(Prompt.of(given("clean", read.clean)), Prompt.of(given("corrupted", read.corrupted)),
                tokens("answers", read.answers), tokens("wrong", read.wrong), positions(read.positions));
    }

    private static Map<String, Integer> positions(Map<String, Integer> positions) {
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
