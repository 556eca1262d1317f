package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;

/** Grids of patching as a table: a row for each part and column. */
public final class PatchTable extends ResultTable<PatchTable.Patched> {
    private static final List<String> NUMBERS = List.of("difference", "effect", "normalised", "kl");

    private final boolean pairs;

    /**
     * The results of one pair.
     *
     * @param id    its number, from 0
     * @param grids at least one
     */
    public record Patched(int id, Pair pair, List<Grid> grids) {
    }

    /**
     * A table.
     *
     * @param pairs whether it is of a data set: then it has three more columns, the pair's number, whether the model is
     *              right on it, and the position in tokens, which is null where all are patched at once
     * @param place a new file, in which the rows are until they are written; memory if it is empty
     */
    public PatchTable(boolean pairs, Optional<Path> place) {
        super("pair_id integer, model_right boolean, direction varchar, sites varchar, part varchar, layer integer, "
                + "\"at\" varchar, position integer, "
                + NUMBERS.stream().map(name -> name + " double").collect(Collectors.joining(", ")), place);
        this.pairs = pairs;
    }

    @Override
    void append(DuckDBAppender to, Patched results) throws SQLException {
        for (var grid : results.grids()) {
            for (int r = 0; r < grid.parts().size(); r++) {
                for (int c = 0; c < grid.columns().size(); c++) {
                    to.beginRow();
                    to.append(results.id());
                    to.append(grid.baseline().right());
                    to.append(grid.patching().direction().toString());
                    to.append(grid.patching().parts().toString());
                    to.append(grid.parts().get(r).toString());
                    to.append(grid.parts().get(r).layer());
                    to.append(grid.columns().get(c));
                    append(to, position(results.pair(), grid, c));
                    append(to, grid.cells().get(r).get(c));
                    to.endRow();
                }
            }
        }
    }

    private static OptionalInt position(Pair pair, Grid grid, int column) {
        return switch (grid.patching().columns()) {
            case POSITIONS -> OptionalInt.of(column);
            case ROLES -> OptionalInt.of(pair.roles().get(grid.columns().get(column)));
            case ALL -> OptionalInt.empty();
        };
    }

    private static void append(DuckDBAppender to, OptionalInt number) throws SQLException {
        if (number.isPresent()) {
            to.append(number.getAsInt());
        } else {
            to.appendNull();
        }
    }

    private static void append(DuckDBAppender to, Grid.Cell cell) throws SQLException {
        for (double number : new double[] {cell.difference(), cell.effect(), cell.normalised(), cell.kl()}) {
            to.append(Double.isNaN(number) ? Double.NaN : number); // of one sign, which CSV would show
        }
    }

    @Override
    String columns(EffectFormat format) {
        return (pairs ? "pair_id, model_right, " : "") + "direction, sites, part, layer, \"at\", "
                + (pairs ? "position, " : "") + NUMBERS.stream().map(name -> format == EffectFormat.JSONL
                        ? "case when isfinite(%s) then %s end as %s".formatted(name, name, name)
                        : name).collect(Collectors.joining(", "));
    }

    /**
     * Reads the grids of one pair again.
     *
     * @param file      a Parquet file that a table has written
     * @param patchings as they were computed
     * @param baseline  the pair's
     */
    public static List<Grid> read(Path file, List<Patching> patchings, Baseline baseline) {
        var cells = new LinkedHashMap<String, Map<Part, Map<String, Grid.Cell>>>(); // of sites, part and column
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement();
                var rows = statement.executeQuery("select sites, part, \"at\", %s from %s".formatted(
                        String.join(", ", NUMBERS), EffectFormat.PARQUET.table(List.of(file))))) {
            while (rows.next()) {
                cells.computeIfAbsent(rows.getString(1), sites -> new LinkedHashMap<>())
                        .computeIfAbsent(Part.parse(rows.getString(2)), part -> new LinkedHashMap<>())
                        .put(rows.getString(3), new Grid.Cell(rows.getDouble(4), rows.getDouble(5), rows.getDouble(6),
                                rows.getDouble(7)));
            }
        } catch (SQLException failure) {
            throw new IllegalStateException(file + ": cannot be read", failure);
        }
        return patchings.stream().map(patching -> {
            var parts = cells.get(patching.parts().toString());
            return new Grid(patching, baseline, List.copyOf(parts.keySet()),
                    List.copyOf(parts.values().iterator().next().keySet()),
                    parts.values().stream().map(row -> List.copyOf(row.values())).toList());
        }).toList();
    }
}
