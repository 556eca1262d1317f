package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.lmdebugger.files.ProcessLock;

/**
 * Results as one file, which is written at the end, in the place of the one that may be there. Until then its rows are in
 * a database beside it, so that they may be more than the memory holds.
 */
public final class ResultFile<T> implements ResultOutput<T> {
    private final Path file;
    private final Path lockFile;
    private final ProcessLock lock;
    private final List<Path> rows;
    private final ResultTable<T> table;

    private ResultFile(Path file, ProcessLock lock, Function<Optional<Path>, ResultTable<T>> table)
            throws IOException {
        this.file = file;
        this.lock = lock;
        lockFile = beside(file, ".lock");
        rows = List.of(beside(file, ".rows"), beside(file, ".rows.wal"));
        lockFile.toFile().deleteOnExit(); // whatever ends the process, but a kill
        rows.forEach(each -> each.toFile().deleteOnExit());
        deleteRows(); // of a process that was killed
        this.table = table.apply(Optional.of(rows.getFirst()));
    }

    /**
     * Takes the place, so that a mistake shows now and not after an hour.
     *
     * @param table makes a table whose rows are in that file, which is a new one
     * @throws IllegalArgumentException if another process is going to write this file
     * @throws UncheckedIOException     if it cannot be written
     */
    public static <T> ResultFile<T> open(Path file, Function<Optional<Path>, ResultTable<T>> table) {
        try {
            var lock = ProcessLock.tryTake(beside(file, ".lock")).orElseThrow(() -> new IllegalArgumentException(
                    file + ": another process is going to write it (expected: a file of its own)"));
            try {
                return new ResultFile<>(file, lock, table);
            } catch (Throwable failure) {
                lock.close();
                throw failure;
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be written", failure);
        }
    }

    private static Path beside(Path file, String ending) {
        return file.resolveSibling("." + file.getFileName() + ending);
    }

    private void deleteRows() throws IOException {
        for (var each : rows) {
            Files.deleteIfExists(each);
        }
    }

    @Override
    public Optional<Path> kept(int chunk) {
        return Optional.empty();
    }

    @Override
    public void add(int chunk, T results) {
        table.add(results);
    }

    @Override
    public void complete() {
        table.write(file);
    }

    @Override
    public void close() {
        table.close();
        try (lock) {
            deleteRows();
            Files.deleteIfExists(lockFile);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": what is beside it cannot be deleted", failure);
        }
    }
}
