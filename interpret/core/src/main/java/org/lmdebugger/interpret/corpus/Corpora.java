package org.lmdebugger.interpret.corpus;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.corpus.CorpusFile.Head;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;
import org.lmdebugger.text.Shown;

/**
 * The corpora of a model, by name, in a folder of the model's own: each is one file, which is there whole or not at all
 * and is checked when it is opened. Any thread may use it.
 */
public final class Corpora implements References {
    private static final String ENDING = ".corpus";
    private static final int ROWS = 1024; // of a batch
    private static final long SAVED_EVERY = 30_000_000_000L; // nanoseconds
    private static final int COMPUTED = 20; // times as long as writing the state takes, between two of them

    private final Path folder; // of all models
    private final Gpt2 model;
    private final String precision;
    private final int rows;
    private final long savedEvery;
    private final Map<String, CorpusStatistics> opened = new ConcurrentHashMap<>();

    /** Makes the corpora of a model. @param cache the folder of cached results of all models */
    public Corpora(Path cache, Gpt2 model) {
        this(cache, model, ROWS, SAVED_EVERY);
    }

    /**
     * @param rows       tokens of a batch, or one window; sums do not depend on it, but the rounding of the network's
     *                   products may
     * @param savedEvery nanoseconds between two states that an interrupted build goes on from, or more, so that writing
     *                   them takes a small part of the time; 0 after each batch
     */
    Corpora(Path cache, Gpt2 model, int rows, long savedEvery) {
        folder = cache.resolve("corpora");
        this.model = model;
        precision = model.device().precision().toString().toLowerCase(Locale.ROOT);
        this.rows = rows;
        this.savedEvery = savedEvery;
    }

    /**
     * A corpus of the folder.
     *
     * @param window  tokens of a full window
     * @param hash    of the corpus, {@link Corpus#hash}
     * @param bytes   of its file
     */
    public record Entry(String name, int documents, int tokens, int window, String hash, long bytes) {
    }

    private Path own() {
        return folder.resolve(model.fingerprint());
    }

    private Path file(String name) {
        if (!name.matches(Operation.CORPUS)) {
            throw new IllegalArgumentException(
                    "corpus: %s (expected: a name of up to 64 letters, digits, dots, hyphens and underscores)"
                            .formatted(Shown.of(name)));
        }
        return own().resolve(name + ENDING);
    }

    /** Returns the corpora of the model that are finished, by name. */
    public List<Entry> list() {
        if (!Files.isDirectory(own())) {
            return List.of();
        }
        try (var files = Files.list(own())) {
            var entries = new ArrayList<Entry>();
            for (var file : files.filter(each -> each.toString().endsWith(ENDING)).sorted().toList()) {
                var name = file.getFileName().toString();
                var head = CorpusFile.head(file);
                if (head.isPresent()) {
                    entries.add(new Entry(name.substring(0, name.length() - ENDING.length()), head.get().documents(),
                            head.get().tokens(), head.get().window(), head.get().hash(), Files.size(file)));
                }
            }
            return entries;
        } catch (IOException failure) {
            throw new UncheckedIOException(own() + ": cannot be read", failure);
        }
    }

    /**
     * Returns a corpus that was built.
     *
     * @throws IllegalArgumentException if there is none of this name, or its file is damaged, or it was built in another
     *                                  precision
     */
    @Override
    public CorpusStatistics find(String name) {
        var file = file(name);
        var known = opened.get(name);
        try {
            var head = CorpusFile.head(file);
            if (known != null && head.isPresent() && head.get().hash().equals(known.corpus().hash())) {
                return known;
            }
            if (head.isPresent() && !head.get().precision().equals(precision)) {
                throw new IllegalArgumentException("corpus: %s: built in %s (expected: %s, as this model computes)"
                        .formatted(name, head.get().precision(), precision));
            }
            var found = read(name, file).orElseThrow(() -> new IllegalArgumentException(
                    "corpus: %s: damaged (expected: a whole file; build it again)".formatted(file)));
            opened.put(name, found);
            return found;
        } catch (NoSuchFileException none) {
            var all = list().stream().map(Entry::name).toList();
            throw new IllegalArgumentException("corpus: %s: not built for this model (expected: %s)".formatted(name,
                    all.isEmpty() ? "one that was built before; there are none"
                            : "one of " + String.join(", ", all)),
                    none);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }

    private Optional<CorpusStatistics> read(String name, Path file) throws IOException {
        return CorpusFile.read(file, this::shape).map(content -> statistics(name, content));
    }

    private CorpusStatistics statistics(String name, CorpusFile.Content content) {
        return new CorpusStatistics(name, model.config(), content);
    }

    private Shape shape(Corpus corpus) {
        return Shape.of(model.config(), corpus);
    }

    /**
     * Computes the statistics of a corpus and keeps them under a name, in the place of what may be there; if the same
     * corpus is there already, returns that. An interrupted build of the same corpus goes on where it last saved its
     * state, to the same bits. Of several processes that build one, the others wait.
     *
     * <p>Device memory, beside the weights: {@link #bytes}, and 11d+f numbers for each row of a batch. Host memory: the
     * tables of a layer.
     *
     * @param progress of the tokens; an exception ends the build, which can be resumed
     * @throws IllegalArgumentException if the name is none, or the network's numbers are not finite
     * @throws UncheckedIOException     if the folder cannot be written; the last state that was saved stays
     * @throws OutOfDeviceMemoryException if the device has too little memory for the tables
     */
    public CorpusStatistics build(String name, Corpus corpus, Progress progress) {
        var file = file(name);
        try (var _ = ProcessLock.take(file.resolveSibling(name + ".lock"), () -> progress.report(0, corpus.tokens()))) {
            var wanted = head(corpus, corpus.windows().size());
            if (!(Files.exists(file) && CorpusFile.head(file).filter(wanted::isLike).isPresent()
                    && read(name, file).isPresent())) {
                compute(corpus, file, file.resolveSibling(name + ".building"), progress);
                CorpusFile.readOwn(file, this::shape).ifPresent(own -> opened.put(name, statistics(name, own)));
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be written (see --cache)", failure);
        }
        return find(name);
    }

    private Head head(Corpus corpus, int done) {
        return new Head(model.fingerprint(), precision, corpus.hash(), corpus.window(), corpus.documents(),
                corpus.tokens(), done);
    }

    private void compute(Corpus corpus, Path file, Path building, Progress progress) throws IOException {
        try (var pass = new CorpusPass(model, shape(corpus))) {
            compute(corpus, pass, file, building, progress);
        } catch (OutOfDeviceMemoryException failure) {
            throw new OutOfDeviceMemoryException(
                    "corpus: %,d bytes of tables beside the model and a batch (expected: a device with as much memory, or "
                            .formatted(bytes(corpus)) + "a smaller --window): " + failure.getMessage(),
                    failure);
        }
    }

    private void compute(Corpus corpus, CorpusPass pass, Path file, Path building, Progress progress)
            throws IOException {
        int done = start(corpus, pass, building);
        long tokens = corpus.windows().stream().limit(done).mapToLong(Corpus.Window::length).sum();
        var source = new Batch.Source(corpus);
        long saved = System.nanoTime();
        long due = savedEvery;
        while (done < corpus.windows().size()) {
            var batch = source.at(done, rows);
            pass.add(batch);
            done += batch.windows().size();
            tokens += batch.rows();
            boolean cancelled = true;
            try {
                progress.report(tokens, corpus.tokens());
                cancelled = false;
            } finally {
                if (cancelled || System.nanoTime() - saved >= due) {
                    long start = System.nanoTime();
                    write(building, corpus, done, pass);
                    saved = System.nanoTime();
                    due = savedEvery == 0 ? 0 : Math.max(savedEvery, COMPUTED * (saved - start));
                }
            }
        }
        write(file, corpus, done, pass);
        Files.deleteIfExists(building);
    }

    private void write(Path file, Corpus corpus, int done, CorpusPass pass) throws IOException {
        CorpusFile.write(file, head(corpus, done), corpus, shape(corpus), pass::save);
    }

    /** Sets the tables to those of a saved state, or as they are before the first window. Returns its number of windows. */
    private int start(Corpus corpus, CorpusPass pass, Path building) throws IOException {
        boolean is = Files.exists(building) && CorpusFile.head(building).filter(head(corpus, 0)::isLike).isPresent();
        var state = is ? CorpusFile.read(building, this::shape) : Optional.<CorpusFile.Content>empty();
        try (var arena = Arena.ofConfined()) {
            var shape = shape(corpus);
            var layers = state.isPresent() ? state.get().layers()
                    : Collections.nCopies(shape.layers(), LayerTables.initial(shape, arena));
            IntStream.range(0, shape.layers()).forEach(l -> pass.restore(l, layers.get(l)));
        }
        return state.map(content -> content.head().done()).orElse(0);
    }

    /** Returns the bytes of a corpus' tables, in the device's memory while it is built and in its file afterwards. */
    public long bytes(Corpus corpus) {
        var shape = shape(corpus);
        return shape.layers() * shape.layerBytes();
    }

    /** Deletes a corpus, and the state of an interrupted build. @throws IllegalArgumentException if there is none */
    public void delete(String name) {
        var file = file(name);
        try {
            boolean building = Files.deleteIfExists(file.resolveSibling(name + ".building"));
            if (!Files.deleteIfExists(file) && !building) {
                throw new IllegalArgumentException("corpus: %s: not there".formatted(name));
            }
            opened.remove(name);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be deleted", failure);
        }
    }
}
