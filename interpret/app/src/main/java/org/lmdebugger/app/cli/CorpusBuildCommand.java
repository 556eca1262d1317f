package org.lmdebugger.app.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.app.store.Documents;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.model.Gpt2;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "build", mixinStandardHelpOptions = true,
        description = "Reads documents and computes statistics and examples of them, which are kept for the model. The same "
                + "command goes on after an interruption, to the same results.")
final class CorpusBuildCommand extends ModelCommand {
    @Parameters(paramLabel = "FILE", arity = "1..*", description = "Text, in which <|endoftext|> stands between "
            + "documents; JSON lines (.jsonl); or Parquet (.parquet). The first two also compressed (.gz).")
    private List<Path> files = new ArrayList<>();

    @Option(names = "--name", paramLabel = "N",
            description = "The name of the corpus (default: the first file's, up to its "
                    + "first dot).")
    private String name;

    @Option(names = "--window", paramLabel = "W",
            description = "Tokens of a window, in which documents are cut (default: "
                    + "as many as the model has positions).")
    private Integer window;

    @Option(names = "--field", paramLabel = "F", defaultValue = "text",
            description = "The field of JSON lines, or the column, that has the text (default: ${DEFAULT-VALUE}).")
    private String field;

    @Override
    public Integer call() {
        for (var file : files) {
            if (!Files.isReadable(file) || Files.isDirectory(file)) {
                throw new IllegalArgumentException(file + ": cannot be read (expected: a file)");
            }
        }
        var named = name == null ? files.getFirst().getFileName().toString().replaceFirst("(?<=.)\\..*", "") : name;
        return model.withCorpora((debugger, corpora) -> {
            var corpus = corpus(debugger.model());
            var out = spec.commandLine().getOut();
            out.println(size(named, corpus));
            out.flush();
            var computed = new long[1]; // tokens
            var first = new long[] {-1};
            long start = System.nanoTime();
            try (var bar = BuildBar.ofTokens(named)) {
                corpora.corpora().build(named, corpus, (done, total) -> {
                    first[0] = first[0] < 0 ? done : first[0];
                    computed[0] = done - first[0];
                    bar.report(done, total);
                });
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            out.println(first[0] < 0 ? "it was there already"
                    : "built in %,.1f s, %,.0f MB".formatted(seconds, corpora.corpora().bytes(corpus) / 1e6)
                            + (computed[0] == 0 ? "" : ", %,.0f tokens a second".formatted(computed[0] / seconds)));
            return 0;
        });
    }

    private Corpus corpus(Gpt2 loaded) {
        try (var documents = Documents.read(files, field)) {
            return Corpus.of(loaded, documents, window == null ? loaded.config().positions() : window);
        }
    }

    static String size(String name, Corpus corpus) {
        return "%s: %s, %s in %s of at most %d".formatted(name, count(corpus.documents(), "document"),
                count(corpus.tokens(), "token"), count(corpus.windows().size(), "window"), corpus.window());
    }

    static String count(int number, String what) {
        return "%,d %s%s".formatted(number, what, number == 1 ? "" : "s");
    }
}
