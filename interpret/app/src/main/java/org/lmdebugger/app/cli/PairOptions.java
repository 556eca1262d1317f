package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.app.json.PairLine;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Prompt;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A pair of prompts with the tokens that are compared, or a data set of such pairs. */
final class PairOptions {
    @Parameters(paramLabel = "CLEAN CORRUPTED", arity = "0..2",
            description = "Two prompts of equally many tokens, which differ in the information in question.")
    private List<String> prompts = new ArrayList<>();

    @Option(names = "--answer", paramLabel = "T",
            description = "The right token after CLEAN; mind the leading space. Repeatable: their mean counts. "
                    + "Default: the likeliest one.")
    private List<String> answers = new ArrayList<>();

    @Option(names = "--wrong", paramLabel = "T",
            description = "The token that it is compared with. Repeatable. Default: the likeliest one after CORRUPTED.")
    private List<String> wrong = new ArrayList<>();

    @Option(names = "--pairs", paramLabel = "FILE",
            description = "A data set instead of two prompts, averaged: on each line "
                    + "{\"clean\":\"…\",\"corrupted\":\"…\",\"answers\":[\"…\"],\"wrong\":[\"…\"],\"positions\":{\"subject\":3}}; "
                    + "positions, by role, are optional.")
    private Path pairs;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    /** Checks that there is either one pair or a data set. */
    void check() {
        if (pairs == null ? prompts.size() != 2 : !(prompts.isEmpty() && answers.isEmpty() && wrong.isEmpty())) {
            throw new IllegalArgumentException("%s: %d prompts%s (expected: CLEAN and CORRUPTED; or --pairs alone)"
                    .formatted(spec.name(), prompts.size(), pairs == null ? "" : ", --pairs and, it may be, answers"));
        }
    }

    boolean isDataSet() {
        return pairs != null;
    }

    /** Reads the data set. @throws IllegalArgumentException naming file and line, if a line is wrong */
    Lines<PairLine> lines() {
        return Lines.read(pairs, line -> JsonReader.readLine(line, PairLine.class));
    }

    /** Returns pairs of lines. @throws IllegalArgumentException naming file and line, if one does not fit the model */
    static Lines<Pair> fitting(Debugger debugger, Lines<PairLine> lines) {
        return lines.map(line -> {
            var pair = line.pair();
            pair.length(debugger.model());
            return pair;
        });
    }

    /** Returns the one pair. @throws IllegalArgumentException if a token is wrong, or the likeliest ones are the same */
    Pair pair(Debugger debugger) {
        return Pair.completed(debugger.model(), Prompt.of(prompts.getFirst()), Prompt.of(prompts.getLast()),
                tokens(answers), tokens(wrong));
    }

    private static List<Measure.Token.Fixed> tokens(List<String> texts) {
        return texts.stream().map(Measure.Token::ofTextOrId).toList();
    }
}
