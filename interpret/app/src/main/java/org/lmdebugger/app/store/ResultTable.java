package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Optional;
import org.duckdb.DuckDBAppender;
import org.duckdb.DuckDBConnection;
import org.lmdebugger.files.AtomicFile;

/**
 * Results as a table of DuckDB, called {@code effects}, and from there as a file of any {@link EffectFormat}. A number that
 * is not finite is written as such in Parquet, as {@code nan} or {@code inf} in CSV and TSV, as null in JSON.
 *
 * @param <T> results that are added at a time
 */
public abstract class ResultTable<T> implements AutoCloseable {
    private final DuckDBConnection database;
    private final String place;
    private final String catalog;

    /**
     * @param columns in SQL
     * @param place   a new file, in which the rows are until they are written; memory if it is empty
     * @throws UncheckedIOException if that file cannot be made
     */
    ResultTable(String columns, Optional<Path> place) {
        this.place = place.map(Path::toString).orElse("memory");
        catalog = place.isPresent() ? "place" : "memory"; // "memory" is DuckDB's name
        try {
            database = (DuckDBConnection) DriverManager.getConnection("jdbc:duckdb:");
            if (place.isPresent()) {
                execute("attach %s as place".formatted(EffectFormat.literal(place.get())));
                execute("use place");
            }
            execute("create table effects (%s)".formatted(columns));
        } catch (SQLException failure) {
            throw cannotBeKept(failure);
        }
    }

    /** Appends rows. */
    abstract void append(DuckDBAppender to, T results) throws SQLException;

    /** Returns SQL for the columns, as a file of that format has them. */
    abstract String columns(EffectFormat format);

    /** Adds results. @throws UncheckedIOException if there is no room for them */
    public final void add(T results) {
        try (var appender = database.createAppender(catalog, "main", "effects")) {
            append(appender, results);
        } catch (SQLException failure) {
            throw cannotBeKept(failure);
        }
    }

    private UncheckedIOException cannotBeKept(SQLException failure) {
        return new UncheckedIOException(place + ": results cannot be kept there",
                new IOException(failure.getMessage(), failure));
    }

    /**
     * Writes the results that were added since the last call; the file is there whole or not at all.
     *
     * @param file its name decides the format
     * @throws UncheckedIOException if it cannot be written
     */
    public final void write(Path file) {
        var format = EffectFormat.of(file.toString()).orElseThrow();
        try {
            AtomicFile.write(file, part -> {
                try {
                    execute(format.copy("select %s from effects".formatted(columns(format)), part, file));
                    execute("delete from effects");
                } catch (SQLException failure) {
                    throw new IOException(failure.getMessage(), failure);
                }
            });
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be written", failure);
        }
    }

    private void execute(String sql) throws SQLException {
        try (var statement = database.createStatement()) {
            statement.execute(sql);
        }
    }

    @Override
    public final void close() {
        try {
            database.close();
        } catch (SQLException failure) {
            throw new IllegalStateException("DuckDB cannot be closed", failure);
        }
    }
}
