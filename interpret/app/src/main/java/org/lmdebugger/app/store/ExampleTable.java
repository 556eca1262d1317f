package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.duckdb.DuckDBAppender;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.interpret.corpus.CorpusStatistics.Example;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2;

/** Examples of all neurons as a table: a row for each, with the tokens around it and their coefficients as JSON. */
public final class ExampleTable extends ResultTable<CorpusTable.Layer> {
    private final Gpt2 model;

    /** @param place a new file, in which the rows are until they are written; memory if it is empty */
    public ExampleTable(Gpt2 model, Optional<Path> place) {
        super("part varchar, layer integer, neuron integer, kind varchar, rank integer, document integer, "
                + "position integer, token varchar, coefficient float, text varchar, token_at integer, ids varchar, "
                + "coefficients varchar", place);
        this.model = model;
    }

    @Override
    void append(DuckDBAppender to, CorpusTable.Layer of) throws SQLException {
        for (int i = 0; i < model.config().feedForwardWidth(); i++) {
            var neuron = new Neuron(of.layer(), i);
            append(to, neuron, "largest", of.corpus().largest(neuron));
            append(to, neuron, "smallest", of.corpus().smallest(neuron));
            var bands = of.corpus().bands(neuron);
            for (int band = 0; band < bands.size(); band++) {
                append(to, neuron, "band " + band, bands.get(band));
            }
        }
    }

    private void append(DuckDBAppender to, Neuron neuron, String kind, List<Example> examples) throws SQLException {
        for (int rank = 0; rank < examples.size(); rank++) {
            var example = examples.get(rank);
            to.beginRow();
            to.append(neuron.toString());
            to.append(neuron.layer());
            to.append(neuron.neuron());
            to.append(kind);
            to.append(rank);
            to.append(example.document());
            to.append(example.position());
            to.append(model.tokenizer().text(example.ids().get(example.at())));
            to.append(example.coefficient());
            to.append(model.tokenizer().decode(example.ids().stream().mapToInt(id -> id).toArray()));
            to.append(example.at());
            to.append(Json.line(example.ids()));
            to.append(Json.line(example.coefficients()));
            to.endRow();
        }
    }

    @Override
    String columns(EffectFormat format) {
        var all = "part, layer, neuron, kind, rank, document, position, token, coefficient, text, token_at, ";
        return all + (format == EffectFormat.JSONL ? "ids::json as ids, coefficients::json as coefficients"
                : "ids, coefficients");
    }
}
