package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.corpus.Corpora;
import org.lmdebugger.interpret.corpus.Corpus;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The corpora of a model, and one of stories that comes along, {@value #BUNDLED}, which is built when it is first used.
 * Any thread may use it.
 */
public final class CorpusStore implements References {
    /** The name of the corpus that comes along. */
    public static final String BUNDLED = "stories";

    private static final Path TEXT = Path.of("stories.txt");

    private final Gpt2 model;
    private final Supplier<Path> cache;
    private final Supplier<Progress> progress;
    private Corpora corpora; // guarded by this; null before it is needed, as a fingerprint takes a while

    /**
     * The corpora of a model.
     *
     * @param cache    the folder of cached results of all models; looked for when it is needed
     * @param progress of a build that an edit causes
     */
    public CorpusStore(Gpt2 model, Supplier<Path> cache, Supplier<Progress> progress) {
        this.model = model;
        this.cache = cache;
        this.progress = progress;
    }

    /** Returns the corpora that were built. */
    public synchronized Corpora corpora() {
        if (corpora == null) {
            corpora = new Corpora(cache.get(), model);
        }
        return corpora;
    }

    @Override
    public CorpusStatistics find(String name) {
        return mustBeBuilt(name) ? bundled().get(progress.get()) : corpora().find(name);
    }

    /**
     * Returns the corpora that edits over HTTP take from. The one that comes along is not built for an edit, which would
     * keep all other requests waiting.
     */
    public References ofServer() {
        return name -> {
            if (mustBeBuilt(name)) {
                throw new IllegalArgumentException(("corpus: %s: not built for this model (expected: "
                        + "GET /api/v1/corpora/%1$s first, which builds it)").formatted(name));
            }
            return corpora().find(name);
        };
    }

    /** Returns whether the corpus that comes along is meant, and none of this name is there. */
    public boolean mustBeBuilt(String name) {
        return name.equals(BUNDLED) && corpora().list().stream().noneMatch(each -> each.name().equals(BUNDLED));
    }

    /** Returns the corpus that comes along, or another one that was built under its name. */
    public Cached<CorpusStatistics> bundled() {
        return new Cached<>() {
            @Override
            public Optional<CorpusStatistics> find() {
                return mustBeBuilt(BUNDLED) ? Optional.empty() : Optional.of(corpora().find(BUNDLED));
            }

            @Override
            public CorpusStatistics get(Progress building) {
                return corpora().build(BUNDLED, stories(), building);
            }
        };
    }

    private Corpus stories() {
        try (var text = CorpusStore.class.getResourceAsStream("/org/lmdebugger/corpora/" + TEXT);
                var documents = Documents.texts(TEXT, text)) {
            return Corpus.of(model, documents, model.config().positions());
        } catch (IOException failure) {
            throw new UncheckedIOException(TEXT + ": cannot be read", failure);
        }
    }
}
