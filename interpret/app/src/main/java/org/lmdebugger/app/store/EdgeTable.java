package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.Receiver;
import org.lmdebugger.interpret.edge.Sender;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Patching.Direction;

/** Effects of edges as a table: a row for each edge. */
public final class EdgeTable extends ResultTable<EdgeTable.Patched> {
    private static final List<String> NUMBERS = List.of("difference", "effect", "normalised", "kl");

    private final boolean pairs;

    /**
     * Effects of edges of one pair.
     *
     * @param id the pair's number, from 0
     */
    public record Patched(int id, EdgeEffects effects) {
    }

    /**
     * A table.
     *
     * @param pairs whether it is of a data set: then it has two more columns, the pair's number and whether the model is
     *              right on it
     * @param place a new file, in which the rows are until they are written; memory if it is empty
     */
    public EdgeTable(boolean pairs, Optional<Path> place) {
        super("pair_id integer, model_right boolean, direction varchar, edge varchar, sender varchar, "
                + "sender_layer integer, sender_head integer, receiver varchar, receiver_layer integer, "
                + "receiver_head integer, input varchar, "
                + NUMBERS.stream().map(name -> name + " double").collect(Collectors.joining(", ")), place);
        this.pairs = pairs;
    }

    @Override
    void append(DuckDBAppender to, Patched results) throws SQLException {
        var effects = results.effects();
        for (int e = 0; e < effects.edges().size(); e++) {
            var edge = effects.edges().get(e);
            to.beginRow();
            to.append(results.id());
            to.append(effects.baseline().right());
            to.append(effects.direction().toString());
            to.append(edge.toString());
            to.append(edge.sender().toString());
            append(to, edge.sender().layer(), edge.sender().kind() != Sender.Kind.EMBEDDING);
            append(to, edge.sender().head(), edge.sender().kind() == Sender.Kind.HEAD);
            to.append(edge.receiver().toString());
            append(to, edge.receiver().layer(), edge.receiver() != Receiver.LOGITS);
            append(to, edge.receiver().head(), edge.receiver().head() >= 0);
            to.append(edge.receiver().input().toString());
            append(to, effects.cells().get(e));
            to.endRow();
        }
    }

    private static void append(DuckDBAppender to, int number, boolean isThere) throws SQLException {
        if (isThere) {
            to.append(number);
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
        return (pairs ? "pair_id, model_right, " : "")
                + "direction, edge, sender, sender_layer, sender_head, receiver, "
                + "receiver_layer, receiver_head, input, "
                + NUMBERS.stream().map(name -> format == EffectFormat.JSONL
                        ? "case when isfinite(%s) then %s end as %s".formatted(name, name, name)
                        : name).collect(Collectors.joining(", "));
    }

    /**
     * Reads effects again.
     *
     * @param file     a Parquet file that a table has written
     * @param baseline the pair's
     */
    public static EdgeEffects read(Path file, Direction direction, Baseline baseline) {
        var edges = new ArrayList<Edge>();
        var cells = new ArrayList<Grid.Cell>();
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement();
                var rows = statement.executeQuery("select edge, %s from %s".formatted(String.join(", ", NUMBERS),
                        EffectFormat.PARQUET.table(List.of(file))))) {
            while (rows.next()) {
                edges.add(Edge.parse(rows.getString(1)));
                cells.add(new Grid.Cell(rows.getDouble(2), rows.getDouble(3), rows.getDouble(4), rows.getDouble(5)));
            }
        } catch (SQLException failure) {
            throw new IllegalStateException(file + ": cannot be read", failure);
        }
        return new EdgeEffects(direction, baseline, List.copyOf(edges), List.copyOf(cells));
    }
}
