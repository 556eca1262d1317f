package org.lmdebugger.app;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.Neuron;
import org.lmdebugger.model.TokenLogit;

/** What a few value vectors say. */
public final class Said {
    /** Tokens that give a first impression. */
    public static final int FEW = 8;

    private Said() {
    }

    /** The {@code k} tokens that each vector promotes most, or all if the vocabulary has fewer: in one product. */
    public static Map<Neuron, List<TokenLogit>> of(Debugger debugger, Collection<Neuron> vectors, int k) {
        var said = new LinkedHashMap<Neuron, List<TokenLogit>>();
        if (vectors.isEmpty()) {
            return said;
        }
        var model = debugger.model();
        var list = vectors.stream().distinct().toList();
        try (var scope = new TensorScope(model.device())) {
            var rows = scope.allocate(ElementType.F32, list.size(), model.config().width());
            model.call(session -> {
                for (int i = 0; i < list.size(); i++) {
                    session.copy(rows.row(i), model.layer(list.get(i).layer()).values().row(list.get(i).neuron()));
                }
                return null;
            });
            var projected = debugger.project(rows, Math.min(k, model.config().vocabularySize()));
            for (int i = 0; i < list.size(); i++) {
                said.put(list.get(i), projected.get(i));
            }
        }
        return said;
    }
}
