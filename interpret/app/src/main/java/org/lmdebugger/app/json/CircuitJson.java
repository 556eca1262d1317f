package org.lmdebugger.app.json;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitAverages.Score;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Gpt2Config;

/**
 * A circuit as a JSON file: its edges, and where it was measured. To read one, only the edges are needed.
 *
 * @param direction as of {@code edges}
 * @param clean     the prompt of one pair, else null, like {@code corrupted}
 * @param measure   that is in the place of the logit difference; null for that
 * @param pairs     the number of pairs of a data set, of which the numbers are means; else null
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record CircuitJson(String model, String direction, String clean, String corrupted, Integer pairs,
        String measure, Double difference, Double faithfulness, Double kl, List<String> edges) {
    /** Returns a circuit with its score on one pair or more. */
    public static CircuitJson of(Gpt2 model, Direction direction, List<Pair> pairs, Optional<Measure> measure,
            Circuit circuit, Score score) {
        var one = pairs.size() == 1 ? pairs.getFirst() : null;
        return new CircuitJson(model.files().name(), direction.toString(), one == null ? null : model.text(one.clean()),
                one == null ? null : model.text(one.corrupted()), one == null ? pairs.size() : null,
                measure.map(Measure::toString).orElse(null),
                score.difference().mean(), score.faithfulness().mean(), score.kl().mean(),
                circuit.edges().stream().map(Edge::toString).toList());
    }

    /** Returns the circuit of a file's text. @throws IllegalArgumentException if it is none of this model */
    public static Circuit read(Gpt2Config config, String text) {
        var edges = JsonReader.readLine(text, CircuitJson.class).edges();
        if (edges == null || edges.stream().anyMatch(Objects::isNull)) {
            throw new IllegalArgumentException(
                    "edges: missing, or null among them (expected: a list such as [\"embedding>L1H2.q\"])");
        }
        return Circuit.of(edges.stream().flatMap(edge -> Edge.select(config, edge).stream()).toList());
    }
}
