package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.lmdebugger.app.store.CacheFile.DamagedException;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.interpret.values.Projections;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.interpret.values.ValueVectors.Reading;
import org.lmdebugger.interpret.values.cluster.ClusterOptions;
import org.lmdebugger.interpret.values.cluster.Clusters;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A cache of costly results about a model's value vectors in files: of each model, identified by its fingerprint, in a
 * folder of its own. Files are mapped, are there whole or not at all, and are checked whenever they are
 * opened; damaged ones are computed again. Of several processes that need the same, one computes it and the others
 * wait. All methods may be called from any thread; results live until {@link #close}.
 */
public final class ValueCache implements AutoCloseable {
    /** Tokens of a vector's projection, at the top and at the bottom: as many as the original indexes. */
    public static final int TOKENS = 50;

    /** Of the files' form and of how their content is computed: one more with every change. */
    private static final int VERSION = 1;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final Logger LOG = LoggerFactory.getLogger(ValueCache.class);

    private final Path folder;
    private final String fingerprint;
    private final String precision;
    private final ValueVectors vectors;
    private final Arena arena = Arena.ofShared();

    /**
     * The cache of a model.
     *
     * @param folder      that of all models
     * @param fingerprint the model's {@link Gpt2#fingerprint}
     */
    public ValueCache(Path folder, Gpt2 model, String fingerprint) {
        this.folder = folder.resolve("values").resolve(fingerprint);
        this.fingerprint = fingerprint;
        precision = model.device().precision().toString().toLowerCase(Locale.ROOT);
        vectors = new ValueVectors(model);
    }

    /** Returns the vectors that it is about. */
    public ValueVectors vectors() {
        return vectors;
    }

    /** Returns the raw projections of all vectors, {@value #TOKENS} tokens each. */
    public Entry<Projections> projections() {
        return new Entry<>("projections", "%d tokens, raw".formatted(TOKENS), vectors.byteSize(TOKENS),
                data -> vectors.projections(TOKENS, data),
                (data, progress) -> vectors.project(TOKENS, Reading.RAW, data, progress));
    }

    /** Returns the vectors in as many clusters as usual. */
    public Entry<Clusters> clusters() {
        return clusters(ClusterOptions.of(vectors).count());
    }

    /** Returns the vectors in {@code count} clusters. */
    public Entry<Clusters> clusters(int count) {
        int n = vectors.count();
        return new Entry<>("clusters-" + count, count + " clusters", 4L * (n + 1), data -> Clusters.of(
                vectors, Clusters.Method.values()[data.getAtIndex(I32, 0)], data.asSlice(4).toArray(I32)),
                (data, progress) -> {
                    var clusters = Clusters.of(vectors, ClusterOptions.of(vectors).count(count), progress);
                    data.setAtIndex(I32, 0, clusters.method().ordinal());
                    MemorySegment.copy(clusters.labels(), 0, data, I32, 4, n);
                });
    }

    private interface Builder {
        void build(MemorySegment data, Progress progress);
    }

    /** A result that is cached, or can be built. */
    public final class Entry<T> implements Cached<T> {
        private final String name;
        private final Path path;
        private final CacheFile file;
        private final long byteSize;
        private final Function<MemorySegment, T> reader;
        private final Builder builder;

        private Entry(String name, String content, long byteSize, Function<MemorySegment, T> reader, Builder builder) {
            this.name = name.replaceFirst("-.*", "");
            path = folder.resolve(name + "-" + precision);
            file = new CacheFile(path,
                    "LM-Debugger, %s, version %d%nmodel %s%n%s, %s, %d vectors%n".formatted(this.name, VERSION,
                            fingerprint,
                            content, precision, vectors.count()),
                    byteSize);
            this.byteSize = byteSize;
            this.reader = reader;
            this.builder = builder;
        }

        /** Returns its name, one word. */
        public String name() {
            return name;
        }

        @Override
        public Optional<T> find() {
            try {
                return Optional.ofNullable(file.read(arena)).map(reader);
            } catch (DamagedException damage) {
                LOG.warn("{}: damaged, {}; it is built again", path, damage.getMessage());
                return Optional.empty();
            } catch (IOException failure) {
                throw new UncheckedIOException(path + ": cannot be read", failure);
            }
        }

        @Override
        public T get(Progress progress) {
            return find().orElseGet(() -> locked(progress, false));
        }

        /** Builds the result, whether it is cached or not. */
        public T rebuild(Progress progress) {
            return locked(progress, true);
        }

        private T locked(Progress progress, boolean anew) {
            try (var _ = ProcessLock.take(path.resolveSibling(path.getFileName() + ".lock"),
                    () -> progress.report(0, 1))) {
                var there = anew ? Optional.<T>empty() : find(); // another may have built it meanwhile
                if (there.isPresent()) {
                    return there.get();
                }
                try (var memory = Arena.ofShared()) {
                    var data = memory.allocate(byteSize);
                    builder.build(data, progress);
                    file.write(data);
                }
                return find().orElseThrow(() -> new IOException("it is damaged as soon as it is written"));
            } catch (IOException failure) {
                throw new UncheckedIOException(folder + ": cannot be written (see --cache)", failure);
            }
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
