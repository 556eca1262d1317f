package org.lmdebugger.app.json;

import java.util.List;
import org.lmdebugger.interpret.edge.Circuit;
import org.lmdebugger.interpret.edge.CircuitSearch.Removal;
import org.lmdebugger.interpret.edge.Edge;

/**
 * A point that a removal of edges has reached, as a file keeps it.
 *
 * @param work a hash of all that the removal depends on
 */
public record RemovalJson(String work, int tried, double difference, List<String> edges) {
    public static RemovalJson of(String work, Removal removal) {
        return new RemovalJson(work, removal.tried(), removal.difference(),
                removal.circuit().edges().stream().map(Edge::toString).toList());
    }

    /** Returns the point of a file's text. @throws IllegalArgumentException if it is none, or of other work */
    public static Removal read(String work, String text) {
        var json = JsonReader.readLine(text, RemovalJson.class);
        if (!work.equals(json.work) || json.edges == null) {
            throw new IllegalArgumentException(
                    "of another removal (expected: the model, the pairs and the options of this one)");
        }
        return new Removal(json.tried, Circuit.of(json.edges.stream().map(Edge::parse).toList()), json.difference);
    }
}
