package org.lmdebugger.app.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "delete", mixinStandardHelpOptions = true,
        description = "Deletes a corpus that was built for the model, and what an interrupted build of it has left.")
final class CorpusDeleteCommand extends ModelCommand {
    @Parameters(paramLabel = "NAME", description = "The name of the corpus.")
    private String name;

    @Override
    public Integer call() {
        return model.withCorpora((debugger, corpora) -> {
            corpora.corpora().delete(name);
            return 0;
        });
    }
}
