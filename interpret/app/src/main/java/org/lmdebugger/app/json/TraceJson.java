package org.lmdebugger.app.json;

import java.util.LinkedHashMap;
import java.util.Map;
import org.lmdebugger.interpret.trace.Trace;

/** A trace as {@code trace --json} prints it; the keys are part of the command's interface. */
public final class TraceJson {
    private TraceJson() {
    }

    public static Map<String, Object> of(Trace trace) {
        var json = new LinkedHashMap<String, Object>();
        json.put("model", trace.model());
        json.put("device", trace.device());
        json.put("precision", trace.precision());
        json.put("mode", trace.mode());
        json.put("prompt", trace.prompt());
        json.put("tokens", trace.tokens());
        json.put("added", trace.added());
        json.put("positions", trace.positions().stream().map(TraceJson::position).toList());
        if (trace.edited() != null) {
            json.put("edited", Map.of("positions", trace.edited().stream().map(TraceJson::position).toList()));
        }
        return json;
    }

    private static Map<String, Object> position(Trace.Position position) {
        var json = new LinkedHashMap<String, Object>();
        json.put("position", position.position());
        json.put("target", Json.object("id", position.target().id(), "token", position.target().text()));
        json.put("layers", position.layers().stream().map(TraceJson::layer).toList());
        return json;
    }

    private static Map<String, Object> layer(Trace.Layer layer) {
        return Json.object("layer", layer.layer(), "before", layer.before(), "after", layer.after(),
                "dominant", layer.dominant().stream().map(TraceJson::subUpdate).toList(), "chosen", layer.chosen());
    }

    private static Map<String, Object> subUpdate(Trace.SubUpdate update) {
        var json = Json.object("neuron", update.neuron(), "coefficient", update.coefficient(), "score", update.score(),
                "direct", update.direct());
        update.total().ifPresent(total -> json.put("total", (float) total));
        return json;
    }
}
