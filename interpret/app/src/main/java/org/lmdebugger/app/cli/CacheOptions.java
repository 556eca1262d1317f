package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.function.Function;
import org.lmdebugger.app.store.Folders;
import org.lmdebugger.app.store.ValueCache;
import org.lmdebugger.interpret.Debugger;
import picocli.CommandLine.Option;

/** The folder of cached results. */
final class CacheOptions {
    @Option(names = "--cache", paramLabel = "DIR",
            description = "Where results are cached that are computed once for a model, corpora among them (default: "
                    + "$XDG_CACHE_HOME/lmdebugger, else ~/.cache/lmdebugger).")
    private Path cache;

    Path folder() {
        return cache == null ? Folders.cache() : cache;
    }

    /** Does {@code work} with the cache of a model. */
    <T> T with(Debugger debugger, Function<ValueCache, T> work) {
        try (var opened = new ValueCache(folder(), debugger.model(), debugger.model().fingerprint())) {
            return work.apply(opened);
        }
    }
}
