package org.lmdebugger.app.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.CorpusJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.ValueJson;
import org.lmdebugger.app.ranking.ExampleSearch;
import org.lmdebugger.app.ranking.WordSearch;
import org.lmdebugger.app.ranking.WordSearch.Found;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "search", mixinStandardHelpOptions = true,
        description = "Finds value vectors by words among the 50 tokens that each promotes most, as LM-Debugger does: keywords are "
                + "separated by commas; upper and lower case, and a space before a word, make no difference; vectors with any of them are "
                + "found, and BM25 ranks. With --corpus, by words near the largest coefficients of each neuron in its texts.")
final class ValuesSearchCommand extends ValuesSubcommand {
    private static final int WIDTH = 80;

    @Parameters(paramLabel = "WORDS", description = "Keywords, separated by commas: \"king, queen\".")
    private String words;

    @Option(names = "--top", paramLabel = "N", defaultValue = "10",
            description = "How many, at most (default: ${DEFAULT-VALUE}).")
    private int top;

    @Option(names = "--weigh",
            description = "Multiplies scores with the matching tokens' logits: those that promote the words "
                    + "strongly come first.")
    private boolean weigh;

    @Option(names = "--rebuild",
            description = "Computes the projections of all vectors again, whatever the cache holds.")
    private boolean rebuild;

    @Mixin
    private CorpusOption corpus;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        var terms = WordSearch.keywords(words);
        if (corpus.isGiven()) {
            return inExamples(terms);
        }
        return model.with(debugger -> model.cache().with(debugger, opened -> {
            if (top < 1 || top > opened.vectors().count()) {
                throw new IllegalArgumentException(
                        "--top: %d (expected: 1 to %d)".formatted(top, opened.vectors().count()));
            }
            var search = new WordSearch(BuildBar.get(opened.projections(), rebuild), opened.vectors(),
                    debugger.model().tokenizer());
            print(terms, search.search(words, top, weigh), names.names(debugger).all());
            return 0;
        }));
    }

    /** Searches in the texts of a corpus where neurons have their largest coefficients. */
    private int inExamples(List<String> terms) {
        if (weigh || rebuild) {
            throw new IllegalArgumentException("--corpus: with --weigh or --rebuild (expected: without them)");
        }
        return model.withCorpora((debugger, corpora) -> {
            var vectors = new ValueVectors(debugger.model());
            ValueVectors.check("--top", top, vectors.count());
            var tokenizer = debugger.model().tokenizer();
            var statistics = corpus.find(corpora);
            var found = new ExampleSearch(statistics, vectors, tokenizer).search(words, top);
            var named = names.names(debugger).all();
            var out = spec.commandLine().getOut();
            if (json.isGiven()) {
                out.println(Json.print(CorpusJson.Search.of(terms, statistics, found, named, tokenizer)));
            } else if (found.isEmpty()) {
                out.println(
                        "no neuron has any of these words near its largest coefficients: " + String.join(", ", terms));
            }
            for (var each : json.isGiven() ? List.<ExampleSearch.Found>of() : found) {
                out.println("%s %10.4f%s".formatted(Text.fit(each.vector().toString(), 10), each.score(),
                        named.containsKey(each.vector()) ? "  [" + named.get(each.vector()) + "]" : ""));
                each.examples().forEach(example -> out.println(ExampleLine.of(example, tokenizer)));
            }
            out.flush();
            return 0;
        });
    }

    private void print(List<String> terms, List<Found> found, Map<Neuron, String> named) {
        var out = spec.commandLine().getOut();
        if (json.isGiven()) {
            out.println(Json.print(ValueJson.Search.of(terms, found, named)));
        } else if (found.isEmpty()) {
            out.println("no value vector has any of these words among its tokens: " + String.join(", ", terms));
        } else {
            out.println("vector     score       matches; promotes");
            found.forEach(each -> out.println(Text
                    .fit("%s %10.4f  %s; %s".formatted(Text.fit(each.vector().toString(), 10), each.score(),
                            tokens(each, true), Text.named(named.get(each.vector()), tokens(each, false))), WIDTH)
                    .stripTrailing()));
        }
        out.flush();
    }

    private static String tokens(Found found, boolean matching) {
        return found.tokens().stream().filter(word -> word.matches() == matching)
                .map(word -> Text.visible(word.token())).limit(8)
                .collect(Collectors.joining(" "));
    }
}
