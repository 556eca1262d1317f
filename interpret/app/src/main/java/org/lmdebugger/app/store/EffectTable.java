package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * Effects of sweeps as a table. A measure's column is called as on the command line. Where two of these names differ in
 * case only, which is nothing to DuckDB and other readers, the tokens' ids are in them: {@code logit:" king"#620}. A number
 * that is not finite is null in columns of whole numbers.
 */
public final class EffectTable extends ResultTable<Effects> {
    private final List<Measure> measures;
    private final Tokenizer tokenizer;
    private final int firstPrompt;

    /** @param place a new file, in which the rows are until they are written; memory if it is empty */
    public EffectTable(List<Measure> measures, Tokenizer tokenizer, Optional<Path> place) {
        this(measures, tokenizer, place, 0);
    }

    /** @param firstPrompt the number of the sweep's first prompt, if the sweep is a part of a larger one */
    public EffectTable(List<Measure> measures, Tokenizer tokenizer, Optional<Path> place, int firstPrompt) {
        super("prompt_id integer, intervention varchar, part varchar, layer integer, head integer, neuron integer, "
                + "operation varchar, value float, \"at\" varchar, "
                + IntStream.range(0, measures.size()).mapToObj(m -> column(m) + " " + type(measures.get(m)))
                        .collect(Collectors.joining(", ")),
                place);
        this.measures = measures;
        this.tokenizer = tokenizer;
        this.firstPrompt = firstPrompt;
    }

    /** The measure's column in the table, whose names have no case. */
    private static String column(int measure) {
        return "measure_" + measure;
    }

    private static String type(Measure measure) {
        return switch (measure) {
            case Measure.Top top -> "varchar"; // JSON
            case Measure.OfToken of when of.quantity() == Measure.Quantity.RANK -> "integer";
            default -> "float";
        };
    }

    /** The measure's column in files. */
    private String name(Measure measure) {
        if (measures.stream().filter(other -> lowerCase(other).equals(lowerCase(measure))).count() == 1) {
            return measure.toString();
        }
        return switch (measure) {
            case Measure.OfToken(var quantity, var token) -> quantity + ":" + withId(token);
            case Measure.Difference(var token, var other) -> "difference:" + withId(token) + "/" + withId(other);
            default -> throw new IllegalArgumentException("measures: %s (expected: each once)".formatted(measures));
        };
    }

    private static String lowerCase(Measure measure) {
        return measure.toString().toLowerCase(Locale.ROOT);
    }

    private String withId(Measure.Token token) {
        return token instanceof Measure.Token.OfText(var text) ? token + "#" + tokenizer.single(text)
                : token.toString();
    }

    @Override
    void append(DuckDBAppender to, Effects effects) throws SQLException {
        for (int i = 0; i < effects.size(); i++) {
            var edits = effects.edits(i);
            to.beginRow();
            to.append(firstPrompt + effects.prompt());
            to.append(String.join("; ", edits.texts()));
            if (edits.list().size() != 1) {
                for (int column = 0; column < 7; column++) {
                    to.appendNull();
                }
            } else {
                append(to, edits.list().getFirst().part());
                appendOperation(to, edits.list().getFirst());
            }
            for (var measure : measures) {
                append(to, effects, measure, i);
            }
            to.endRow();
        }
    }

    /** Appends a part's name, layer, head and neuron. */
    private static void append(DuckDBAppender to, Part part) throws SQLException {
        to.append(part.toString());
        to.append(part.layer());
        switch (part) {
            case Head head when head.head() != Head.ALL -> to.append(head.head());
            case Link link -> to.append(link.head());
            default -> to.appendNull();
        }
        if (part instanceof Neuron neuron) {
            to.append(neuron.neuron());
        } else {
            to.appendNull();
        }
    }

    /** Operation, value and positions of an edit. */
    private static void appendOperation(DuckDBAppender to, Edit edit) throws SQLException {
        switch (edit.operation()) {
            case Edit.Operation.Set(float value) -> appendOperation(to, "set", value);
            case Edit.Operation.Scale(float factor) -> appendOperation(to, "scale", factor);
            case Edit.Operation.Add(float amount) -> appendOperation(to, "add", amount);
            case Edit.Operation.AddDirection(float factor, boolean timesNorm, var direction) ->
                    appendOperation(to, (timesNorm ? "add:norm*" : "add:") + direction, factor);
            case Edit.Operation.ProjectOut(var direction) -> appendOperation(to, "project-out:" + direction);
            case Edit.Operation.From _,Edit.Operation.Mean _ -> appendOperation(to, edit.operation().toString());
            case Edit.Operation.Resample(var corpus, long seed) -> appendOperation(to, "resample:" + corpus, seed);
            case Edit.Operation.On _ -> appendOperation(to, "on");
            case Edit.Operation.Off _ -> appendOperation(to, "off");
        }
        to.append(
                edit.part() instanceof Link link ? edit.positions() + "->" + link.key() : edit.positions().toString());
    }

    private static void appendOperation(DuckDBAppender to, String name) throws SQLException {
        to.append(name);
        to.appendNull();
    }

    private static void appendOperation(DuckDBAppender to, String name, float value) throws SQLException {
        to.append(name);
        to.append(value);
    }

    private void append(DuckDBAppender to, Effects effects, Measure measure, int i) throws SQLException {
        switch (measure) {
            case Measure.Top(int count) when Float.isFinite(effects.topProbabilities()[i * count]) ->
                    to.append(Json.line(IntStream.range(i * count, (i + 1) * count)
                            .mapToObj(j -> Json.object("id", effects.topIds()[j], "token",
                                    tokenizer.text(effects.topIds()[j]),
                                    "probability", effects.topProbabilities()[j]))
                            .toList()));
            case Measure.Top none -> to.appendNull();
            case Measure.OfToken of when of.quantity() == Measure.Quantity.RANK -> {
                float rank = effects.values(of)[i];
                if (Float.isFinite(rank)) {
                    to.append((int) rank);
                } else {
                    to.appendNull();
                }
            }
            default -> {
                float value = effects.values(measure)[i];
                to.append(Float.isNaN(value) ? Float.NaN : value); // of one sign, which CSV would show
            }
        }
    }

    @Override
    String columns(EffectFormat format) {
        var value = format == EffectFormat.JSONL ? number("value") + " as value" : "value";
        return "prompt_id, intervention, part, layer, head, neuron, operation, " + value + ", \"at\", "
                + IntStream.range(0, measures.size()).mapToObj(m -> "%s as \"%s\"".formatted(
                        format == EffectFormat.JSONL ? json(measures.get(m), column(m)) : column(m),
                        name(measures.get(m)).replace("\"", "\"\""))).collect(Collectors.joining(", "));
    }

    private static String json(Measure measure, String column) {
        return switch (type(measure)) {
            case "varchar" -> column + "::json";
            case "float" -> number(column);
            default -> column;
        };
    }

    /**
     * Returns SQL for a number with the digits of a float, where DuckDB would take those of a double; JSON has no
     * number that is not finite.
     */
    private static String number(String column) {
        return "case when isfinite(%s) then %s::varchar::json end".formatted(column, column);
    }
}
