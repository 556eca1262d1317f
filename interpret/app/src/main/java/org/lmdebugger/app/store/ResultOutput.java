package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.util.Optional;

/** The place where a command keeps all its results, chunk by chunk. One process at a time writes there. */
public interface ResultOutput<T> extends AutoCloseable {
    /** Returns the file of a chunk's results; empty if they are to be computed. */
    Optional<Path> kept(int chunk);

    /** Keeps the results of a chunk that is not kept yet. @throws java.io.UncheckedIOException if they cannot be written */
    void add(int chunk, T results);

    /** Completes the output, once all chunks are added. @throws java.io.UncheckedIOException if it cannot be written */
    void complete();

    @Override
    void close();
}
