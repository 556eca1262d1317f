package org.lmdebugger.app.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.lmdebugger.app.store.EffectFormat;
import org.lmdebugger.app.store.ResultDirectory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "query", mixinStandardHelpOptions = true,
        description = "Runs SQL (DuckDB's) over results of sweep or patch: the table is called effects.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug query results \"select * from effects order by kl desc limit 10\"",
                "  lmdebug query results/1-of-2 results/2-of-2 \"select count(*) from effects\"",
                "  lmdebug query effects.csv \"select layer, max(kl) from effects group by layer order by layer\""})
final class QueryCommand implements Callable<Integer> {
    private static final int WIDEST = 40;

    @Parameters(paramLabel = "DIR|FILE... SQL", hideParamSyntax = true, arity = "2..*",
            description = "What sweep --out or patch --out wrote, of "
                    + "parts (--part) also several directories; and a query over the table effects.")
    private List<String> arguments = new ArrayList<>();

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var results = arguments.subList(0, arguments.size() - 1).stream().map(Path::of).toList();
        for (var each : results) {
            if (!Files.exists(each)) {
                throw new IllegalArgumentException(each + ": not there (expected: what --out wrote)");
            }
        }
        var sql = arguments.getLast();
        var effects = table(results);
        try (var database = DriverManager.getConnection("jdbc:duckdb:"); var statement = database.createStatement()) {
            statement.execute("create view effects as select * from " + effects);
            if (statement.execute(sql)) {
                print(statement.getResultSet());
            }
        } catch (SQLException failure) {
            throw new IllegalArgumentException("query: " + failure.getMessage(), failure);
        }
        return 0;
    }

    private String table(List<Path> results) {
        if (results.stream().allMatch(Files::isDirectory)) {
            return EffectFormat.PARQUET.table(ResultDirectory.parts(results, spec.commandLine().getErr()::println));
        }
        if (results.size() > 1) {
            throw new IllegalArgumentException(
                    "query: %d files and directories (expected: one file, or directories)".formatted(results.size()));
        }
        var file = results.getFirst();
        return EffectFormat.of(file.toString()).orElseThrow(() -> new IllegalArgumentException(
                "%s: not what --out wrote (expected: a directory, or a name that ends in %s)".formatted(file,
                        EffectFormat.ENDINGS)))
                .table(results);
    }

    private void print(ResultSet results) throws SQLException {
        int columns = results.getMetaData().getColumnCount();
        var rows = new ArrayList<List<String>>();
        var names = new ArrayList<String>();
        for (int c = 1; c <= columns; c++) {
            names.add(results.getMetaData().getColumnLabel(c));
        }
        rows.add(names);
        while (results.next()) {
            var row = new ArrayList<String>();
            for (int c = 1; c <= columns; c++) {
                var value = results.getString(c);
                row.add(value == null ? "" : Text.visible(value));
            }
            rows.add(row);
        }
        var widths = IntStream.range(0, columns).map(c -> Math.min(WIDEST, rows.stream()
                .mapToInt(row -> row.get(c).codePointCount(0, row.get(c).length())).max().orElse(0))).toArray();
        for (var row : rows) {
            spec.commandLine().getOut().println(String.join("  ", IntStream.range(0, columns)
                    .mapToObj(c -> Text.fit(row.get(c), widths[c])).toList()).stripTrailing());
        }
    }
}
