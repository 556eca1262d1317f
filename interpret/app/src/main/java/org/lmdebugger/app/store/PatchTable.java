package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;

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
}
