package org.lmdebugger.app;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.duckdb.DuckDBAppender;
import org.duckdb.DuckDBConnection;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.interpret.Edit;
import org.lmdebugger.interpret.Edits;
import org.lmdebugger.interpret.Effects;
import org.lmdebugger.interpret.Measure;
import org.lmdebugger.tokenizer.Tokenizer;

/** Effects of sweeps as a table of DuckDB, in memory, and from there as a CSV or Parquet file. */
public final class EffectTable implements AutoCloseable {
    private final List<Measure> measures;
    private final Tokenizer tokenizer;
    private final DuckDBConnection database;

    public EffectTable(List<Measure> measures, Tokenizer tokenizer) {
        this.measures = measures;
        this.tokenizer = tokenizer;
        try {
            database = (DuckDBConnection) DriverManager.getConnection("jdbc:duckdb:");
            execute("create table effects (prompt_id integer, intervention varchar, layer integer, neuron integer, "
                    + "operation varchar, value float, \"at\" varchar, "
                    + measures.stream().map(EffectTable::column).collect(Collectors.joining(", ")) + ")");
        } catch (SQLException failure) {
            throw new IllegalStateException("DuckDB cannot make a table of " + measures, failure);
        }
    }

    private static String column(Measure measure) {
        var type = switch (measure) {
            case Measure.Top top -> "varchar"; // JSON
            case Measure.OfToken of when of.quantity() == Measure.Quantity.RANK -> "integer";
            default -> "float";
        };
        return "\"" + measure.toString().replace("\"", "\"\"") + "\" " + type;
    }

    public void add(Effects effects) {
        try (var appender = database.createAppender("main", "effects")) {
            var layers = effects.layers();
            var neurons = effects.neurons();
            for (int i = 0; i < effects.size(); i++) {
                var edits = effects.edits(i);
                appender.beginRow();
                appender.append(effects.prompt());
                appender.append(String.join("; ", edits.texts()));
                if (layers[i] < 0) {
                    for (int column = 0; column < 5; column++) {
                        appender.appendNull();
                    }
                } else {
                    appender.append(layers[i]);
                    appender.append(neurons[i]);
                    appendOperation(appender, edits);
                }
                for (var measure : measures) {
                    append(appender, effects, measure, i);
                }
                appender.endRow();
            }
        } catch (SQLException failure) {
            throw new IllegalStateException("DuckDB cannot take an effect", failure);
        }
    }

    /** Operation, value and positions of the only edit. */
    private static void appendOperation(DuckDBAppender to, Edits edits) throws SQLException {
        if (edits.list().isEmpty()) {
            to.append(edits.switches().containsValue(true) ? "on" : "off");
            to.appendNull();
            to.append("all");
            return;
        }
        var edit = edits.list().getFirst();
        switch (edit.operation()) {
            case Edit.Operation.Set(float value) -> appendOperation(to, "set", value);
            case Edit.Operation.Scale(float factor) -> appendOperation(to, "scale", factor);
            case Edit.Operation.Add(float amount) -> appendOperation(to, "add", amount);
            case Edit.Operation.From(String prompt) -> {
                to.append("from:\"" + prompt + "\"");
                to.appendNull();
            }
        }
        to.append(edit.positions().toString());
    }

    private static void appendOperation(DuckDBAppender to, String name, float value) throws SQLException {
        to.append(name);
        to.append(value);
    }

    private void append(DuckDBAppender to, Effects effects, Measure measure, int i) throws SQLException {
        switch (measure) {
            case Measure.Top(int count) -> to.append(Json.line(IntStream.range(i * count, (i + 1) * count).mapToObj(j ->
                    TraceJson.object("id", effects.topIds()[j], "token", tokenizer.text(effects.topIds()[j]),
                            "probability", effects.topProbabilities()[j])).toList()));
            case Measure.OfToken of when of.quantity() == Measure.Quantity.RANK -> to.append((int) effects.values(of)[i]);
            default -> to.append(effects.values(measure)[i]);
        }
    }

    /**
     * Writes what was added since the last time; the file is there whole or not at all.
     *
     * @throws UncheckedIOException if it cannot be written
     */
    public void write(Path file) {
        var format = file.toString().endsWith(".csv") ? "csv, header" : "parquet, compression zstd";
        try {
            AtomicFile.write(file, part -> {
                try {
                    execute("copy effects to '%s' (format %s)".formatted(part.toString().replace("'", "''"), format));
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
    public void close() {
        try {
            database.close();
        } catch (SQLException failure) {
            throw new IllegalStateException("DuckDB cannot be closed", failure);
        }
    }
}
