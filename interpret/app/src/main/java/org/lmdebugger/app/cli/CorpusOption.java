package org.lmdebugger.app.cli;

import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import picocli.CommandLine.Option;

/** The corpus that a command reads. */
final class CorpusOption {
    @Option(names = "--corpus", paramLabel = "NAME", description = "A corpus that lmdebug corpus build has made; or "
            + CorpusStore.BUNDLED + ", which comes along and is built when it is first used.")
    private String name;

    boolean isGiven() {
        return name != null;
    }

    /** Returns the corpus; without the option the one that comes along. */
    CorpusStatistics find(CorpusStore corpora) {
        return corpora.find(isGiven() ? name : CorpusStore.BUNDLED);
    }
}
