package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.lmdebugger.app.ranking.WordSearch;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.LazyBuild;
import org.lmdebugger.app.store.Names;
import org.lmdebugger.app.store.ValueCache;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections;
import org.lmdebugger.interpret.values.cluster.Clusters;

/** The names of the model's value vectors, and the indexes that are built of them at the first request. */
public final class ValueStore implements AutoCloseable {
    private final Names names;
    private final LazyBuild<Projections, WordSearch> words;
    private final LazyBuild<Clusters, Clusters> clusters;
    private final Inference inference;
    private final Path folder;
    private ValueCache cache; // guarded by this; null before it is needed, as a fingerprint takes a while
    private boolean closed;

    /**
     * The value vectors of a server's model.
     *
     * @param data  the folder of saved names
     * @param cache the folder of cached results
     */
    public ValueStore(Inference inference, Path data, Path cache) {
        this.inference = inference;
        folder = cache;
        var model = inference.debugger().model();
        int steps = model.config().layers() * model.config().feedForwardWidth();
        names = new Names(data, model::fingerprint);
        words = new LazyBuild<>("projections", steps, inference.queue(), () -> cache().projections(),
                projections -> new WordSearch(projections, cache().vectors(), model.tokenizer()));
        clusters = new LazyBuild<>("clusters", steps, inference.queue(), () -> cache().clusters(), built -> built);
    }

    private synchronized ValueCache cache() {
        if (closed) {
            throw new IllegalStateException("value vectors: the server has stopped");
        }
        if (cache == null) {
            var model = inference.debugger().model();
            cache = new ValueCache(folder, model, model.fingerprint());
        }
        return cache;
    }

    Names names() {
        return names;
    }

    /** Returns names to show beside value vectors: none if their file is damaged, which {@link Names#all} reports. */
    Map<Neuron, String> shownNames() {
        try {
            return names.all();
        } catch (UncheckedIOException damaged) {
            return Map.of();
        }
    }

    /** Answers with the search by words; while that is being built, with the progress. */
    void withWords(Context context, Consumer<WordSearch> answer) {
        with(context, words, answer);
    }

    /** Answers with the usual clusters; while these are being built, with the progress. */
    void withClusters(Context context, Consumer<Clusters> answer) {
        with(context, clusters, answer);
    }

    private static <T> void with(Context context, LazyBuild<?, T> build, Consumer<T> answer) {
        build.get().ifPresentOrElse(answer, () -> {
            context.status(202);
            Responses.json(context, build.progress());
        });
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (cache != null) {
            cache.close();
        }
    }
}
