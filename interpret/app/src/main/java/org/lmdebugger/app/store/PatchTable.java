package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.duckdb.DuckDBConnection;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Patching;

/**
 * Results of patching as a table, in a file of any {@link EffectFormat}: a row for each part and column. A number that is
 * not finite is written as such in Parquet, as {@code nan} or {@code inf} in CSV and TSV, as null in JSON.
 */
public final class PatchTable {
    private static final String KEY = "direction varchar, sites varchar, part varchar, layer integer, \"at\" varchar";

    private PatchTable() {
    }

    /**
     * Checks that a table can be written there, so that a mistake shows now and not after an hour.
     *
     * @throws IllegalArgumentException if the name says no format, or the file's folder is not there
     */
    public static Path checked(String file) {
        var path = Path.of(file).toAbsolutePath();
        if (EffectFormat.of(file).isEmpty() || !Files.isDirectory(path.getParent())) {
            throw new IllegalArgumentException("--out: %s (expected: a name that ends in %s, in a folder that is there)"
                    .formatted(file, EffectFormat.ENDINGS));
        }
        return path;
    }

    /** Writes the grids of one pair. @throws UncheckedIOException if the file cannot be written */
    public static void writeGrids(Path file, List<Grid> grids) {
        write(file, List.of("difference", "effect", "normalised", "kl"),
                grids.stream().flatMap(grid -> rows(grid.patching(), grid.parts(), grid.columns(), grid.cells(),
                        cell -> List.of(cell.difference(), cell.effect(), cell.normalised(), cell.kl()))));
    }

    /** Writes the averages of a data set. @throws UncheckedIOException if the file cannot be written */
    public static void writeAverages(Path file, List<Averages> averages) {
        write(file, List.of("effect", "effect_error", "effect_count", "same_sign", "normalised", "normalised_error",
                "normalised_count", "kl", "kl_error", "kl_count"),
                averages.stream().flatMap(each -> rows(each.patching(), each.parts(), each.columns(), each.cells(),
                        cell -> Stream
                                .of(numbers(cell.effect()), Stream.of(cell.sameSign()), numbers(cell.normalised()),
                                        numbers(cell.kl()))
                                .flatMap(numbers -> numbers).toList())));
    }

    private static Stream<Double> numbers(Averages.Statistic statistic) {
        return Stream.of(statistic.mean(), statistic.error(), (double) statistic.count());
    }

    private record Row(Patching patching, Part part, String column, List<Double> numbers) {
    }

    private interface Numbers<T> {
        List<Double> of(T cell);
    }

    private static <T> Stream<Row> rows(Patching patching, List<Part> parts, List<String> columns, List<List<T>> cells,
            Numbers<T> numbers) {
        var rows = new ArrayList<Row>();
        for (int r = 0; r < parts.size(); r++) {
            for (int c = 0; c < columns.size(); c++) {
                rows.add(new Row(patching, parts.get(r), columns.get(c), numbers.of(cells.get(r).get(c))));
            }
        }
        return rows.stream();
    }

    private static void write(Path file, List<String> names, Stream<Row> rows) {
        var format = EffectFormat.of(file.toString()).orElseThrow();
        try (var database = (DuckDBConnection) DriverManager.getConnection("jdbc:duckdb:");
                var statement = database.createStatement()) {
            statement.execute("create table effects (%s, %s)".formatted(KEY,
                    names.stream().map(name -> name + " double").collect(Collectors.joining(", "))));
            append(database, rows);
            AtomicFile.write(file, part -> {
                try {
                    statement.execute(format.copy(select(format, names), part, file));
                } catch (SQLException failure) {
                    throw new IOException(failure.getMessage(), failure);
                }
            });
        } catch (SQLException failure) {
            throw new IllegalStateException("DuckDB cannot make a table", failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be written", failure);
        }
    }

    private static void append(DuckDBConnection database, Stream<Row> rows) throws SQLException {
        try (var appender = database.createAppender("main", "effects")) {
            for (var row : (Iterable<Row>) rows::iterator) {
                appender.beginRow();
                appender.append(row.patching().direction().toString());
                appender.append(row.patching().parts().toString());
                appender.append(row.part().toString());
                appender.append(row.part().layer());
                appender.append(row.column());
                for (double number : row.numbers()) {
                    appender.append(Double.isNaN(number) ? Double.NaN : number); // of one sign, which CSV would show
                }
                appender.endRow();
            }
        }
    }

    private static String select(EffectFormat format, List<String> names) {
        return "select direction, sites, part, layer, \"at\", "
                + names.stream().map(name -> format == EffectFormat.JSONL
                        ? "case when isfinite(%s) then %s end as %s".formatted(name, name, name)
                        : name).collect(Collectors.joining(", "))
                + " from effects";
    }
}
