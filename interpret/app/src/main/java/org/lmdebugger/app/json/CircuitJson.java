package org.lmdebugger.app.json;

import java.util.List;
import java.util.Objects;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitEngine.Score;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.model.Gpt2Config;

/**
 * A circuit as a JSON file: its edges, and where it was measured. To read one, only the edges are needed.
 *
 * @param direction as of {@code edges}
 */
public record CircuitJson(String model, String direction, String clean, String corrupted, Double difference,
        Double faithfulness, Double kl, List<String> edges) {
    /** Returns a circuit with its score. */
    public static CircuitJson of(String model, Direction direction, String clean, String corrupted, Circuit circuit,
            Score score) {
        return new CircuitJson(model, direction.toString(), clean, corrupted, score.difference(), score.faithfulness(),
                score.kl(), circuit.edges().stream().map(Edge::toString).toList());
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
