package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Optional;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.interpret.corpus.CorpusStatistics;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Summary;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.model.Gpt2Config;

/** Summaries of a corpus as a table: a row for each neuron, head, attention and feed-forward output. */
public final class CorpusTable extends ResultTable<CorpusTable.Layer> {
    private final Gpt2Config config;

    /** The numbers of one layer. */
    public record Layer(CorpusStatistics corpus, int layer) {
    }

    /** @param place a new file, in which the rows are until they are written; memory if it is empty */
    public CorpusTable(Gpt2Config config, Optional<Path> place) {
        super("part varchar, layer integer, head integer, neuron integer, count bigint, mean double, variance double, "
                + "min float, max float, positive double, histogram varchar", place);
        this.config = config;
    }

    @Override
    void append(DuckDBAppender to, Layer of) throws SQLException {
        int l = of.layer();
        for (int i = 0; i < config.feedForwardWidth(); i++) {
            var neuron = new Neuron(l, i);
            append(to, neuron, of.corpus().neuron(neuron));
        }
        for (int h = 0; h < config.heads(); h++) {
            append(to, new Head(l, h, Head.Vector.Z), of.corpus().head(l, h));
        }
        append(to, new Residual(l, Residual.Point.ATTENTION), of.corpus().attention(l));
        append(to, new Residual(l, Residual.Point.FFN), of.corpus().ffn(l));
    }

    private static void append(DuckDBAppender to, Part part, Summary summary) throws SQLException {
        to.beginRow();
        to.append(part.toString());
        to.append(part.layer());
        append(to, part instanceof Head head ? Optional.of(head.head()) : Optional.empty());
        append(to, part instanceof Neuron neuron ? Optional.of(neuron.neuron()) : Optional.empty());
        to.append(summary.count());
        to.append(summary.mean());
        to.append(summary.variance());
        to.append(summary.min());
        to.append(summary.max());
        to.append(summary.positive());
        to.append(Json.line(summary.histogram()));
        to.endRow();
    }

    private static void append(DuckDBAppender to, Optional<Integer> number) throws SQLException {
        if (number.isPresent()) {
            to.append(number.get().intValue());
        } else {
            to.appendNull();
        }
    }

    @Override
    String columns(EffectFormat format) {
        return "part, layer, head, neuron, count, mean, variance, min, max, positive, "
                + (format == EffectFormat.JSONL ? "histogram::json as histogram" : "histogram");
    }
}
